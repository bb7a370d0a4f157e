"""Time intervals, by hand from the documentation; 2024-02-29 is a Thursday."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from swarmscope.alerting.delivery.time_intervals import (
    TimeInterval,
    day_of_month_span,
    minute_span,
    month_span,
    weekday_span,
    year_span,
    zone_of,
)


def at(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * 1_000_000_000


@pytest.mark.parametrize(
    ("interval", "inside", "outside"),
    [
        (TimeInterval(minutes=(minute_span("09:00", "17:00"),)), ["2024-02-29T09:00", "2024-02-29T16:59"],
         ["2024-02-29T08:59", "2024-02-29T17:00"]),
        (TimeInterval(minutes=(minute_span("22:00", "24:00"),)), ["2024-02-29T23:59"], ["2024-02-29T00:00"]),
        (TimeInterval(weekdays=(weekday_span("monday:friday"),)), ["2024-02-29T12:00"], ["2024-03-02T12:00"]),
        (TimeInterval(weekdays=(weekday_span("Sunday"),)), ["2024-03-03T12:00"], ["2024-03-04T12:00"]),
        (TimeInterval(days_of_month=(day_of_month_span("-1"),)), ["2024-02-29T12:00", "2023-02-28T12:00"],
         ["2024-02-28T12:00"]),
        (TimeInterval(days_of_month=(day_of_month_span("-3:-1"),)), ["2024-02-27T00:00"], ["2024-02-26T23:59"]),
        (TimeInterval(days_of_month=(day_of_month_span("31"),)), ["2024-01-31T00:00"], ["2024-02-29T00:00"]),
        (TimeInterval(days_of_month=(day_of_month_span("29:31"),)), ["2024-02-29T00:00"], ["2023-02-28T00:00"]),
        (TimeInterval(months=(month_span("january:march"), month_span("12"))), ["2024-02-29T00:00", "2024-12-01T00:00"],
         ["2024-04-01T00:00"]),
        (TimeInterval(years=(year_span("2023:2024"),)), ["2024-02-29T00:00"], ["2025-01-01T00:00"]),
        (TimeInterval(minutes=(minute_span("09:00", "10:00"),), zone=zone_of("Australia/Sydney")),
         ["2024-02-28T22:30"], ["2024-02-29T09:30"]),
        (TimeInterval(minutes=(minute_span("09:00", "10:00"),), weekdays=(weekday_span("thursday"),)),
         ["2024-02-29T09:30"], ["2024-03-01T09:30", "2024-02-29T10:30"]),
        (TimeInterval(), ["2024-02-29T09:30"], []),
    ],
)  # fmt: skip
def test_moments(interval: TimeInterval, inside: list[str], outside: list[str]):
    assert [text for text in inside if not interval.holds(at(text))] == []
    assert [text for text in outside if interval.holds(at(text))] == []


@pytest.mark.parametrize(
    ("read", "text"),
    [
        (weekday_span, "funday"), (weekday_span, "1"), (weekday_span, "friday:monday"), (day_of_month_span, "0"),
        (day_of_month_span, "32"), (day_of_month_span, "-1:5"), (day_of_month_span, "5:1"), (month_span, "13"),
        (month_span, "march:january"), (year_span, "x"), (zone_of, "Nowhere/At_all"),
    ],
)  # fmt: skip
def test_what_is_none(read, text: str):
    with pytest.raises(ValueError, match=r"."):
        read(text)


@pytest.mark.parametrize(
    ("start", "end"), [("9:00", "10:00"), ("10:00", "09:00"), ("10:00", "10:00"), ("24:00", "24:00")]
)
def test_clocks_that_are_none(start: str, end: str):
    with pytest.raises(ValueError, match=r"timestamp|start time"):
        minute_span(start, end)
