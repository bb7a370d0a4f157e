"""How incidents are made and kept."""

from __future__ import annotations

from dataclasses import dataclass, field

from swarmscope.analysis.rootcause.ranking import RankSettings
from swarmscope.analysis.rootcause.similarity import LinkSettings

_S = 1_000_000_000


@dataclass(frozen=True, slots=True)
class IncidentSettings:
    """Times in nanoseconds."""

    quiet_ns: int = 120 * _S  # an incident is over once none of its alerts lasted for so long
    reopen_ns: int = 600 * _S  # an alert that comes back within this reopens it, also by alerts that are like its own
    max_age_ns: int = 6 * 3600 * _S  # an older one takes nobody in who is new
    split_after_ns: int = 60 * _S  # parts that nothing links any more are two incidents after this
    keep_ns: int = 30 * 86400 * _S  # what is over is kept for so long
    max_kept: int = 5_000  # incidents, the newest
    max_alerts: int = 1_000  # of one incident; further ones are counted
    max_events: int = 500  # of one incident, the newest
    link: LinkSettings = field(default_factory=LinkSettings)
    rank: RankSettings = field(default_factory=RankSettings)
