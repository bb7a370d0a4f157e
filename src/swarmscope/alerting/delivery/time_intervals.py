"""Times of day, week, month and year in which routes are quiet, or are not.

Source: https://prometheus.io/docs/alerting/latest/configuration/#time-interval-settings
"""

from __future__ import annotations

import calendar
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

_DAYS = ("sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday")
_MONTHS = tuple(name.lower() for name in calendar.month_name[1:])
_CLOCK = re.compile(r"([01]\d|2[0-3]):([0-5]\d)|24:00")
_DAY_MINUTES = 24 * 60
_NS_PER_S = 1_000_000_000
Span = tuple[int, int]


@dataclass(frozen=True, slots=True)
class TimeInterval:
    """All of the fields that are given must hold. Spans are closed, but for those of minutes, whose end is open."""

    minutes: tuple[Span, ...] = ()
    weekdays: tuple[Span, ...] = ()  # 0 is Sunday
    days_of_month: tuple[Span, ...] = ()  # negative ones count from the end
    months: tuple[Span, ...] = ()
    years: tuple[Span, ...] = ()
    zone: tzinfo = UTC

    def holds(self, at_ns: int) -> bool:
        """Whether a moment lies within."""
        moment = datetime.fromtimestamp(at_ns / _NS_PER_S, self.zone)
        minute = moment.hour * 60 + moment.minute
        if self.minutes and not any(begin <= minute < end for begin, end in self.minutes):
            return False
        if self.days_of_month and not any(_is_day_in(moment, span) for span in self.days_of_month):
            return False
        for spans, value in (
            (self.weekdays, moment.isoweekday() % 7),
            (self.months, moment.month),
            (self.years, moment.year),
        ):
            if spans and not any(begin <= value <= end for begin, end in spans):
                return False
        return True


def _is_day_in(moment: datetime, span: Span) -> bool:
    n_days = calendar.monthrange(moment.year, moment.month)[1]
    begin, end = (day if day > 0 else n_days + day + 1 for day in span)
    if begin > n_days:
        return False
    return max(begin, 1) <= moment.day <= min(end, n_days)


def minute_span(start: str, end: str) -> Span:
    """`08:00` to `24:00` as minutes. Raises ValueError."""
    for text in (start, end):
        if not _CLOCK.fullmatch(text):
            raise ValueError(f"couldn't parse timestamp {text}, invalid format")
    begin_minute, end_minute = (int(text[:2]) * 60 + int(text[3:]) for text in (start, end))
    if begin_minute >= end_minute or begin_minute == _DAY_MINUTES:
        raise ValueError("start time cannot be equal or greater than end time")
    return begin_minute, end_minute


def _span(text: str, names: Sequence[str], first: int, words: str) -> Span:
    """`a:b` or `a`, as names or numbers."""

    def number(part: str) -> int:
        part = part.strip().lower()
        if part in names:
            return names.index(part) + first
        if re.fullmatch(r"-?\d+", part):
            return int(part)
        raise ValueError(f"{part} is not a valid {words}")

    begin, _, end = text.partition(":")
    span = number(begin), number(end or begin)
    if span[0] > span[1] and not (span[0] > 0 > span[1]):
        raise ValueError(f"start {words} cannot be before end {words}: {text}")
    return span


def weekday_span(text: str) -> Span:
    """`monday:friday`. Raises ValueError."""
    span = _span(text, _DAYS, 0, "weekday")
    if not re.fullmatch(r"[A-Za-z: ]+", text):
        raise ValueError(f"{text} is not a valid weekday")
    return span


def day_of_month_span(text: str) -> Span:
    """`1:5` or `-3:-1`. Raises ValueError."""
    span = _span(text, (), 0, "day of the month")
    if any(day == 0 or not -31 <= day <= 31 for day in span):
        raise ValueError(f"{text} is not a valid day of the month: out of range")
    if span[0] < 0 < span[1]:
        raise ValueError("end day must be negative if start day is negative")
    return span


def month_span(text: str) -> Span:
    """`january:march` or `1:3`. Raises ValueError."""
    span = _span(text, _MONTHS, 1, "month")
    if not 1 <= span[0] <= 12 or not 1 <= span[1] <= 12:
        raise ValueError(f"{text} is not a valid month: out of range")
    return span


def year_span(text: str) -> Span:
    """`2020:2022`. Raises ValueError."""
    return _span(text, (), 0, "year")


def zone_of(name: str) -> tzinfo:
    """A time zone by its name. Raises ValueError."""
    if name in ("", "UTC"):
        return UTC
    try:
        return ZoneInfo(name) if name != "Local" else datetime.now().astimezone().tzinfo or UTC
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ValueError(f"unknown time zone {name}") from error
