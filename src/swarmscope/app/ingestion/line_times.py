"""When a line was written, as it says itself.

Known are RFC 3339 and its relatives (blank for `T`, comma for the point, no zone for UTC), Unix times in seconds to
nanoseconds, syslog's `Jan  2 15:04:05` (RFC 3164), klog's `I0102 15:04:05` (both without a year) and the
`[10/Oct/2000:13:55:36 -0700]` of web servers. The last one and RFC 3339 may stand behind a few words.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from swarmscope.app.ingestion.time_order import NO_TIME
from swarmscope.model.labels import Utf8Column
from swarmscope.query.logql.json_parser import parse_json
from swarmscope.query.logql.logfmt_parser import parse_logfmt

_NS_PER_S = 1_000_000_000
_SPACE, _QUOTE, _PLUS, _DASH, _SLASH, _COLON = 0x20, 0x22, 0x2B, 0x2D, 0x2F, 0x3A
_LESS, _GREATER, _BRACKET = 0x3C, 0x3E, 0x5B
_DAY_S = 86_400
# Names that loggers give the time, the most telling first.
# A field `@timestamp` is `_timestamp` here, as in LogQL.
_TIME_FIELDS = (
    "timestamp", "time", "ts", "_timestamp", "t", "_t", "Timestamp", "Time", "date", "datetime", "asctime",
    "eventTime", "event_time", "created_at",
)  # fmt: skip
_SAMPLE_LINES = 20
# How far behind the beginning of a line a time may stand.
_WORDS_BYTES, _ACCESS_BYTES = 48, 160
_SYSLOG = re.compile(r"<\d{1,3}>|(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) [ \d]\d \d\d:\d\d:\d\d")
_LOGFMT = re.compile(r"[A-Za-z_][\w.@-]*=(?:\"|\S)")
_MONTHS = np.frombuffer(b"JanFebMarAprMayJunJulAugSepOctNovDec", np.uint8).copy()


class LineFormat(StrEnum):
    """How lines are written."""

    AUTO = "auto"
    JSON = "json"
    LOGFMT = "logfmt"
    TEXT = "text"
    SYSLOG = "syslog"


def guess_format(line: Utf8Column) -> LineFormat:
    """What most of the first lines look like."""
    looks = Counter(_look_of(line.text(row)[:4096]) for row in range(min(len(line), _SAMPLE_LINES)))
    return looks.most_common(1)[0][0] if looks else LineFormat.TEXT


def _look_of(text: str) -> LineFormat:
    if text.lstrip().startswith("{"):
        return LineFormat.JSON
    if _SYSLOG.match(text):
        return LineFormat.SYSLOG
    return LineFormat.LOGFMT if _LOGFMT.match(text) else LineFormat.TEXT


def times_of(line: Utf8Column, form: LineFormat, now_ns: int) -> NDArray[np.int64]:
    """Unix nanoseconds [n], NO_TIME for a line that does not say; `now_ns` tells the year where lines do not."""
    moment = datetime.fromtimestamp(now_ns // _NS_PER_S, UTC)
    times = np.full(len(line), NO_TIME)
    for column in _time_columns(line, form):
        # A name that tells more goes before one that tells less, line by line.
        times = np.where(times == NO_TIME, _read_times(*column, moment.year, now_ns // _NS_PER_S), times)
    return times


def _time_columns(line: Utf8Column, form: LineFormat) -> Iterator[tuple[NDArray[Any], NDArray[Any], NDArray[Any]]]:
    if form is LineFormat.JSON:
        columns = parse_json(line, _TIME_FIELDS).columns
    elif form is LineFormat.LOGFMT:
        columns = parse_logfmt(line, _TIME_FIELDS, strict=False, keep_empty=False).columns
    else:
        yield line.buffer, line.start, line.length
        return
    for name in _TIME_FIELDS:
        if name in columns and (columns[name].length > 0).any():
            yield columns[name].buffer, columns[name].start, columns[name].length


@njit(nogil=True, cache=True)
def _byte(buffer: NDArray[np.uint8], at: int) -> Any:
    """A byte as a signed number."""
    return np.int64(buffer[at])


@njit(nogil=True, cache=True)
def _digits(buffer: NDArray[np.uint8], at: int, count: int, end: int) -> int:
    """`count` digits as a number, -1 where there are not so many; a leading blank counts as 0."""
    if at + count > end:
        return -1
    number = 0
    for k in range(at, at + count):
        digit = _byte(buffer, k) - 48
        if k == at and buffer[k] == 32:
            digit = 0
        if digit < 0 or digit > 9:
            return -1
        number = number * 10 + digit
    return number


@njit(nogil=True, cache=True)
def _days(year: int, month: int, day: int) -> int:
    """Days since 1970-01-01 (Gregorian calendar); years begin in March here, so leap days come last."""
    y = year - 1 if month <= 2 else year
    era = y // 400
    of_era = y - era * 400
    of_year = (153 * (month + (-3 if month > 2 else 9)) + 2) // 5 + day - 1
    return era * 146_097 + of_era * 365 + of_era // 4 - of_era // 100 + of_year - 719_468


@njit(nogil=True, cache=True)
def _clock_s(buffer: NDArray[np.uint8], at: int, end: int) -> int:
    """`15:04:05` in seconds of the day, -1 where it is none."""
    hour, minute, second = _digits(buffer, at, 2, end), _digits(buffer, at + 3, 2, end), _digits(buffer, at + 6, 2, end)
    if hour < 0 or minute < 0 or second < 0 or hour > 23 or minute > 59 or second > 60:
        return -1
    if buffer[at + 2] != 58 or buffer[at + 5] != 58:
        return -1
    return hour * 3600 + minute * 60 + second


@njit(nogil=True, cache=True)
def _fraction_ns(buffer: NDArray[np.uint8], at: int, end: int) -> tuple[int, int]:
    """Nanoseconds of `.123` or `,123` at `at`, and where it ends."""
    if at >= end or (buffer[at] != 46 and buffer[at] != 44):
        return 0, at
    at += 1
    unit, number = 100_000_000, 0
    while at < end and 48 <= buffer[at] <= 57:
        number += (_byte(buffer, at) - 48) * unit
        unit //= 10
        at += 1
    return number, at


@njit(nogil=True, cache=True)
def _zone_s(buffer: NDArray[np.uint8], at: int, end: int) -> int:
    """Seconds east of Greenwich: of `+02:00`, ` -0130`, `+02`; 0 where there is nothing of the kind."""
    if at + 1 < end and buffer[at] == _SPACE and (buffer[at + 1] == _PLUS or buffer[at + 1] == _DASH):
        at += 1
    if at >= end or (buffer[at] != _PLUS and buffer[at] != _DASH):
        return 0
    hours = _digits(buffer, at + 1, 2, end)
    colon = 1 if at + 3 < end and buffer[at + 3] == _COLON else 0
    minutes = max(_digits(buffer, at + 3 + colon, 2, end), 0)
    shift = max(hours, 0) * 3600 + minutes * 60 if hours >= 0 else 0
    return shift if buffer[at] == _PLUS else -shift


@njit(nogil=True, cache=True)
def _iso_ns(buffer: NDArray[np.uint8], at: int, end: int) -> int:
    year, month, day = _digits(buffer, at, 4, end), _digits(buffer, at + 5, 2, end), _digits(buffer, at + 8, 2, end)
    if year < 1000 or month < 1 or month > 12 or day < 1 or day > 31:
        return NO_TIME
    if (buffer[at + 4] != 45 and buffer[at + 4] != 47) or buffer[at + 7] != buffer[at + 4]:
        return NO_TIME
    seconds = _days(year, month, day) * _DAY_S
    at += 10
    if at + 9 > end or (buffer[at] != 84 and buffer[at] != 32):
        return NO_TIME
    clock = _clock_s(buffer, at + 1, end)
    if clock < 0:
        return NO_TIME
    fraction, at = _fraction_ns(buffer, at + 9, end)
    return (seconds + clock - _zone_s(buffer, at, end)) * _NS_PER_S + fraction


@njit(nogil=True, cache=True)
def _unix_ns(buffer: NDArray[np.uint8], at: int, end: int) -> int:
    """10 to 19 digits: seconds (with a fraction), milli-, micro- or nanoseconds."""
    begin, number = at, 0
    while at < end and at - begin < 19 and 48 <= buffer[at] <= 57:
        number = number * 10 + _byte(buffer, at) - 48
        at += 1
    count = at - begin
    if count == 10:
        fraction, _ = _fraction_ns(buffer, at, end)
        return number * _NS_PER_S + fraction
    if count == 13:
        return number * 1_000_000
    if count == 16:
        return number * 1000
    return number if count == 19 else NO_TIME


@njit(nogil=True, cache=True)
def _month(buffer: NDArray[np.uint8], at: int) -> int:
    """1 to 12, 0 where no English month's first letters stand."""
    for k in range(12):
        if (
            buffer[at] == _MONTHS[3 * k]
            and buffer[at + 1] == _MONTHS[3 * k + 1]
            and buffer[at + 2] == _MONTHS[3 * k + 2]
        ):
            return k + 1
    return 0


