"""Request parameters as Jaeger reads them: times in microseconds or milliseconds, Go's durations, tags.

Source: https://www.jaegertracing.io/docs/latest/architecture/apis/#http-json
"""

from __future__ import annotations

from typing import Any

import orjson

from swarmscope.api.parameters import Parameters
from swarmscope.api.request_times import NS_PER_MS, NS_PER_S, TimeRange, parse_duration_ns, parse_time_ns
from swarmscope.api.traces.endpoint import TraceExchange, refuse, whole_number
from swarmscope.api.traces.search import MAX_DURATION_NS, TraceQuery
from swarmscope.api.traces.tag_tests import Tag
from swarmscope.api.traces.trace_ids import parse_trace_id
from swarmscope.model.jaeger_conventions import EVENT_NAME

EVER = TimeRange(-(1 << 62), 1 << 62)
DEFAULT_LIMIT = 100
_DAY_NS = 86_400 * NS_PER_S
_DEFAULT_LOOKBACK_NS = 2 * _DAY_NS
_NS_PER_US = 1_000
_MAX_TIME_NS = 1 << 62
# Numbers of seconds, milliseconds and microseconds since 1970 lie apart from 1975 on until the year 5138.
_LEAST_MS, _LEAST_US, _LEAST_NS = 10**11, 10**14, 10**17


def moment_ns(parameters: Parameters, name: str, default_ns: int) -> int:
    """A time in microseconds, as Jaeger has it; clients that send milliseconds or nanoseconds are understood."""
    text = parameters.text(name)
    if not text:
        return default_ns
    number = whole_number(text, name)
    if abs(number) >= _LEAST_NS:
        time_ns = number
    else:
        time_ns = number * (_NS_PER_US if abs(number) >= _LEAST_US or abs(number) < _LEAST_MS else NS_PER_MS)
    return min(max(time_ns, -_MAX_TIME_NS), _MAX_TIME_NS)


def given_range(parameters: Parameters) -> TimeRange:
    """`start` and `end` where they are given."""
    return TimeRange(moment_ns(parameters, "start", EVER.start_ns), moment_ns(parameters, "end", EVER.end_ns))


def duration_ns(text: str, name: str) -> int:
    """A duration as Go spells it: `1.5s`, `100ms`. Raises ApiError."""
    if not text[-1:].isalpha() and text != "0":
        raise refuse(f"unable to parse param '{name}': time: missing unit in duration \"{text}\"")
    try:
        return parse_duration_ns(text)
    except ValueError as error:
        raise refuse(f"unable to parse param '{name}': {error}") from None


def durations_of(least: tuple[str, str], most: tuple[str, str]) -> tuple[int, int] | None:
    """The bounds of durations, each a name and a text; None where neither is given."""
    least_ns, most_ns = (duration_ns(text, name) if text else 0 for name, text in (least, most))
    if least_ns and most_ns and most_ns < least_ns:
        raise refuse(f"'{most[0]}' should be greater than '{least[0]}'")
    # Zero is no bound, as in Jaeger.
    return (least_ns, most_ns or MAX_DURATION_NS) if least_ns or most_ns else None


def trace_query(exchange: TraceExchange) -> TraceQuery:
    """What /api/traces asks for. Raises ApiError."""
    parameters = exchange.parameters
    if not parameters.text("service"):
        raise refuse("parameter 'service' is required")
    end_ns = moment_ns(parameters, "end", exchange.now_ns)
    start_ns = moment_ns(parameters, "start", end_ns - _lookback_ns(parameters))
    if start_ns > end_ns:
        raise refuse("invalid parameter: start time must be before end time")
    operation = parameters.text("operation")
    least, most = (("minDuration", parameters.text("minDuration")), ("maxDuration", parameters.text("maxDuration")))
    return TraceQuery(
        start_ns=start_ns,
        end_ns=end_ns + _NS_PER_US,  # what began within the last microsecond is wanted too
        limit=min(limit_of(parameters.text("limit"), "limit"), exchange.parts.settings.max_traces),
        services=(parameters.text("service"),),
        names=(operation,) if operation else None,
        durations_ns=durations_of(least, most),
        tags=_tags(parameters),
        event_name=EVENT_NAME,
    )


