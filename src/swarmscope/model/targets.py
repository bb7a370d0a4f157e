"""What is being scraped, as told by /api/v1/targets: plain facts, so that `api` need not know the receivers."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class ActiveTarget:
    """A target that is scraped. `health` is "unknown" before the first scrape, then "up" or "down"."""

    discovered_labels: dict[str, str]
    labels: dict[str, str]
    scrape_pool: str
    scrape_url: str
    global_url: str
    last_error: str
    last_scrape_ns: int  # Unix time, 0: never
    last_scrape_duration_s: float
    health: str
    scrape_interval: str  # as Prometheus writes durations: "15s"
    scrape_timeout: str


@dataclass(frozen=True, slots=True)
class DroppedTarget:
    """A target that relabelling dropped."""

    discovered_labels: dict[str, str]
    scrape_pool: str


@dataclass(frozen=True, slots=True)
class ScrapeTargets:
    """All targets; `dropped` may be cut by `keep_dropped_targets`, `dropped_counts` (by pool) never is."""

    active: list[ActiveTarget] = field(default_factory=list)
    dropped: list[DroppedTarget] = field(default_factory=list)
    dropped_counts: dict[str, int] = field(default_factory=dict)
