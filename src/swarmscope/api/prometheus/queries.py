"""/query, /query_range, /query_exemplars, /format_query, /parse_query, and our own /explain.

Manual: https://prometheus.io/docs/prometheus/latest/querying/api/
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import orjson
from starlette.responses import Response
from starlette.routing import BaseRoute

from swarmscope.api.answers import JSON_TYPE, accepts_gzip, envelope, success, to_answer
from swarmscope.api.failures import ApiError
from swarmscope.api.number_text import double_text, timestamp_text
from swarmscope.api.parameters import MAX_TIME_MS, MIN_TIME_MS
from swarmscope.api.prometheus.endpoint import Exchange, ReadPath
from swarmscope.api.prometheus.expressions import selector_matchers
from swarmscope.api.prometheus.label_sets import label_dicts
from swarmscope.api.prometheus.result_json import Rendering, result_chunks, stats_of
from swarmscope.lang.promql import ValueType, parse_promql, to_ast_json, to_pretty, value_type
from swarmscope.model.errors import LimitExceededError, QuerySyntaxError
from swarmscope.model.series import LabelFrame
from swarmscope.query.deadlines import Deadline
from swarmscope.query.promql import QueryRequest, QueryResult

TRUNCATED = "results truncated due to limit"
_BOTH = ("GET", "POST")


def query_routes(path: ReadPath) -> list[BaseRoute]:
    """The endpoints that take a PromQL expression."""
    return [
        path.route("/query", _query, _BOTH),
        path.route("/query_range", _query_range, _BOTH),
        path.route("/query_exemplars", _query_exemplars, _BOTH),
        path.route("/format_query", _format_query, _BOTH),
        path.route("/parse_query", _parse_query, _BOTH),
        path.route("/explain", _explain, _BOTH),
    ]


async def _query(exchange: Exchange) -> Response:
    limit = exchange.parameters.limit()
    time_ms = exchange.parameters.time_ms("time", exchange.path.now_ms())
    engine = exchange.path.parts.engine
    return await _evaluate(exchange, limit, engine.query_instant, (time_ms, time_ms, 1))


async def _query_range(exchange: Exchange) -> Response:
    limit = exchange.parameters.limit()
    parameters = exchange.parameters
    start_ms, end_ms = parameters.time_ms("start"), parameters.time_ms("end")
    if end_ms < start_ms:
        raise ApiError("bad_data", 'invalid parameter "end": end timestamp must not be before start time')
    step_ms = math.floor(parameters.duration_ms("step"))
    if step_ms <= 0:
        reason = "zero or negative query resolution step widths are not accepted. Try a positive integer"
        raise ApiError("bad_data", f'invalid parameter "step": {reason}')
    engine = exchange.path.parts.engine
    try:
        engine.check_points(start_ms, end_ms, step_ms)
    except LimitExceededError as error:
        raise ApiError("bad_data", str(error)) from None
    _refuse_other_than_vectors(parameters.text("query"))
    return await _evaluate(exchange, limit, engine.query_range, (start_ms, end_ms, step_ms))


def _refuse_other_than_vectors(text: str) -> None:
    """A range query of a range vector or a string is a bad request, not a failed evaluation."""
    try:
        kind = value_type(parse_promql(text))
    except QuerySyntaxError as error:
        raise ApiError("bad_data", f'invalid parameter "query": {error}') from None
    if kind in (ValueType.MATRIX, ValueType.STRING):
        raise ApiError(
            "bad_data",
            f'invalid parameter "query": invalid expression type "{kind.documented}" for range query, '
            "must be Scalar or instant Vector",
        )


def _to_request(exchange: Exchange, times_ms: tuple[int, int, int], deadline: Deadline) -> QueryRequest:
    start_ms, end_ms, step_ms = times_ms
    return QueryRequest(
        text=exchange.parameters.text("query"),
        start_ms=start_ms,
        end_ms=end_ms,
        step_ms=step_ms,
        tenant=exchange.parameters.tenant,
        lookback_ms=exchange.lookback_ms(),
        cancellation=deadline,
    )


async def _evaluate(
    exchange: Exchange, limit: int, run: Callable[[QueryRequest], QueryResult], times_ms: tuple[int, int, int]
) -> Response:
    path = exchange.path
    deadline = exchange.deadline()
    query = _to_request(exchange, times_ms, deadline)
    with_stats = bool(exchange.parameters.text("stats"))
    gzip = accepts_gzip(exchange.request)

    def work() -> Response:
        try:
            result = run(query)
        except QuerySyntaxError as error:
            raise ApiError("bad_data", f'invalid parameter "query": {error}') from None
        result, warnings = _limited(result, limit)
        max_bytes = path.settings.max_response_bytes
        rendering = Rendering(path.parts.reader.symbols, path.label_texts, deadline.check, max_bytes)
        data = result_chunks(result, rendering, stats_of(result.stats) if with_stats else None)
        return to_answer(envelope(data, [*result.warnings, *warnings], result.infos), JSON_TYPE, gzip=gzip)

    return await path.queue.run(exchange.request, deadline, work)


def _limited(result: QueryResult, limit: int) -> tuple[QueryResult, list[str]]:
    """The first `limit` series."""
    if not limit or result.labels.n_series <= limit:
        return result, []
    histograms = result.histograms
    return replace(
        result,
        labels=LabelFrame(result.labels.names, result.labels.codes[:, :limit]),
        values=result.values[:limit],
        present=result.present[:limit],
        histograms=None if histograms is None else histograms._replace(cells=histograms.cells[:limit]),
    ), [TRUNCATED]


async def _query_exemplars(exchange: Exchange) -> Response:
    parameters = exchange.parameters
    start_ms = parameters.time_ms("start", MIN_TIME_MS)
    end_ms = parameters.time_ms("end", MAX_TIME_MS)
    if end_ms < start_ms:
        raise ApiError("bad_data", "end timestamp must not be before start timestamp")
    gzip = accepts_gzip(exchange.request)
    deadline = exchange.deadline()

    def work() -> Response:
        data = _exemplars_json(exchange, start_ms, end_ms)
        return to_answer(envelope([data]), JSON_TYPE, gzip=gzip)

    return await exchange.path.queue.run(exchange.request, deadline, work)


def _exemplars_json(exchange: Exchange, start_ms: int, end_ms: int) -> bytes:
    """# Slow path: exemplars are few."""
    parts = exchange.path.parts
    found: dict[int, bytes] = {}
    for matchers in selector_matchers(exchange.parameters.text("query")):
        selection = parts.reader.select_series(exchange.parameters.tenant, matchers, start_ms, end_ms)
        by_series = parts.reader.read_exemplars(selection, start_ms, end_ms).by_series
        places = [place for place in sorted(by_series) if by_series[place]]
        labels = label_dicts(selection.labels, parts.reader.symbols, np.array(places, np.int64))
        for place, label_set in zip(places, labels, strict=True):
            points = [
                b'{"labels":%b,"value":"%b","timestamp":%b}'
                % (
                    orjson.dumps(own, option=orjson.OPT_SORT_KEYS),
                    double_text(value).encode(),
                    timestamp_text(ts_ms).encode(),
                )
                for ts_ms, value, own in by_series[place]
            ]
            head = orjson.dumps(label_set, option=orjson.OPT_SORT_KEYS)
            ref = int(selection.refs[place])
            found[ref] = b'{"seriesLabels":' + head + b',"exemplars":[' + b",".join(points) + b"]}"
    return b"[" + b",".join(sorted(found.values())) + b"]"


async def _format_query(exchange: Exchange) -> Response:
    try:
        return success(to_pretty(parse_promql(exchange.parameters.text("query"))))
    except QuerySyntaxError as error:
        raise ApiError("bad_data", f'invalid parameter "query": {error}') from None


async def _parse_query(exchange: Exchange) -> Response:
    try:
        return success(to_ast_json(parse_promql(exchange.parameters.text("query"))))
    except QuerySyntaxError as error:
        raise ApiError("bad_data", f'invalid parameter "query": {error}') from None


async def _explain(exchange: Exchange) -> Response:
    """What a query would read, and why from there: with `start`, `end` and `step` as a range, else at `time`."""
    parameters = exchange.parameters
    if parameters.text("start"):
        step_ms = max(1, math.floor(parameters.duration_ms("step")))
        times_ms = parameters.time_ms("start"), parameters.time_ms("end"), step_ms
    else:
        time_ms = parameters.time_ms("time", exchange.path.now_ms())
        times_ms = time_ms, time_ms, 1
    deadline = exchange.deadline()
    query = _to_request(exchange, times_ms, deadline)
    return await exchange.path.queue.run(
        exchange.request, deadline, lambda: success(exchange.path.parts.engine.explain(query))
    )
