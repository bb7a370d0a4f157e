"""Request parameters that are times and lengths of time, in nanoseconds, as Grafana's databases read them.

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
# Whole numbers with more digits are nanoseconds.
_MAX_SECONDS_DIGITS = 10
_MAX_TIME_NS = 1 << 62
_LONGEST_SHOWN = 40
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
        if math.isinf(seconds):
            raise ValueError(f"{text[:_LONGEST_SHOWN]!r} is out of range")
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
        duration_ns = parse_duration_ms(text) * NS_PER_MS
    except ValueError:
        parts = _GO_DURATION.findall(text)
        if not parts or "".join(number + unit for number, unit in parts) != text:
            raise
        duration_ns = sum(float(number) * _UNIT_NS[unit] for number, unit in parts)
    if abs(duration_ns) > _MAX_TIME_NS:
        raise ValueError(f"{text[:_LONGEST_SHOWN]!r} is out of range")
    return round(duration_ns)


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
