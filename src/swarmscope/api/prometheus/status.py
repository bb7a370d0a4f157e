"""/status/*, /alertmanagers, /notifications."""

from __future__ import annotations

import os
import platform
import socket
import threading
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from starlette.responses import Response
from starlette.routing import BaseRoute

from swarmscope.api.answers import success
from swarmscope.api.failures import ApiError
from swarmscope.api.prometheus.endpoint import Answering, Exchange, ReadPath

# Clients choose what they ask for by this number: the Prometheus release whose API this package follows.
PROMETHEUS_VERSION = "3.5.0"


def status_routes(path: ReadPath) -> list[BaseRoute]:
    """The endpoints that describe the server."""
    started = _rfc3339(path.parts.clock.now_ns())
    status = path.parts.status
    return [
        path.route("/status/config", _fixed(lambda: {"yaml": status.config_yaml()})),
        path.route("/status/flags", _fixed(lambda: dict(status.flags()))),
        path.route("/status/runtimeinfo", _fixed(lambda: _runtime_info(path, started))),
        path.route("/status/buildinfo", _fixed(lambda: _build_info(path.settings.version))),
        path.route("/status/tsdb", _storage),
        path.route("/status/walreplay", _fixed(lambda: {"min": 0, "max": 0, "current": 0})),
        path.route("/alertmanagers", _fixed(lambda: {"activeAlertmanagers": [], "droppedAlertmanagers": []})),
        path.route("/notifications", _fixed(list)),
    ]


def _fixed(data: Callable[[], Any]) -> Answering:
    async def answer(exchange: Exchange) -> Response:
        return success(data())

    return answer


def _rfc3339(now_ns: int) -> str:
    seconds, nanos = divmod(now_ns, 1_000_000_000)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{nanos:09d}Z"


def _build_info(version: str) -> Mapping[str, str]:
    """No `features` key: Grafana takes a server that has one for Mimir and then expects its ruler API."""
    return {
        "version": PROMETHEUS_VERSION,
        "revision": f"swarmscope-{version}",
        "branch": "HEAD",
        "buildUser": "swarmscope",
        "buildDate": "",
        "goVersion": f"python{platform.python_version()}",
        "application": "swarmscope",
        "applicationVersion": version,
    }


def _runtime_info(path: ReadPath, started: str) -> Mapping[str, Any]:
    info: dict[str, Any] = {
        "startTime": started,
        "CWD": os.getcwd(),
        "hostname": socket.gethostname(),
        "serverTime": _rfc3339(path.parts.clock.now_ns()),
        "reloadConfigSuccess": True,
        "lastConfigTime": started,
        "corruptionCount": 0,
        "goroutineCount": threading.active_count(),
        "GOMAXPROCS": os.cpu_count() or 1,
        "GOMEMLIMIT": 0,
        "GOGC": "",
        "GODEBUG": "",
        "storageRetention": "",
    }
    info.update(path.parts.status.runtime_info())
    return info


async def _storage(exchange: Exchange) -> Response:
    try:
        limit = exchange.parameters.count("limit", 10)
    except ApiError:
        limit = 0
    if limit < 1:
        raise ApiError("bad_data", "limit must be a positive number")
    status, tenant = exchange.path.parts.status, exchange.parameters.tenant
    return await exchange.path.queue.run(
        exchange.request, exchange.deadline(), lambda: success(dict(status.storage_stats(tenant, limit)))
    )
