"""Request parameters as Zipkin reads them: times in milliseconds, durations in microseconds.

Source: https://zipkin.io/zipkin-api/#/default/get_traces
"""

from __future__ import annotations

from swarmscope.api.parameters import Parameters
from swarmscope.api.request_times import NS_PER_MS, TimeRange
from swarmscope.api.traces.endpoint import TraceExchange, refuse, whole_number
from swarmscope.api.traces.search import MAX_DURATION_NS
from swarmscope.api.traces.tag_tests import Tag
from swarmscope.api.traces.trace_ids import parse_trace_id

DEFAULT_LIMIT = 10
DEFAULT_LOOKBACK_MS = 86_400_000
_NS_PER_US = 1_000
_MAX_TIME_NS = 1 << 62


def asked_range(exchange: TraceExchange) -> TimeRange:
    """`lookback` before `endTs`, both in milliseconds, the millisecond at the end included."""
    end_ms = _positive(exchange.parameters, "endTs", exchange.now_ns // NS_PER_MS)
    lookback_ms = _positive(exchange.parameters, "lookback", DEFAULT_LOOKBACK_MS)
    end_ns = min((end_ms + 1) * NS_PER_MS, _MAX_TIME_NS)
    return TimeRange(max(0, min(end_ms - lookback_ms, _MAX_TIME_NS // NS_PER_MS)) * NS_PER_MS, end_ns)


def limit_of(parameters: Parameters) -> int:
    """How many traces at most."""
    return _positive(parameters, "limit", DEFAULT_LIMIT)


def _positive(parameters: Parameters, name: str, default: int) -> int:
    text = parameters.text(name)
    number = whole_number(text, name) if text else default
    if number <= 0:
        raise refuse(f"{name} <= 0")
    return number


def durations_of(parameters: Parameters) -> tuple[int, int] | None:
    """`minDuration` and `maxDuration` in nanoseconds; None where neither is given."""
    least, most = (parameters.text(name) for name in ("minDuration", "maxDuration"))
    if not least and not most:
        return None
    least_us = _positive(parameters, "minDuration", 0) if least else 0
    if most and not least:
        raise refuse("maxDuration is only valid with minDuration")
    # A span of 1,999 ns is one of 1 µs.
    most_ns = (_positive(parameters, "maxDuration", 0) + 1) * _NS_PER_US - 1 if most else MAX_DURATION_NS
    if most_ns < least_us * _NS_PER_US:
        raise refuse("maxDuration < minDuration")
    return least_us * _NS_PER_US, most_ns


def annotation_query(text: str) -> tuple[Tag, ...]:
    """`error and http.method=GET`: tags with a value, or names of tags or annotations, all of which are wanted."""
    found = []
    for clause in text.split(" and "):
        name, equals, value = clause.strip().partition("=")
        if name:
            found.append(Tag(name, (value,) if equals else None))
    return tuple(found)


def trace_id_of(text: str) -> bytes:
    """One id. Raises ApiError."""
    try:
        return parse_trace_id(text.strip())
    except ValueError as error:
        raise refuse(f"{text} should be a 1 to 32 character lower-hex string: {error}") from None
