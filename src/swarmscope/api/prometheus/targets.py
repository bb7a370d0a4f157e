"""/targets, /targets/metadata, /scrape_pools: what is scraped."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from starlette.responses import Response
from starlette.routing import BaseRoute

from swarmscope.api.answers import success
from swarmscope.api.prometheus.endpoint import Exchange, ReadPath
from swarmscope.api.prometheus.expressions import matches, series_matchers


def target_routes(path: ReadPath) -> list[BaseRoute]:
    """The endpoints over scrape targets; all empty where nothing is scraped."""
    return [
        path.route("/targets", _targets),
        path.route("/targets/metadata", _target_metadata),
        path.route("/scrape_pools", _scrape_pools),
    ]


async def _targets(exchange: Exchange) -> Response:
    source = exchange.path.parts.targets
    state = exchange.parameters.text("state").lower()
    pool = exchange.parameters.text("scrapePool")
    data: dict[str, Any] = {"activeTargets": [], "droppedTargets": [], "droppedTargetCounts": {}}
    if source is not None:
        if state not in ("dropped",):
            data["activeTargets"] = [one for one in source.active_targets() if not pool or one["scrapePool"] == pool]
        if state not in ("active",):
            dropped = [one for one in source.dropped_targets() if not pool or one.get("scrapePool") == pool]
            data["droppedTargets"] = dropped
            pools = [pool] if pool else list(source.scrape_pools())
            counts = Counter(str(one.get("scrapePool", "")) for one in dropped)
            data["droppedTargetCounts"] = {name: counts[name] for name in pools}
    return success(data)


async def _target_metadata(exchange: Exchange) -> Response:
    limit = exchange.parameters.count("limit", -1)
    selector = exchange.parameters.text("match_target")
    metric = exchange.parameters.text("metric")
    matchers = series_matchers(selector) if selector else ()
    source = exchange.path.parts.targets
    listed: list[Mapping[str, Any]] = []
    kept_by_target: Counter[str] = Counter()
    for entry in source.target_metadata() if source is not None else ():
        if metric and entry["metric"] != metric:
            continue
        if not all(matches(matcher, entry["target"].get(matcher.name, "")) for matcher in matchers):
            continue
        # As in Prometheus the limit counts targets' metrics, each target on its own.
        target = repr(sorted(entry["target"].items()))
        if 0 <= limit <= kept_by_target[target]:
            continue
        kept_by_target[target] += 1
        # With `metric` given, its name is left out of each entry.
        listed.append({key: value for key, value in entry.items() if not (metric and key == "metric")})
    return success(listed)


async def _scrape_pools(exchange: Exchange) -> Response:
    source = exchange.path.parts.targets
    return success({"scrapePools": sorted(source.scrape_pools()) if source is not None else []})
