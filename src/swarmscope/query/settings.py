"""What an operator may set about queries. Imports nothing heavy: the settings' defaults come from here."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class RollupUse(StrEnum):
    """When down-sampled buckets answer a query."""

    AUTO = "auto"  # where they save work
    ALWAYS = "always"  # wherever they give the same answer
    NEVER = "never"


@dataclass(frozen=True)
class EngineSettings:
    """Limits and defaults of the engine; on the class itself they are the defaults."""

    lookback_ms: int = 300_000
    subquery_step_ms: int = 60_000  # Prometheus' default evaluation interval
    max_samples: int = 50_000_000
    max_bytes: int = 2 << 30  # of a query's matrices together
    max_points: int = 11_000  # Prometheus' own: enough for 60 s steps over a week or 1 h steps over a year
    # Text of labels that one query may make: label_replace() can double a value each time it is nested.
    max_label_characters: int = 1 << 26
    rollups: RollupUse = RollupUse.AUTO
