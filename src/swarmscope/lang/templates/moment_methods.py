"""Methods that templates call on moments: `.StartsAt.Format "15:04"`. Source: https://pkg.go.dev/time#Time"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from types import MappingProxyType

from swarmscope.lang.templates.errors import TemplateFailedError
from swarmscope.lang.templates.functions import Kind, TemplateFunction
from swarmscope.lang.templates.go_durations import Duration
from swarmscope.lang.templates.moments import Moment, format_moment

_NS = 1_000_000_000
ZERO_MOMENT_NS = -62_135_596_800 * _NS  # Go's zero time: the first of January of the year 1


def _of(method: Callable[[Moment], object]) -> TemplateFunction:
    return TemplateFunction(lambda value: method(value), (Kind.TIME,))


def _with(method: Callable[[Moment, Moment], object]) -> TemplateFunction:
    return TemplateFunction(lambda value, other: method(value, other), (Kind.TIME, Kind.TIME))


def _add(value: Moment, length: object) -> Moment:
    if isinstance(length, bool) or not isinstance(length, Duration | int):
        raise TemplateFailedError("wrong type; expected time.Duration")
    return Moment(value.ns + (length.ns if isinstance(length, Duration) else length), value.zone)


def _local(value: Moment) -> Moment:
    return Moment(value.ns, datetime.now().astimezone().tzinfo or UTC)


MOMENT_METHODS = MappingProxyType({
    "Format": TemplateFunction(lambda value, layout: format_moment(value, layout), (Kind.TIME, Kind.TEXT)),
    "String": _of(str),
    "UTC": _of(lambda value: Moment(value.ns, UTC)),
    "Local": _of(_local),
    "Unix": _of(lambda value: value.ns // _NS),
    "UnixMilli": _of(lambda value: value.ns // 1_000_000),
    "UnixMicro": _of(lambda value: value.ns // 1_000),
    "UnixNano": _of(lambda value: value.ns),
    "IsZero": _of(lambda value: value.ns == ZERO_MOMENT_NS),
    "Year": _of(lambda value: value.calendar.year),
    "Month": _of(lambda value: format_moment(value, "January")),
    "Day": _of(lambda value: value.calendar.day),
    "Hour": _of(lambda value: value.calendar.hour),
    "Minute": _of(lambda value: value.calendar.minute),
    "Second": _of(lambda value: value.calendar.second),
    "Nanosecond": _of(lambda value: value.ns % _NS),
    "Weekday": _of(lambda value: format_moment(value, "Monday")),
    "YearDay": _of(lambda value: value.calendar.timetuple().tm_yday),
    "Add": TemplateFunction(_add, (Kind.TIME, Kind.ANY)),
    "Sub": _with(lambda value, other: Duration(value.ns - other.ns)),
    "Before": _with(lambda value, other: value.ns < other.ns),
    "After": _with(lambda value, other: value.ns > other.ns),
    "Equal": _with(lambda value, other: value.ns == other.ns),
})  # fmt: skip
