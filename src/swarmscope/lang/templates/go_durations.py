"""Lengths of time, as Go's time.Duration prints and counts them. Source: https://pkg.go.dev/time#Duration"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from types import MappingProxyType

from swarmscope.lang.templates.errors import TemplateFailedError
from swarmscope.lang.templates.functions import Kind, TemplateFunction

_US, _MS, _S = 1_000, 1_000_000, 1_000_000_000
_MINUTE, _HOUR = 60 * _S, 3600 * _S


@dataclass(frozen=True, slots=True, order=True)
class Duration:
    """A length of time."""

    ns: int

    def __bool__(self) -> bool:
        return self.ns != 0

    def __str__(self) -> str:
        size = abs(self.ns)
        sign = "-" if self.ns < 0 else ""
        if size < _S:
            for unit, ns in (("ms", _MS), ("µs", _US), ("ns", 1)):
                if size >= ns:
                    return f"{sign}{_decimal(size, ns)}{unit}"
            return "0s"
        minutes, seconds = divmod(size, _MINUTE)
        hours, minutes = divmod(minutes, 60)
        text = f"{_decimal(seconds, _S)}s"
        if hours:
            return f"{sign}{hours}h{minutes}m{text}"
        return f"{sign}{minutes}m{text}" if minutes else sign + text


def _decimal(value: int, unit: int) -> str:
    whole, rest = divmod(value, unit)
    digits = str(rest).rjust(len(str(unit)) - 1, "0").rstrip("0")
    return f"{whole}.{digits}" if digits else str(whole)


def _of(method: Callable[[Duration], object]) -> TemplateFunction:
    return TemplateFunction(lambda value: method(value), (Kind.ANY,))


def _unit(unit: object) -> int:
    if not isinstance(unit, Duration | int) or isinstance(unit, bool):
        raise TemplateFailedError("wrong type; expected time.Duration")
    return unit.ns if isinstance(unit, Duration) else unit


def _truncate(value: Duration, unit: object) -> Duration:
    step = _unit(unit)
    if step <= 0:
        return value
    size = abs(value.ns) // step * step
    return Duration(size if value.ns >= 0 else -size)


def _round(value: Duration, unit: object) -> Duration:
    step = _unit(unit)
    if step <= 0:
        return value
    size = (abs(value.ns) + step // 2) // step * step
    return Duration(size if value.ns >= 0 else -size)


DURATION_METHODS = MappingProxyType({
    "String": _of(str),
    "Nanoseconds": _of(lambda value: value.ns),
    "Microseconds": _of(lambda value: int(value.ns / _US)),
    "Milliseconds": _of(lambda value: int(value.ns / _MS)),
    "Seconds": _of(lambda value: value.ns / _S),
    "Minutes": _of(lambda value: value.ns / _MINUTE),
    "Hours": _of(lambda value: value.ns / _HOUR),
    "Abs": _of(lambda value: Duration(abs(value.ns))),
    "Truncate": TemplateFunction(_truncate, (Kind.ANY, Kind.ANY)),
    "Round": TemplateFunction(_round, (Kind.ANY, Kind.ANY)),
})  # fmt: skip
