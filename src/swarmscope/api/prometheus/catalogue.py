"""/series, /labels, /label/<name>/values, /metadata: what there is, without samples."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from starlette.responses import Response
from starlette.routing import BaseRoute

from swarmscope.api.answers import JSON_TYPE, accepts_gzip, envelope, success, to_answer
from swarmscope.api.failures import ApiError
from swarmscope.api.json_series import label_sets_json
from swarmscope.api.parameters import MAX_TIME_MS, MIN_TIME_MS
from swarmscope.api.prometheus.endpoint import Exchange, ReadPath
from swarmscope.api.prometheus.label_names import is_label_name, unescape_label_name
from swarmscope.api.prometheus.queries import TRUNCATED
from swarmscope.lang.promql.printer import quote


def catalogue_routes(path: ReadPath) -> list[BaseRoute]:
    """The endpoints that list series, labels and metadata."""
    return [
        path.route("/series", _series, ("GET", "POST")),
        path.route("/labels", _labels, ("GET", "POST")),
        path.route("/label/{name:path}/values", _label_values),
        path.route("/metadata", _metadata),
    ]


def _time_range(exchange: Exchange) -> tuple[int, int]:
    start_ms = exchange.parameters.time_ms("start", MIN_TIME_MS)
    return start_ms, exchange.parameters.time_ms("end", MAX_TIME_MS)


async def _series(exchange: Exchange) -> Response:
    limit = exchange.parameters.limit()
    if not exchange.parameters.texts("match[]"):
        raise ApiError("bad_data", "no match[] parameter provided")
    start_ms, end_ms = _time_range(exchange)
    selectors = exchange.matchers(exchange.parameters.texts("match[]"))
    path = exchange.path
    gzip = accepts_gzip(exchange.request)
    deadline = exchange.deadline()

    def work() -> Response:
        found: set[bytes] = set()
        for matchers in selectors:
            deadline.check()
            selection = path.parts.reader.select_series(exchange.parameters.tenant, matchers, start_ms, end_ms)
            found.update(label_sets_json(path.label_texts.render(selection.labels, path.parts.reader.symbols)))
        listed = sorted(found)
        warnings = [TRUNCATED] if limit and len(listed) > limit else []
        data = b"[" + b",".join(listed[:limit] if limit else listed) + b"]"
        return to_answer(envelope([data], warnings), JSON_TYPE, gzip=gzip)

    return await path.queue.run(exchange.request, deadline, work)


async def _labels(exchange: Exchange) -> Response:
    limit = exchange.parameters.limit()
    start_ms, end_ms = _time_range(exchange)
    selectors = exchange.matchers(exchange.parameters.texts("match[]"))
    reader, tenant = exchange.path.parts.reader, exchange.parameters.tenant
    return await _list(exchange, limit, lambda: reader.label_names(tenant, selectors, start_ms, end_ms))


async def _label_values(exchange: Exchange) -> Response:
    name = unescape_label_name(exchange.request.path_params["name"])
    if not is_label_name(name):
        raise ApiError("bad_data", f"invalid label name: {quote(name)}")
    limit = exchange.parameters.limit()
    start_ms, end_ms = _time_range(exchange)
    selectors = exchange.matchers(exchange.parameters.texts("match[]"))
    reader, tenant = exchange.path.parts.reader, exchange.parameters.tenant
    return await _list(exchange, limit, lambda: reader.label_values(tenant, name, selectors, start_ms, end_ms))


async def _list(exchange: Exchange, limit: int, read: Callable[[], list[str]]) -> Response:
    gzip = accepts_gzip(exchange.request)

    def work() -> Response:
        listed = read()
        cut = bool(limit) and len(listed) > limit
        return success(listed[:limit] if cut else listed, [TRUNCATED] if cut else (), gzip=gzip)

    return await exchange.path.queue.run(exchange.request, exchange.deadline(), work)


async def _metadata(exchange: Exchange) -> Response:
    limit = exchange.parameters.count("limit", -1)
    per_metric = exchange.parameters.count("limit_per_metric", -1)
    metric = exchange.parameters.text("metric")
    reader, tenant = exchange.path.parts.reader, exchange.parameters.tenant
    gzip = accepts_gzip(exchange.request)

    def work() -> Response:
        known = reader.metadata(tenant)
        names = ([metric] if metric in known else []) if metric else sorted(known)
        data: dict[str, list[dict[str, Any]]] = {}
        for name in names if limit < 0 else names[:limit]:
            entries = known[name] if per_metric < 0 else known[name][:per_metric]
            data[name] = [{"type": entry.kind, "help": entry.help, "unit": entry.unit} for entry in entries]
        return success(data, gzip=gzip)

    return await exchange.path.queue.run(exchange.request, exchange.deadline(), work)