def limit_of(text: str, name: str) -> int:
    """How many traces at most; Jaeger's default where nothing is said."""
    limit = whole_number(text, name) if text else DEFAULT_LIMIT
    if limit <= 0:
        raise refuse(f"invalid parameter: {name} must be greater than 0")
    return limit


def _lookback_ns(parameters: Parameters) -> int:
    """`lookback` as Jaeger's UI sends it beside the times: `1h`, `2d`, `custom`."""
    text = parameters.text("lookback")
    return duration_ns(text, "lookback") if text not in ("", "custom") else _DEFAULT_LOOKBACK_NS


def trace_ids(parameters: Parameters) -> list[bytes]:
    """`traceID`, any number of them."""
    try:
        return list(dict.fromkeys(parse_trace_id(text) for text in parameters.texts("traceID")))
    except ValueError as error:
        raise refuse(f"cannot parse traceID param: {error}") from None


def _tags(parameters: Parameters) -> tuple[Tag, ...]:
    """`tag` as `key:value`, `tags` as a JSON object."""
    wanted: dict[str, str] = {}
    for text in parameters.texts("tag"):
        name, colon, value = text.partition(":")
        if not colon:
            raise refuse(f"malformed 'tag' parameter, expecting key:value, received: {text}")
        wanted[name] = value
    for text in parameters.texts("tags"):
        wanted |= json_tags(text, "malformed 'tags' parameter, cannot unmarshal JSON")
    return tuple(Tag(name, (value,)) for name, value in wanted.items())


def json_tags(text: str, complaint: str) -> dict[str, str]:
    """An object of tags; Grafana and others send numbers and booleans as they are. Raises ApiError."""
    try:
        found: Any = orjson.loads(text or "{}")
    except orjson.JSONDecodeError as error:
        raise refuse(f"{complaint}: {error}") from None
    if not isinstance(found, dict) or any(isinstance(value, dict | list) for value in found.values()):
        raise refuse(f"{complaint}: an object of texts is expected")
    return {
        name: value if isinstance(value, str) else orjson.dumps(value).decode()
        for name, value in found.items()
        if value is not None
    }


def ms_of(parameters: Parameters, name: str, default_ms: int) -> int:
    """A time or a length of time in milliseconds."""
    text = parameters.text(name)
    return whole_number(text, name) if text else default_ms


def dependency_range(exchange: TraceExchange) -> TimeRange:
    """`lookback` before `endTs`, both in milliseconds; times in microseconds are understood."""
    end_ns = moment_ns(exchange.parameters, "endTs", exchange.now_ns)
    lookback_ns = ms_of(exchange.parameters, "lookback", _DAY_NS // NS_PER_MS) * NS_PER_MS
    return TimeRange(max(end_ns - lookback_ns, EVER.start_ns), end_ns + 1)


def rfc3339_ns(parameters: Parameters, names: tuple[str, ...], default_ns: int | None) -> int:
    """The first of these parameters that is given, a time as in RFC 3339; without a default it has to be there."""
    name, text = first_given(parameters, names)
    if not text:
        if default_ns is None:
            raise refuse(f"{name} is required")
        return default_ns
    try:
        return parse_time_ns(text)
    except ValueError as error:
        raise refuse(f"malformed parameter {name}: {error}") from None


def first_given(parameters: Parameters, names: tuple[str, ...]) -> tuple[str, str]:
    """Name and text of the first of these parameters that is given; the first name and "" where none is."""
    return next(((name, text) for name in names if (text := parameters.text(name))), (names[0], ""))
