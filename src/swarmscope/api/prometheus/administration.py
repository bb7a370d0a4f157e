"""/admin/tsdb/*: deleting series and taking snapshots, only where the operator enabled it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from starlette.responses import Response
from starlette.routing import BaseRoute

from swarmscope.api.answers import success
from swarmscope.api.failures import ApiError
from swarmscope.api.parameters import MAX_TIME_MS, MIN_TIME_MS
from swarmscope.api.parts import MetricAdmin
from swarmscope.api.prometheus.endpoint import Exchange, ReadPath
from swarmscope.model.errors import LimitExceededError, UnavailableError

T = TypeVar("T")
_METHODS = ("POST", "PUT")
_TRUE, _FALSE = ("1", "t", "T", "true", "TRUE", "True"), ("0", "f", "F", "false", "FALSE", "False")


def administration_routes(path: ReadPath) -> list[BaseRoute]:
    """The admin endpoints; while disabled each says so."""
    return [
        path.route("/admin/tsdb/delete_series", _delete_series, _METHODS),
        path.route("/admin/tsdb/clean_tombstones", _clean_tombstones, _METHODS),
        path.route("/admin/tsdb/snapshot", _snapshot, _METHODS),
    ]


def _admin(exchange: Exchange) -> MetricAdmin:
    admin = exchange.path.parts.admin
    if admin is None:
        # Prometheus answers its "unavailable" type with 500 here.
        raise ApiError("unavailable", "admin APIs disabled", status=500)
    return admin


async def _run(exchange: Exchange, work: Callable[[], T]) -> T:
    """Do it in the administrators' own thread: it may take minutes, and queries shall not wait for it."""
    parts = exchange.path.parts
    try:
        return await (parts.run_admin or parts.run)(work)
    except LimitExceededError as error:
        if error.retry_after_s is None:
            raise
        raise UnavailableError("too many administrative calls wait already", retry_after_s=5.0) from error


async def _delete_series(exchange: Exchange) -> Response:
    admin = _admin(exchange)
    if not exchange.parameters.texts("match[]"):
        raise ApiError("bad_data", "no match[] parameter provided")
    start_ms = exchange.parameters.time_ms("start", MIN_TIME_MS)
    end_ms = exchange.parameters.time_ms("end", MAX_TIME_MS)
    selectors = exchange.matchers(exchange.parameters.texts("match[]"))

    def work() -> None:
        for matchers in selectors:
            admin.delete_series(exchange.parameters.tenant, matchers, start_ms, end_ms)

    await _run(exchange, work)
    return Response(status_code=204)


async def _clean_tombstones(exchange: Exchange) -> Response:
    await _run(exchange, _admin(exchange).clean_tombstones)
    return Response(status_code=204)


async def _snapshot(exchange: Exchange) -> Response:
    admin = _admin(exchange)
    text = exchange.parameters.text("skip_head")
    if text and text not in _TRUE + _FALSE:
        raise ApiError("bad_data", f'invalid parameter "skip_head": unable to parse boolean "{text}"')
    name = await _run(exchange, lambda: admin.snapshot(skip_head=text in _TRUE))
    return success({"name": name})
