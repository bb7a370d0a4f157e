"""Times, durations and their refusals; the wording is that of a running Prometheus."""

from __future__ import annotations

import pytest

from swarmscope.api.parameters import MAX_TIME_MS, MIN_TIME_MS, parse_duration_ms, parse_time_ms


@pytest.mark.parametrize(
    ("text", "time_ms"),
    [
        ("4", 4000),
        ("1435781430.781", 1435781430781),
        ("1435781430.7815", 1435781430782),
        ("1e3", 1_000_000),
        ("-1.5", -1500),
        ("2015-07-01T20:10:30.781Z", 1435781430781),
        ("2015-07-01T20:10:30Z", 1435781430000),
        ("2015-07-01T22:10:30.781123456+02:00", 1435781430781),
        ("2015-07-01T15:40:30-04:30", 1435781430000),
        ("1969-12-31T23:59:59.5Z", -500),
        ("2024-02-29T00:00:00Z", 1709164800000),
        ("-292273086-05-16T16:47:06Z", MIN_TIME_MS),
        ("292277025-08-18T07:12:54.999999999Z", MAX_TIME_MS),
        ("1e30", MAX_TIME_MS),
        ("-1e30", MIN_TIME_MS),
    ],
)
def test_times(text: str, time_ms: int) -> None:
    assert parse_time_ms(text) == time_ms


@pytest.mark.parametrize(
    "text", ["", "x", "nan", "inf", "2015-07-01", "2015-13-01T00:00:00Z", "2023-02-29T00:00:00Z",
             "2015-07-01T24:00:00Z", "2015-07-01T20:10:30", "2015-07-01 20:10:30Z", "1_000", "٣", "0x10"]
)  # fmt: skip
def test_refused_times(text: str) -> None:
    with pytest.raises(ValueError, match=r'^cannot parse ".*" to a valid timestamp$'):
        parse_time_ms(text)


@pytest.mark.parametrize(
    ("text", "duration_ms"),
    [
        ("5m", 300_000),
        ("1.5", 1500),
        ("1h30m", 5_400_000),
        ("1y", 31_536_000_000),
        ("1w2d", 777_600_000),
        ("250ms", 250),
        ("0", 0),
        ("0s", 0),
        ("-5", -5000),
        (".5", 500),
    ],
)
def test_durations(text: str, duration_ms: float) -> None:
    assert parse_duration_ms(text) == duration_ms


@pytest.mark.parametrize("text", ["", "x", "5", "1m1h", "1.5m", "m", "1e300", "5m "])
def test_refused_durations(text: str) -> None:
    if text == "5":
        assert parse_duration_ms(text) == 5000
        return
    with pytest.raises(ValueError, match=r"^cannot parse "):
        parse_duration_ms(text)
