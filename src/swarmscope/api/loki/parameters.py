"""Request parameters as Loki reads them: times in nanoseconds, steps, limits, directions.

Source: https://grafana.com/docs/loki/latest/reference/loki-http-api/#timestamps
"""

from __future__ import annotations

import math
import re
from typing import NamedTuple

from swarmscope.api.failures import ApiError
from swarmscope.api.parameters import Parameters, parse_duration_ms, parse_time_ms

NS_PER_MS = 1_000_000
NS_PER_S = 1_000_000_000
DEFAULT_SINCE_NS = 3_600 * NS_PER_S
DEFAULT_LIMIT = 100
# Loki gives a range query about so many steps where it is not told how many.
_DEFAULT_STEPS = 250
# Whole numbers with more digits are nanoseconds.
_MAX_SECONDS_DIGITS = 10
_MAX_TIME_NS = 1 << 62
_INTEGER = re.compile(r"[+-]?\d+", re.ASCII)
_FLOAT = re.compile(r"[+-]?(\d+\.\d*|\.\d+|\d+(\.\d*)?[eE][+-]?\d+)", re.ASCII)
_FRACTION = re.compile(r"(T\d\d:\d\d:\d\d)[.,](\d+)", re.ASCII)
_GO_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ns|us|µs|ms|s|m|h|d|w)", re.ASCII)
_UNIT_NS = {
    "ns": 1, "us": 1_000, "µs": 1_000, "ms": NS_PER_MS, "s": NS_PER_S, "m": 60 * NS_PER_S, "h": 3_600 * NS_PER_S,
    "d": 86_400 * NS_PER_S, "w": 7 * 86_400 * NS_PER_S,
}  # fmt: skip


class TimeRange(NamedTuple):
    """A range of time in Unix nanoseconds."""

    start_ns: int
    end_ns: int


def parse_time_ns(text: str) -> int:
    """Unix nanoseconds or seconds as a whole number, seconds with a fraction, or RFC 3339. Raises ValueError."""
    if _INTEGER.fullmatch(text):
        number = int(text)
        time_ns = number * NS_PER_S if len(text) <= _MAX_SECONDS_DIGITS else number
    elif _FLOAT.fullmatch(text):
        seconds = float(text)
        whole = math.floor(seconds)
        time_ns = whole * NS_PER_S + round((seconds - whole) * 1000) * NS_PER_MS
    else:
        time_ns = _rfc3339_ns(text)
    return min(max(time_ns, -_MAX_TIME_NS), _MAX_TIME_NS)


def _rfc3339_ns(text: str) -> int:
    found = _FRACTION.search(text)
    whole = text if found is None else text.replace(found.group(), found.group(1), 1)
    digits = "" if found is None else found.group(2)[:9]
    return parse_time_ms(whole) * NS_PER_MS + int(digits.ljust(9, "0"))


def parse_duration_ns(text: str) -> int:
    """Seconds as a number, or units as in `1h30m`, `1.5s`. Raises ValueError."""
    try:
        return round(parse_duration_ms(text) * NS_PER_MS)
    except ValueError:
        parts = _GO_DURATION.findall(text)
        if not parts or "".join(number + unit for number, unit in parts) != text:
            raise
        return round(sum(float(number) * _UNIT_NS[unit] for number, unit in parts))


def time_of(parameters: Parameters, name: str, default_ns: int) -> int:
    """One time."""
    text = parameters.text(name)
    if not text:
        return default_ns
    try:
        return parse_time_ns(text)
    except ValueError as error:
        raise ApiError("bad_data", f"could not parse '{name}' parameter: {error}") from None


def duration_of(parameters: Parameters, name: str, default_ns: int) -> int:
    """One duration."""
    text = parameters.text(name)
    if not text:
        return default_ns
    try:
        return parse_duration_ns(text)
    except ValueError as error:
        raise ApiError("bad_data", f"could not parse '{name}' parameter: {error}") from None


def range_of(parameters: Parameters, now_ns: int) -> TimeRange:
    """`start` and `end`; without a start, `since` before the end (or now, where the end is yet to come)."""
    end_ns = time_of(parameters, "end", now_ns)
    since_ns = duration_of(parameters, "since", DEFAULT_SINCE_NS)
    start_ns = time_of(parameters, "start", min(end_ns, now_ns) - since_ns)
    return TimeRange(start_ns, end_ns)


def ordered_range_of(parameters: Parameters, now_ns: int) -> TimeRange:
    """As `range_of`; refuses an end that is not behind the start."""
    found = range_of(parameters, now_ns)
    if found.end_ns <= found.start_ns:
        raise ApiError("bad_data", "end timestamp must not be before or equal to start time")
    return found


def step_of(parameters: Parameters, span: TimeRange) -> int:
    """`step` in nanoseconds; by default a 250th of the range in whole seconds."""
    default_ns = max((span.end_ns - span.start_ns) // NS_PER_S // _DEFAULT_STEPS, 1) * NS_PER_S
    step_ns = duration_of(parameters, "step", default_ns)
    if step_ns <= 0:
        raise ApiError(
            "bad_data", "zero or negative query resolution step widths are not accepted. Try a positive integer"
        )
    return step_ns


def limit_of(parameters: Parameters, default: int = DEFAULT_LIMIT) -> int:
    """`limit`, at least 1."""
    text = parameters.text("limit")
    if not text:
        return default
    if not _INTEGER.fullmatch(text):
        raise ApiError("bad_data", f"could not parse 'limit' parameter: {text!r} is not a whole number")
    if int(text) <= 0:
        raise ApiError("bad_data", "limit must be a positive value")
    return int(text)


def is_backward(parameters: Parameters) -> bool:
    """`direction`: newest lines first unless `forward` is asked for."""
    text = parameters.text("direction", "backward").lower() or "backward"
    if text not in ("backward", "forward"):
        raise ApiError("bad_data", f"invalid direction {text!r}")
    return text == "backward"