@njit(nogil=True, cache=True)
def _yearless_ns(date: tuple[int, int, int], clock: int, now_s: int) -> int:
    """A date in UTC: of this year, or of the last one where that lies more than a day ahead."""
    year, month, day = date
    if month < 1 or month > 12 or day < 1 or day > 31 or clock < 0:
        return NO_TIME
    seconds = _days(year, month, day) * _DAY_S + clock
    if seconds > now_s + _DAY_S:
        seconds = _days(year - 1, month, day) * _DAY_S + clock
    return seconds * _NS_PER_S


@njit(nogil=True, cache=True)
def _month_ns(buffer: NDArray[np.uint8], at: int, end: int, year: int, now_s: int) -> int:
    """`Jan  2 15:04:05`, or klog's `I0102 15:04:05.000000`."""
    if at + 15 > end:
        return NO_TIME
    if buffer[at + 5] == _SPACE and _digits(buffer, at + 1, 4, end) >= 0:
        date = (year, _digits(buffer, at + 1, 2, end), _digits(buffer, at + 3, 2, end))
        clock_at = at + 6
    else:
        date = (year, _month(buffer, at), _digits(buffer, at + 4, 2, end))
        clock_at = at + 7
    found = _yearless_ns(date, _clock_s(buffer, clock_at, end), now_s)
    return found if found == NO_TIME else found + _fraction_ns(buffer, clock_at + 8, end)[0]


