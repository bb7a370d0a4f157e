"""Dates and times in LogQL's templates. https://grafana.com/docs/loki/latest/query/template_functions/#date-and-time

The server's own time zone is UTC here, whatever the machine's is, so that answers do not depend on the machine.
"""

from __future__ import annotations

import time
from datetime import UTC, tzinfo
from functools import lru_cache
from types import MappingProxyType
from zoneinfo import ZoneInfo

from swarmscope.lang.templates.errors import TemplateFailedError
from swarmscope.lang.templates.functions import Kind, TemplateFunction
from swarmscope.lang.templates.moments import Moment, format_moment, parse_moment

_NS = 1_000_000_000
_ZERO = Moment(-62_135_596_800 * _NS)  # Go's zero time: the year 1
# Digits of a Unix time, and the nanoseconds that one of it has.
_EPOCH_UNITS_NS = {5: 86_400 * _NS, 10: _NS, 13: 1_000_000, 16: 1_000, 19: 1}


@lru_cache(maxsize=64)
def _zone(name: str) -> tzinfo:
    if name in ("", "UTC", "Local"):
        return UTC
    try:
        return ZoneInfo(name)
    except (OSError, ValueError, KeyError):
        return UTC


def _date(layout: str, when: object) -> str:
    if isinstance(when, Moment):
        return format_moment(when, layout)
    if isinstance(when, int) and not isinstance(when, bool):
        if abs(when) > 1 << 37:
            raise TemplateFailedError(f"date: {when} is out of range")
        return format_moment(Moment(when * _NS), layout)
    return format_moment(Moment(time.time_ns()), layout)


def _to_date(layout: str, text: str) -> Moment:
    return _to_date_in_zone(layout, "UTC", text)


def _to_date_in_zone(layout: str, zone: str, text: str) -> Moment:
    try:
        return parse_moment(layout, text, _zone(zone))
    except (ValueError, OverflowError):
        return _ZERO


def _unix_to_time(text: str) -> Moment:
    unit_ns = _EPOCH_UNITS_NS.get(len(text))
    if unit_ns is None or not (text.isascii() and text.isdigit()):
        raise TemplateFailedError(f"unable to parse time '{text}'")
    return Moment(int(text) * unit_ns)


_TIME = (Kind.TIME,)

TIME_FUNCTIONS = MappingProxyType({
    "date": TemplateFunction(_date, (Kind.TEXT, Kind.ANY)),
    "toDate": TemplateFunction(_to_date, (Kind.TEXT, Kind.TEXT)),
    "toDateInZone": TemplateFunction(_to_date_in_zone, (Kind.TEXT, Kind.TEXT, Kind.TEXT)),
    "unixEpoch": TemplateFunction(lambda when: str(when.ns // _NS), _TIME),
    "unixEpochMillis": TemplateFunction(lambda when: str(when.ns // 1_000_000), _TIME),
    "unixEpochNanos": TemplateFunction(lambda when: str(when.ns), _TIME),
    "unixToTime": TemplateFunction(_unix_to_time, (Kind.TEXT,)),
})  # fmt: skip
