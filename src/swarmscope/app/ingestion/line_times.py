"""When a line was written, as it says itself.

Known are RFC 3339 and its relatives (blank for `T`, comma for the point, no zone for UTC), Unix times in seconds to
nanoseconds, and syslog's `Jan  2 15:04:05` (RFC 3164), which has no year.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from swarmscope.model.labels import Utf8Column
from swarmscope.query.logql.json_parser import parse_json
from swarmscope.query.logql.logfmt_parser import parse_logfmt

NO_TIME = -(1 << 62)
_NS_PER_S = 1_000_000_000
_DAY_S = 86_400
# Names that loggers give the time, the most telling first.
_TIME_FIELDS = ("timestamp", "time", "ts", "_timestamp", "t", "date", "datetime", "asctime")
_MONTHS = np.frombuffer(b"JanFebMarAprMayJunJulAugSepOctNovDec", np.uint8).copy()


class LineFormat(StrEnum):
    """How lines are written."""

    AUTO = "auto"
    JSON = "json"
    LOGFMT = "logfmt"
    TEXT = "text"
    SYSLOG = "syslog"


def guess_format(line: Utf8Column) -> LineFormat:
    """What the first line looks like."""
    if not len(line):
        return LineFormat.TEXT
    first = line.buffer[line.start[0] : line.start[0] + min(int(line.length[0]), 4096)].tobytes()
    if first.lstrip().startswith(b"{"):
        return LineFormat.JSON
    if first.startswith(b"<") and first[1 : first.find(b">")].isdigit():
        return LineFormat.SYSLOG
    if first[:3] in {_MONTHS[k : k + 3].tobytes() for k in range(0, 36, 3)}:
        return LineFormat.SYSLOG
    head = first.split(b" ", 1)[0]
    return LineFormat.LOGFMT if head.find(b"=") > 0 and head.replace(b"=", b"", 1)[:1].isalpha() else LineFormat.TEXT


def times_of(line: Utf8Column, form: LineFormat, now_ns: int | None = None) -> NDArray[np.int64]:
    """Unix nanoseconds [n]. A line that does not say has the time of the line before, the first ones have now.

    Equal times are told apart by nanoseconds in the order of the lines: a store takes equal lines of one time for one.
    """
    now_ns = time.time_ns() if now_ns is None else now_ns
    column = line
    if form in (LineFormat.JSON, LineFormat.LOGFMT):
        column = _time_field(line, form)
    moment = datetime.fromtimestamp(now_ns // _NS_PER_S, UTC)
    times = _read_times(column.buffer, column.start, column.length, moment.year, now_ns // _NS_PER_S)
    _fill(times, now_ns)
    return np.maximum(times, 0)


def _time_field(line: Utf8Column, form: LineFormat) -> Utf8Column:
    if form is LineFormat.JSON:
        columns = parse_json(line, _TIME_FIELDS).columns
    else:
        columns = parse_logfmt(line, _TIME_FIELDS, strict=False, keep_empty=False).columns
    found = [columns[name] for name in _TIME_FIELDS if name in columns and (columns[name].length > 0).any()]
    if not found:
        none = np.zeros(len(line), np.int64)
        return Utf8Column(np.zeros(1, np.uint8), none, none)
    # One name is the rule; where there are several, the first one counts.
    return found[0]


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
    if at + 1 < end and buffer[at] == 32 and (buffer[at + 1] == 43 or buffer[at + 1] == 45):
        at += 1
    if at < end and (buffer[at] == 43 or buffer[at] == 45):
        hours = _digits(buffer, at + 1, 2, end)
        colon = 1 if at + 3 < end and buffer[at + 3] == 58 else 0
        minutes = max(_digits(buffer, at + 3 + colon, 2, end), 0)
        if hours >= 0:
            shift = hours * 3600 + minutes * 60
            seconds += -shift if buffer[at] == 43 else shift
    return (seconds + clock) * _NS_PER_S + fraction


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
def _month_ns(buffer: NDArray[np.uint8], at: int, end: int, year: int, now_s: int) -> int:
    """`Jan  2 15:04:05` in UTC: of this year, or of the last one where that lies more than a day ahead."""
    if at + 15 > end:
        return NO_TIME
    month = 0
    for k in range(12):
        if (
            buffer[at] == _MONTHS[3 * k]
            and buffer[at + 1] == _MONTHS[3 * k + 1]
            and buffer[at + 2] == _MONTHS[3 * k + 2]
        ):
            month = k + 1
    day = _digits(buffer, at + 4, 2, end)
    clock = _clock_s(buffer, at + 7, end)
    if month == 0 or day < 1 or clock < 0:
        return NO_TIME
    seconds = _days(year, month, day) * _DAY_S + clock
    if seconds > now_s + _DAY_S:
        seconds = _days(year - 1, month, day) * _DAY_S + clock
    return seconds * _NS_PER_S


@njit(nogil=True, cache=True)
def _read_times(
    buffer: NDArray[np.uint8], start: NDArray[np.int64], length: NDArray[np.int64], year: int, now_s: int
) -> NDArray[np.int64]:
    """The time that each text begins with, behind syslog's priority and version or an opening bracket."""
    times = np.full(len(start), NO_TIME)
    for row in range(len(start)):
        at, end = start[row], start[row] + length[row]
        if at < end and buffer[at] == 60:  # <34>1
            while at < end and buffer[at] != 62:
                at += 1
            at += 1
            if at + 1 < end and buffer[at] == 49 and buffer[at + 1] == 32:
                at += 2
        while at < end and (buffer[at] == 91 or buffer[at] == 32 or buffer[at] == 34):
            at += 1
        if at + 10 > end:
            continue
        if buffer[at] > 57:
            times[row] = _month_ns(buffer, at, end, year, now_s)
        elif buffer[at + 4] == 45 or buffer[at + 4] == 47:
            times[row] = _iso_ns(buffer, at, end)
        else:
            times[row] = _unix_ns(buffer, at, end)
    return times


@njit(nogil=True, cache=True)
def _fill(times: NDArray[np.int64], now_ns: int) -> None:
    """Times for those that have none, and nanoseconds between equal ones."""
    base, given = now_ns, now_ns - 1
    for row in range(len(times)):
        if times[row] == NO_TIME:
            times[row] = base
        if times[row] == base:
            given += 1
        else:
            base = given = times[row]
        times[row] = given
