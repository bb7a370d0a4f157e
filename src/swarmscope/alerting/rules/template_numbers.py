"""Numbers as Prometheus' templates print them.

Source: https://prometheus.io/docs/prometheus/latest/configuration/template_reference/
"""

from __future__ import annotations

import math

from swarmscope.lang.promql.go_numbers import text_number
from swarmscope.lang.templates.errors import TemplateFailedError
from swarmscope.lang.templates.go_durations import Duration
from swarmscope.lang.templates.moments import Moment

_LARGE, _SMALL = ("k", "M", "G", "T", "P", "E", "Z", "Y"), ("m", "u", "n", "p", "f", "a", "z", "y")
_NS_PER_MS = 1_000_000
_LONGEST_S = (1 << 63) / 1e9


def to_float(value: object) -> float:
    """A number, or a text that is one. Raises TemplateFailedError."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise TemplateFailedError(f"can't convert {type(value).__name__} to float")
    try:
        return float(value)
    except ValueError:
        raise TemplateFailedError(f"{value!r} is no number") from None


def short(value: float) -> str:
    """Four significant digits."""
    return f"{value:.4g}" if math.isfinite(value) else text_number(value)


def _scaled_up(value: float, base: float, prefixes: tuple[str, ...]) -> str:
    prefix = ""
    for each in prefixes:
        if abs(value) < base:
            break
        prefix, value = each, value / base
    return short(value) + prefix


def _scaled_down(value: float) -> str:
    prefix = ""
    for each in _SMALL:
        if abs(value) >= 1:
            break
        prefix, value = each, value * 1000
    return short(value) + prefix


def humanize(given: object) -> str:
    """With a metric prefix."""
    value = to_float(given)
    if value == 0 or not math.isfinite(value):
        return short(value)
    return _scaled_up(value, 1000, _LARGE) if abs(value) >= 1 else _scaled_down(value)


def humanize_1024(given: object) -> str:
    """With a binary prefix."""
    value = to_float(given)
    if abs(value) <= 1 or not math.isfinite(value):
        return short(value)
    return _scaled_up(value, 1024, ("ki", "Mi", "Gi", "Ti", "Pi", "Ei", "Zi", "Yi"))


def humanize_duration(given: object) -> str:
    """Seconds, as days to seconds."""
    value = to_float(given)
    if not math.isfinite(value):
        return short(value)
    if value == 0:
        return "0s"
    if abs(value) < 1:
        return _scaled_down(value) + "s"
    sign, value = ("-", -value) if value < 0 else ("", value)
    minutes, seconds = divmod(int(value), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    if days:
        return f"{sign}{days}d {hours}h {minutes}m {seconds}s"
    if hours:
        return f"{sign}{hours}h {minutes}m {seconds}s"
    if minutes:
        return f"{sign}{minutes}m {seconds}s"
    return f"{sign}{short(value)}s"


def humanize_percentage(given: object) -> str:
    """A share as a percentage."""
    return f"{short(to_float(given) * 100)}%"


def to_time(given: object) -> Moment:
    """Unix seconds as a moment. Raises TemplateFailedError where that lies beyond the calendar."""
    value = to_float(given)
    if not math.isfinite(value) or not -62135596800 <= value <= 253402300799:
        raise TemplateFailedError(f"{text_number(value)} is no time")
    # To the millisecond, as Prometheus has all times.
    return Moment(math.floor(value * 1000) * _NS_PER_MS)


def to_duration(given: object) -> Duration:
    """Seconds as a length of time. Raises TemplateFailedError where that is none."""
    value = to_float(given)
    if not math.isfinite(value) or abs(value) > _LONGEST_S:
        raise TemplateFailedError(f"{text_number(value)} is no duration")
    return Duration(math.floor(value * 1000) * _NS_PER_MS)


def humanize_timestamp(given: object) -> str:
    """Unix seconds as date and time."""
    value = to_float(given)
    return str(to_time(value)) if math.isfinite(value) else short(value)
