"""Scrape targets in the shapes of Prometheus' `/targets`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from swarmscope.model.targets import ActiveTarget, ScrapeTargets

_NS_PER_S = 1_000_000_000


def _rfc3339(time_ns: int) -> str:
    """RFC 3339 with nanoseconds; Go's zero time where nothing has happened yet."""
    if not time_ns:
        return "0001-01-01T00:00:00Z"
    seconds, nanos = divmod(time_ns, _NS_PER_S)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{nanos:09d}Z"


def _to_json(target: ActiveTarget) -> dict[str, Any]:
    return {
        "discoveredLabels": target.discovered_labels,
        "labels": target.labels,
        "scrapePool": target.scrape_pool,
        "scrapeUrl": target.scrape_url,
        "globalUrl": target.global_url,
        "lastError": target.last_error,
        "lastScrape": _rfc3339(target.last_scrape_ns),
        "lastScrapeDuration": target.last_scrape_duration_s,
        "health": target.health,
        "scrapeInterval": target.scrape_interval,
        "scrapeTimeout": target.scrape_timeout,
    }


class TargetPages:
    """Implements the API's `TargetSource` on what the scraper tells."""

    def __init__(self, targets: Callable[[], ScrapeTargets], pools: Sequence[str]) -> None:
        self._targets = targets
        self._pools = pools

    def active_targets(self) -> Sequence[Mapping[str, Any]]:
        """Elements of `activeTargets`."""
        return [_to_json(target) for target in self._targets().active]

    def dropped_targets(self) -> Sequence[Mapping[str, Any]]:
        """Elements of `droppedTargets`."""
        return [
            {"discoveredLabels": target.discovered_labels, "scrapePool": target.scrape_pool}
            for target in self._targets().dropped
        ]

    def scrape_pools(self) -> Sequence[str]:
        """Names of all scrape jobs."""
        return self._pools

    def target_metadata(self) -> Sequence[Mapping[str, Any]]:
        """Metadata by target is not kept apart; `/metadata` has it by metric."""
        return []
