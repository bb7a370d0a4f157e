"""/query, /query_range, /query_exemplars, /format_query, /parse_query.

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
from swarmscope.api.engine import QueryAnswer, QueryOptions
from swarmscope.api.failures import ApiError
from swarmscope.api.number_text import double_text, timestamp_text
from swarmscope.api.parameters import MAX_TIME_MS, MIN_TIME_MS
from swarmscope.api.prometheus.endpoint import Exchange, ReadPath
from swarmscope.api.prometheus.expressions import selector_matchers
from swarmscope.api.prometheus.label_sets import label_dicts
from swarmscope.api.prometheus.result_json import Rendering, result_chunks
from swarmscope.lang.promql import ValueType, parse_promql, to_ast_json, to_pretty, value_type
from swarmscope.model.errors import QuerySyntaxError
from swarmscope.model.metrics import HistogramColumns
from swarmscope.model.series import LabelFrame, SampleColumns
from swarmscope.query.histograms.rows import from_columns, take_rows, to_columns

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
    ]


async def _query(exchange: Exchange) -> Response:
    limit = exchange.parameters.limit()
    time_ms = exchange.parameters.time_ms("time", exchange.path.now_ms())
    text = exchange.parameters.text("query")
    engine = exchange.path.parts.engine
    return await _evaluate(exchange, limit, lambda options: engine.query_instant(text, time_ms, options))


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
    points = exchange.path.settings.max_points_per_series
    # Prometheus compares the whole quotient, so a range of exactly `points` steps passes.
    if (end_ms - start_ms) // step_ms > points:
        raise ApiError(
            "bad_data",
            f"exceeded maximum resolution of {points:,} points per timeseries. "
            "Try decreasing the query resolution (?step=XX)",
        )
    text = parameters.text("query")
    _refuse_other_than_vectors(text)
    engine = exchange.path.parts.engine
    return await _evaluate(
        exchange, limit, lambda options: engine.query_range(text, start_ms, end_ms, step_ms, options)
    )


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


async def _evaluate(exchange: Exchange, limit: int, run: Callable[[QueryOptions], QueryAnswer]) -> Response:
    path = exchange.path
    deadline = exchange.deadline()
    lookback_ms = exchange.lookback_ms()
    options = QueryOptions(exchange.parameters.tenant, deadline, path.settings.max_samples, lookback_ms)
    with_stats = bool(exchange.parameters.text("stats"))
    gzip = accepts_gzip(exchange.request)

    def work() -> Response:
        try:
            answer = run(options)
        except QuerySyntaxError as error:
            raise ApiError("bad_data", f'invalid parameter "query": {error}') from None
        answer, warnings = _limited(answer, limit)
        if not with_stats:
            answer = replace(answer, stats={})
        max_bytes = path.settings.max_response_bytes
        rendering = Rendering(path.parts.reader.symbols, path.label_texts, deadline.check, max_bytes)
        data = result_chunks(answer, rendering)
        return to_answer(envelope(data, [*answer.warnings, *warnings], answer.infos), JSON_TYPE, gzip=gzip)

    return await path.queue.run(exchange.request, deadline, work)


def _limited(answer: QueryAnswer, limit: int) -> tuple[QueryAnswer, list[str]]:
    """The first `limit` series."""
    if not limit or answer.labels is None or answer.labels.n_series <= limit:
        return answer, []
    samples = answer.samples
    if samples is not None:
        samples = SampleColumns(samples.offsets[: limit + 1], samples.ts_ms, samples.value)
    return replace(
        answer,
        labels=LabelFrame(answer.labels.names, answer.labels.codes[:, :limit]),
        values=None if answer.values is None else answer.values[:limit],
        present=None if answer.present is None else answer.present[:limit],
        samples=samples,
        histograms=None if answer.histograms is None else _first_series(answer.histograms, limit),
    ), [TRUNCATED]


def _first_series(histograms: HistogramColumns, limit: int) -> HistogramColumns:
    """The histograms of the first series; rows are sorted by series, so they are the first rows."""
    kept = np.arange(int(np.searchsorted(histograms.series, limit)))
    rows = take_rows(from_columns(histograms), kept)
    return to_columns(rows, histograms.series[kept], histograms.ts_ms[kept])


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
