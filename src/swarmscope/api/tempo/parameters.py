"""Request parameters as Tempo reads them: ranges, limits, the older search by tags.

Source: https://grafana.com/docs/tempo/latest/api_docs/#search
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from swarmscope.api.failures import ApiError
from swarmscope.api.parameters import Parameters
from swarmscope.api.request_times import NS_PER_S, TimeRange, duration_of, time_of
from swarmscope.lang.traceql.registry import STATUSES

DEFAULT_SINCE_NS = 3_600 * NS_PER_S
_MAX_TIME_NS = 1 << 62
EVER = TimeRange(-_MAX_TIME_NS, _MAX_TIME_NS)
# Steps that a client gets who does not choose one: the first that gives so many points or fewer.
_MOST_STEPS = 250
_STEPS_S = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1_800, 3_600, 7_200, 21_600, 86_400)
# Tags that older clients send for what is no attribute.
_INTRINSIC_TAGS = {"name": "name", "root.name": "rootName", "root.service.name": "rootServiceName"}
_NUMBER = re.compile(r"-?\d+(\.\d+)?", re.ASCII)
_INTEGER = re.compile(r"[+-]?\d+", re.ASCII)
_PAIR = re.compile(r'\s*([^\s="]+)(?:=(?:"((?:[^"\\]|\\.)*)"|([^\s"=]*)))?(?=\s|$)')
_MAX_DIGITS = 40  # more than 64 bits need; Python reads no more than 4,300
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)


def given_range(parameters: Parameters) -> TimeRange | None:
    """`start` and `end`; None where neither is given. One of them alone leaves the other side open.

    0 stands for a time that is not given, as in Tempo.
    """
    has_start, has_end = (parameters.text(name) not in ("", "0") for name in ("start", "end"))
    if not has_start and not has_end:
        return None
    start_ns = time_of(parameters, "start", EVER.start_ns) if has_start else EVER.start_ns
    end_ns = _end_of_second(parameters, time_of(parameters, "end", EVER.end_ns)) if has_end else EVER.end_ns
    if start_ns >= end_ns:
        raise _reversed(parameters)
    return TimeRange(start_ns, end_ns)


def _reversed(parameters: Parameters) -> ApiError:
    start, end = parameters.text("start"), parameters.text("end")
    return ApiError("bad_data", f"http parameter start must be before end. received start={start} end={end}")


def _end_of_second(parameters: Parameters, end_ns: int) -> int:
    """An end in whole seconds includes that second: what began in it would be lost otherwise."""
    text = parameters.text("end")
    in_seconds = bool(_INTEGER.fullmatch(text)) and end_ns == int(text) * NS_PER_S
    return end_ns + NS_PER_S if in_seconds else end_ns


def search_ranges(parameters: Parameters, now_ns: int) -> tuple[TimeRange, ...]:
    """Where to look, in this order until something is found: without times the recent past, then everything."""
    found = given_range(parameters)
    return (TimeRange(now_ns - DEFAULT_SINCE_NS, EVER.end_ns), EVER) if found is None else (found,)


def metrics_range(parameters: Parameters, now_ns: int) -> TimeRange:
    """`start` and `end`, or `since` before the end; by default the last hour."""
    end_ns = time_of(parameters, "end", now_ns)
    start_ns = time_of(parameters, "start", end_ns - duration_of(parameters, "since", DEFAULT_SINCE_NS))
    if start_ns >= end_ns:
        raise _reversed(parameters)
    return TimeRange(start_ns, end_ns)


def step_of(parameters: Parameters, span: TimeRange) -> int:
    """`step` in nanoseconds; by default a round one for at most 250 points."""
    wanted_ns = (span.end_ns - span.start_ns) // _MOST_STEPS
    rounds = (step_s * NS_PER_S for step_s in _STEPS_S)
    default_ns = next((step_ns for step_ns in rounds if step_ns >= wanted_ns), wanted_ns)
    step_ns = duration_of(parameters, "step", default_ns)
    if step_ns <= 0:
        raise ApiError("bad_data", "invalid step: must be greater than 0")
    return step_ns


def count_of(parameters: Parameters, name: str, default: int, *, least: int = 1) -> int:
    """A whole number."""
    text = parameters.text(name)
    if not text:
        return default
    if not _INTEGER.fullmatch(text):
        raise ApiError("bad_data", f"invalid {name}: {text!r} is not a whole number")
    if len(text) > _MAX_DIGITS:
        raise ApiError("bad_data", f"invalid {name}: out of range")
    if int(text) < least:
        raise ApiError("bad_data", f"invalid {name}: must be a {'positive' if least else 'non-negative'} number")
    return int(text)


def query_of(parameters: Parameters) -> str:
    """`q`, or TraceQL for the older search by `tags`, `minDuration` and `maxDuration`."""
    if query := parameters.text("q"):
        return query
    # Each tag may be on a span of its own.
    filters = [_condition(name, value) for name, value in _tags(parameters)]
    for name, op in (("minDuration", ">="), ("maxDuration", "<=")):
        if parameters.text(name):
            filters.append(f"traceDuration {op} {duration_of(parameters, name, 0)}ns")
    return " && ".join(f"{{ {each} }}" for each in filters) or "{ }"


def _condition(name: str, value: str) -> str:
    """One tag: its value holds the text, in upper or lower case, or is the number or boolean that it spells."""
    contains = f"=~ {_quoted(f'(?is).*{_literal(value)}.*')}"
    if name in _INTRINSIC_TAGS:
        return f"{_INTRINSIC_TAGS[name]} {contains}"
    if name == "status.code" and value in STATUSES:
        return f"status = {value}"
    if name == "error" and value == "true":
        return "status = error"
    attribute = f".{_quoted(name)}"
    spelled = _NUMBER.fullmatch(value) or value in ("true", "false")
    return f"{attribute} {contains}" + (f" || {attribute} = {value}" if spelled else "")


def _tags(parameters: Parameters) -> Iterator[tuple[str, str]]:
    """The pairs of `tags` in logfmt."""
    text = parameters.text("tags").strip()
    seen: set[str] = set()
    at = 0
    while at < len(text):
        found = _PAIR.match(text, at)
        if found is None:
            raise ApiError("bad_data", f"invalid tags: unexpected {text[at : at + 1]!r} at pos {at + 1}")
        name, quoted, bare = found.groups()
        if name in seen:
            raise ApiError("bad_data", f"invalid tags: tag {name} has been set twice")
        seen.add(name)
        yield name, _ESCAPED.sub(r"\1", quoted) if quoted is not None else bare or ""
        at = found.end()


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _literal(text: str) -> str:
    """A regex for the text itself."""
    return re.sub(r"([^\w\s])", r"\\\1", text, flags=re.ASCII)
