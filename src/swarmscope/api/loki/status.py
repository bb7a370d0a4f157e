"""What clients ask about the program: readiness, build, limits; and `format_query`, and `patterns`."""

from __future__ import annotations

import platform
from typing import Any

import orjson
from starlette.responses import Response
from starlette.routing import BaseRoute

from swarmscope.api.answers import JSON_TYPE, ChunkedAnswer, plain, success
from swarmscope.api.loki.endpoint import LokiExchange, LokiPath
from swarmscope.api.loki.volumes import MAX_VOLUMES
from swarmscope.lang.logql import parse_logql, to_pretty

# Grafana looks at the version to know what it may ask: this is the Loki whose API is spoken.
LOKI_VERSION = "3.5.0"
_LEVEL_FIELDS = ("level", "LEVEL", "Level", "Severity", "severity", "SEVERITY", "lvl", "LVL", "Lvl")


def status_routes(path: LokiPath) -> list[BaseRoute]:
    """The endpoints that read no lines."""
    return [
        path.route("/api/v1/status/buildinfo", _build, ("GET",)),
        path.route("/api/v1/drilldown-limits", _limits, ("GET",)),
        path.route("/api/v1/format_query", _format_query),
        path.route("/api/v1/patterns", _patterns),
        *state_routes(path),
    ]


def state_routes(path: LokiPath) -> list[BaseRoute]:
    """What Loki itself has at the root, beside its API."""
    return [
        path.route("/ready", _ready, ("GET",)),
        path.route("/config", _config, ("GET",)),
        path.route("/services", _services, ("GET",)),
    ]


def json_answer(data: Any, status: int = 200) -> Response:
    """JSON without an envelope."""
    return ChunkedAnswer([orjson.dumps(data)], status, {"content-type": JSON_TYPE})


async def _build(exchange: LokiExchange) -> Response:
    return json_answer(
        {
            "version": LOKI_VERSION,
            "revision": f"swarmscope-{exchange.path.settings.version}",
            "branch": "",
            "buildUser": "",
            "buildDate": "",
            "goVersion": f"python{platform.python_version()}",
        }
    )


def _limit_values(exchange: LokiExchange) -> dict[str, Any]:
    settings = exchange.path.settings
    retention_s = settings.retention_s
    return {
        "discover_log_levels": True,
        "discover_service_name": list(settings.discover_service_name),
        "log_level_fields": list(_LEVEL_FIELDS),
        "max_entries_limit_per_query": exchange.path.parts.engine.settings.max_entries,
        "max_line_size_truncate": False,
        "max_query_bytes_read": "0B",
        "max_query_length": "0s",
        "max_query_lookback": "0s",
        "max_query_range": "0s",
        "max_query_series": exchange.path.parts.engine.settings.max_series or 0,
        "metric_aggregation_enabled": False,
        "pattern_persistence_enabled": False,
        "query_timeout": f"{settings.query_timeout_s:g}s",
        "retention_period": "0s" if retention_s is None else f"{retention_s}s",
        "retention_stream": [],
        "volume_enabled": True,
        "volume_max_series": MAX_VOLUMES,
    }


async def _limits(exchange: LokiExchange) -> Response:
    """What Logs Drilldown may do here."""
    return json_answer({"limits": _limit_values(exchange), "pattern_ingester_enabled": False, "version": LOKI_VERSION})


async def _format_query(exchange: LokiExchange) -> Response:
    return success(to_pretty(parse_logql(exchange.parameters.text("query"))))


async def _patterns(exchange: LokiExchange) -> Response:
    parse_logql(exchange.parameters.text("query"))
    return success([])


async def _ready(exchange: LokiExchange) -> Response:
    return plain("ready\n") if exchange.path.parts.is_ready() else plain("Ingester not ready\n", 503)


async def _config(exchange: LokiExchange) -> Response:
    """The limits in force, in the shape of Loki's configuration."""
    lines = [f"  {name}: {orjson.dumps(value).decode()}" for name, value in _limit_values(exchange).items()]
    return plain("limits_config:\n" + "\n".join(lines) + "\n")


async def _services(exchange: LokiExchange) -> Response:
    return plain("all => Running\n")
