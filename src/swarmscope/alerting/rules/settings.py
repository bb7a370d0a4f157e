"""How and when rules are evaluated."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class EvaluationSettings:
    """What all rules have in common."""

    tenant: str
    external_url: str = ""
    external_labels: Mapping[str, str] | None = None
    cooldown_ms: int = 300_000
    timeout_s: float = 10.0
    max_results: int = 10_000


@dataclass(frozen=True, slots=True)
class SchedulerSettings:
    """When and how often."""

    interval_ms: int = 60_000
    query_offset_ms: int = 0
    spacing_s: float = 0.1  # least time between two evaluations of a rule for events
    event_share: float = 0.5  # of one core, that evaluations for events may take
    n_threads: int = 4  # more than cores: a group that waits for its limit of time must not delay the others
