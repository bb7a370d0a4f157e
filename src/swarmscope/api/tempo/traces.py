"""/api/traces/<id> and /api/v2/traces/<id>: one trace with all its spans.

Manual: https://grafana.com/docs/tempo/latest/api_docs/#query
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import orjson
from opentelemetry.proto.trace.v1 import trace_pb2
from starlette.responses import Response
from starlette.routing import BaseRoute

from swarmscope.api.answers import JSON_TYPE
from swarmscope.api.request_times import TimeRange
from swarmscope.api.tempo.endpoint import PROTOBUF_TYPE, TempoExchange, TempoPath, Work, refuse
from swarmscope.api.tempo.messages import message_class
from swarmscope.api.tempo.parameters import given_range
from swarmscope.api.tempo.span_filter import chosen_spans
from swarmscope.api.tempo.trace_json import resource_spans_json
from swarmscope.api.tempo.trace_rows import count_orphans, fitted
from swarmscope.api.traces.otlp import to_traces_data
from swarmscope.api.traces.trace_ids import parse_trace_id
from swarmscope.api.traces.whole_traces import whole_traces
from swarmscope.lang.traceql import parse_spanset_filter
from swarmscope.lang.traceql.nodes import SpansetFilter
from swarmscope.model.contracts import ReadBudget
from swarmscope.model.logs import TRACE_ID_BYTES
from swarmscope.model.spans import SpanRows
from swarmscope.query.deadlines import Deadline

_COMPLETE, _PARTIAL = 0, 1
_BOOLEANS = {"true": True, "1": True, "t": True, "false": False, "0": False, "f": False}
_HEX = frozenset("0123456789abcdefABCDEF")


class FoundTrace(NamedTuple):
    """A whole trace; `message` says what is missing of it, "" where nothing is known to be."""

    data: trace_pb2.TracesData
    message: str


def trace_routes(path: TempoPath) -> list[BaseRoute]:
    """The endpoints that give one trace."""
    return [
        path.route("/api/traces/{name}", _trace_v1, ("GET",)),
        path.route("/api/v2/traces/{name}", _trace_v2, ("GET",)),
    ]


def given_trace_id(text: str) -> bytes:
    """TRACE_ID_BYTES, as Tempo reads and refuses them. Raises ApiError."""
    try:
        return parse_trace_id(text)
    except ValueError:
        if len(text) > 2 * TRACE_ID_BYTES:
            raise refuse("trace IDs can't be larger than 128 bits") from None
        wrong = next((place for place, letter in enumerate(text) if letter not in _HEX), None)
        if wrong is None:
            raise refuse("a trace ID has at least one hex character") from None
        raise refuse(
            f"trace IDs can only contain hex characters: invalid character '{text[wrong]}' at position {wrong + 1}"
        ) from None


class Question(NamedTuple):
    """A trace that must have a span in the range, and which of its spans are wanted."""

    trace_id: bytes
    range_ns: TimeRange | None = None
    chosen: SpansetFilter = SpansetFilter()
    with_ancestors: bool = True


def find_trace(exchange: TempoExchange, question: Question, budget: ReadBudget) -> FoundTrace:
    """The trace. Raises ApiError where there is none, or none with a span in the range."""
    reader, settings = exchange.parts.reader, exchange.path.settings
    range_ns = question.range_ns
    wanted = np.frombuffer(question.trace_id, np.uint8).reshape(1, TRACE_ID_BYTES)
    rows = whole_traces(reader, exchange.tenant, wanted, budget, settings.max_whole_spans)
    if not len(rows) or (range_ns is not None and not _touches(rows, range_ns)):
        raise refuse("trace not found", 404)
    budget.cancellation.check()
    wanted_rows = chosen_spans(rows, question.chosen, reader, with_ancestors=question.with_ancestors)
    kept, left_out = fitted(wanted_rows, settings.max_trace_bytes)
    data = to_traces_data(kept, reader.resources(), reader.scopes())
    told = []
    if left_out:
        limit = settings.max_trace_bytes
        told.append(f"trace exceeds the maximum size ({limit} bytes, query.max_trace_bytes), {left_out} of its "
                    f"{len(rows)} spans are left out")  # fmt: skip
    if orphans := count_orphans(rows):
        told.append(f"{orphans} of its {len(rows)} spans name a parent that is not here")
    return FoundTrace(data, "; ".join(told))


def _touches(rows: SpanRows, range_ns: TimeRange) -> bool:
    end_ns = rows.start_ns + np.maximum(rows.duration_ns, 0)
    return bool(((rows.start_ns < range_ns.end_ns) & (end_ns >= range_ns.start_ns)).any())


async def _trace_v1(exchange: TempoExchange) -> Response:
    return await _answer(exchange, _json_v1, lambda found: found.data.SerializeToString())


async def _trace_v2(exchange: TempoExchange) -> Response:
    return await _answer(exchange, trace_json_v2, _protobuf_v2, filtered=True)


async def _answer(
    exchange: TempoExchange,
    to_json: Callable[[FoundTrace], dict[str, Any]],
    to_bytes: Callable[[FoundTrace], bytes],
    *,
    filtered: bool = False,
) -> Response:
    question = _question(exchange, filtered=filtered)
    protobuf = exchange.wants_protobuf

    def make(deadline: Deadline) -> Sequence[bytes]:
        found = find_trace(exchange, question, exchange.exchange.budget(deadline))
        deadline.check()
        return [to_bytes(found) if protobuf else orjson.dumps(to_json(found))]

    content_type = PROTOBUF_TYPE if protobuf else JSON_TYPE
    return await exchange.exchange.chunks(make, exchange.exchange.deadline(), content_type)


def _question(exchange: TempoExchange, *, filtered: bool) -> Question:
    """What is asked for; `filtered`: `q` and `keep_hierarchy` are read too. Raises ApiError and QuerySyntaxError."""
    parameters = exchange.parameters
    found = Question(given_trace_id(exchange.name), given_range(parameters))
    if not filtered or not parameters.text("q").strip():
        return found
    keep = parameters.text("keep_hierarchy", "true") or "true"
    if keep.lower() not in _BOOLEANS:
        raise refuse(f"invalid keep_hierarchy: {keep!r} is neither true nor false")
    return found._replace(chosen=parse_spanset_filter(parameters.text("q")), with_ancestors=_BOOLEANS[keep.lower()])


def _json_v1(found: FoundTrace) -> dict[str, Any]:
    return {"batches": resource_spans_json(found.data)}


def trace_work(exchange: TempoExchange) -> Work:
    """The trace that is asked for, in the second version's form. Raises ApiError."""
    question = Question(given_trace_id(exchange.name))

    def make(budget: ReadBudget) -> dict[str, Any]:
        return trace_json_v2(find_trace(exchange, question, budget))

    return make


def trace_json_v2(found: FoundTrace) -> dict[str, Any]:
    """The trace with what is missing of it."""
    answer: dict[str, Any] = {"trace": {"resourceSpans": resource_spans_json(found.data)}, "metrics": {}}
    answer["status"] = "PARTIAL" if found.message else "COMPLETE"
    return answer | {"message": found.message} if found.message else answer


def _protobuf_v2(found: FoundTrace) -> bytes:
    message = message_class("TraceByIDResponse")(
        trace=found.data.SerializeToString(), status=_PARTIAL if found.message else _COMPLETE, message=found.message
    )
    encoded: bytes = message.SerializeToString()
    return encoded
