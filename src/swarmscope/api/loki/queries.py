"""/query and /query_range: a LogQL query's lines or numbers.

Manual: https://grafana.com/docs/loki/latest/reference/loki-http-api/#query-logs-within-a-range-of-time
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import orjson
from numpy.typing import NDArray
from starlette.responses import Response
from starlette.routing import BaseRoute

from swarmscope.api.answers import envelope
from swarmscope.api.label_text import LabelTexts
from swarmscope.api.loki.endpoint import LokiExchange, LokiPath, refuse
from swarmscope.api.loki.log_json import streams_json
from swarmscope.api.loki.parameters import is_backward, limit_of, ordered_range_of, step_of
from swarmscope.api.prometheus.result_json import Rendering, result_chunks
from swarmscope.api.request_times import TimeRange, duration_of, time_of
from swarmscope.lang.logql import LogPipeline, Node, parse_logql
from swarmscope.model.errors import LimitExceededError
from swarmscope.query.deadlines import Deadline
from swarmscope.query.logql.log_answers import LogsRequest, LogsResult
from swarmscope.query.logql.log_query import INSTANT_REFUSAL
from swarmscope.query.logql.metric_queries import MetricRequest, run_metric_query

ENCODING_FLAGS = "x-loki-response-encoding-flags"
CATEGORIZE_LABELS = "categorize-labels"


class Cost(NamedTuple):
    """What an answer cost: lines and bytes read, lines given, seconds."""

    lines: int
    bytes: int
    returned: int
    seconds: float
    waited_s: float = 0.0


def query_routes(path: LokiPath) -> list[BaseRoute]:
    """The endpoints that evaluate LogQL."""
    return [
        path.route("/api/v1/query", _query),
        path.route("/api/v1/query_range", _query_range),
    ]


async def _query(exchange: LokiExchange) -> Response:
    parameters = exchange.parameters
    time_ns = time_of(parameters, "time", exchange.now_ns)
    limit_of(parameters)
    is_backward(parameters)
    if isinstance(parse_logql(parameters.text("query")), LogPipeline):
        raise refuse(INSTANT_REFUSAL)

    def make(deadline: Deadline) -> Sequence[bytes]:
        return _numbers(exchange, TimeRange(time_ns, time_ns), None, deadline)

    return await exchange.chunks(make)


async def _query_range(exchange: LokiExchange) -> Response:
    parameters = exchange.parameters
    span = ordered_range_of(parameters, exchange.now_ns)
    step_ns, limit, backward = step_of(parameters, span), limit_of(parameters), is_backward(parameters)
    interval_ns = duration_of(parameters, "interval", 0)
    if interval_ns < 0:
        raise refuse("interval must be >= 0")
    tree: Node = parse_logql(parameters.text("query"))
    if not isinstance(tree, LogPipeline):
        return await exchange.chunks(lambda deadline: _numbers(exchange, span, step_ns, deadline))
    categorised = _wants_categories(exchange)

    def make(deadline: Deadline) -> Sequence[bytes]:
        began_s = time.perf_counter()
        request = LogsRequest(parameters.text("query"), *span, limit, backward, parameters.tenant, deadline)
        result = exchange.path.parts.engine.query_logs(request)
        if interval_ns:
            result = spaced(result, interval_ns)
        cost = Cost(result.stats.lines, result.stats.bytes, len(result), time.perf_counter() - began_s)
        data = streams_data(result, stats_of(cost), categorised=categorised)
        check_size(data, exchange.path.settings.max_response_bytes)
        return envelope(data)

    return await exchange.chunks(make)


def _wants_categories(exchange: LokiExchange) -> bool:
    flags = exchange.request.headers.get(ENCODING_FLAGS, "")
    return CATEGORIZE_LABELS in (flag.strip() for flag in flags.split(","))


def streams_data(result: LogsResult, stats: Any, *, categorised: bool) -> list[bytes]:
    """The `data` member of lines."""
    flags = b'"encodingFlags":["categorize-labels"],' if categorised else b""
    text = streams_json(result, categorised=categorised)
    return [b'{"resultType":"streams",', flags, b'"result":', text, b',"stats":', orjson.dumps(stats), b"}"]


def spaced(result: LogsResult, interval_ns: int) -> LogsResult:
    """The first line of every stream, and every line that lies at least the interval behind the last kept one."""
    kept = np.zeros(len(result), np.bool_)
    last: dict[int, int] = {}
    # Slow path: an answer has few thousand lines.
    for row, (group, ts_ns) in enumerate(zip(result.group.tolist(), result.ts_ns.tolist(), strict=True)):
        if group not in last or abs(ts_ns - last[group]) >= interval_ns:
            kept[row], last[group] = True, ts_ns
    return taken(result, np.flatnonzero(kept))


def taken(result: LogsResult, rows: NDArray[np.int64]) -> LogsResult:
    """Some lines of a result."""
    return LogsResult(result.ts_ns[rows], result.line.take(rows), result.group[rows], result.labels, result.stats)


def _numbers(exchange: LokiExchange, span: TimeRange, step_ns: int | None, deadline: Deadline) -> Sequence[bytes]:
    began_s = time.perf_counter()
    parts, parameters = exchange.path.parts, exchange.parameters
    request = MetricRequest(parameters.text("query"), *span, step_ns, parameters.tenant, deadline)
    answer = run_metric_query(parts.reader, request, parts.engine.settings)
    result = answer.result
    rendering = Rendering(result.symbols, LabelTexts(), deadline.check, exchange.path.settings.max_response_bytes)
    cost = Cost(answer.lines, answer.line_bytes, result.labels.n_series, time.perf_counter() - began_s)
    return envelope(result_chunks(result, rendering, stats_of(cost)), result.warnings)


def check_size(data: Sequence[bytes], max_bytes: int) -> None:
    """Raise LimitExceededError where an answer is too large."""
    if sum(map(len, data)) > max_bytes:
        raise LimitExceededError(f"the answer is larger than {max_bytes} bytes", limit="query.max_response_bytes")


def stats_of(cost: Cost) -> dict[str, Any]:
    """The `stats` member: the summary that Grafana and logcli show, and the same under the one store there is."""
    seconds = max(cost.seconds, 1e-9)
    chunk = {
        "headChunkBytes": 0,
        "headChunkLines": 0,
        "decompressedBytes": cost.bytes,
        "decompressedLines": cost.lines,
        "compressedBytes": 0,
        "totalDuplicates": 0,
    }
    store = {"totalChunksRef": 0, "totalChunksDownloaded": 0, "chunksDownloadTime": 0, "chunk": chunk}
    reached = {"totalReached": 0, "totalChunksMatched": 0, "totalBatches": 0, "totalLinesSent": 0}
    empty = {**store, "chunk": dict.fromkeys(chunk, 0)}
    return {
        "summary": {
            "bytesProcessedPerSecond": int(cost.bytes / seconds),
            "linesProcessedPerSecond": int(cost.lines / seconds),
            "totalBytesProcessed": cost.bytes,
            "totalLinesProcessed": cost.lines,
            "execTime": cost.seconds,
            "queueTime": cost.waited_s,
            "subqueries": 0,
            "totalEntriesReturned": cost.returned,
            "splits": 1,
            "shards": 1,
            "totalPostFilterLines": cost.returned,
            "totalStructuredMetadataBytesProcessed": 0,
        },
        "querier": {"store": store},
        "ingester": {**reached, "store": empty},
        "cache": {},
        "index": {},
    }