@njit(nogil=True, cache=True)
def _access_ns(buffer: NDArray[np.uint8], at: int, end: int) -> int:
    """`10/Oct/2000:13:55:36 -0700`."""
    if at + 20 > end or buffer[at + 2] != _SLASH or buffer[at + 6] != _SLASH or buffer[at + 11] != _COLON:
        return NO_TIME
    day, month, year = _digits(buffer, at, 2, end), _month(buffer, at + 3), _digits(buffer, at + 7, 4, end)
    clock = _clock_s(buffer, at + 12, end)
    if day < 1 or day > 31 or month == 0 or year < 1000 or clock < 0:
        return NO_TIME
    return (_days(year, month, day) * _DAY_S + clock - _zone_s(buffer, at + 20, end)) * _NS_PER_S


@njit(nogil=True, cache=True)
def _later_ns(buffer: NDArray[np.uint8], at: int, end: int) -> int:
    """A time with a date that stands behind other words."""
    begin = at
    for at in range(begin, min(end - 18, begin + _ACCESS_BYTES)):
        if buffer[at] == _BRACKET and buffer[at + 3] == _SLASH:
            found = _access_ns(buffer, at + 1, end)
            if found != NO_TIME:
                return found
        elif at - begin < _WORDS_BYTES and 48 <= buffer[at] <= 57 and (at == begin or not 48 <= buffer[at - 1] <= 57):
            found = _iso_ns(buffer, at, end)
            if found != NO_TIME:
                return found
    return NO_TIME


@njit(nogil=True, cache=True)
def _time_at(buffer: NDArray[np.uint8], at: int, end: int, year: int, now_s: int) -> int:
    """The time that a text begins with, behind syslog's priority and version or an opening bracket."""
    if at < end and buffer[at] == _LESS:  # <34>1
        while at < end and buffer[at] != _GREATER:
            at += 1
        at += 1
        if at + 1 < end and buffer[at] == 49 and buffer[at + 1] == _SPACE:
            at += 2
    while at < end and (buffer[at] == _BRACKET or buffer[at] == _SPACE or buffer[at] == _QUOTE):
        at += 1
    if at + 10 > end:
        return NO_TIME
    found = NO_TIME
    if buffer[at] > 57:
        found = _month_ns(buffer, at, end, year, now_s)
    elif buffer[at + 4] == _DASH or buffer[at + 4] == _SLASH:
        found = _iso_ns(buffer, at, end)
    else:
        found = _unix_ns(buffer, at, end)
    return found if found != NO_TIME else _later_ns(buffer, at, end)


@njit(nogil=True, cache=True)
def _read_times(
    buffer: NDArray[np.uint8], start: NDArray[np.int64], length: NDArray[np.int64], year: int, now_s: int
) -> NDArray[np.int64]:
    times = np.empty(len(start), np.int64)
    for row in range(len(start)):
        times[row] = _time_at(buffer, start[row], start[row] + length[row], year, now_s)
    return times
