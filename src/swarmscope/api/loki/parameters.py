"""Request parameters as Loki reads them: times in nanoseconds, steps, limits, directions.

Source: https://grafana.com/docs/loki/latest/reference/loki-http-api/#timestamps
"""

from __future__ import annotations

import re

from swarmscope.api.failures import ApiError
from swarmscope.api.parameters import Parameters
from swarmscope.api.request_times import NS_PER_S, TimeRange, duration_of, time_of

DEFAULT_SINCE_NS = 3_600 * NS_PER_S
DEFAULT_LIMIT = 100
# Loki gives a range query about so many steps where it is not told how many.
_DEFAULT_STEPS = 250
_INTEGER = re.compile(r"[+-]?\d+", re.ASCII)


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
