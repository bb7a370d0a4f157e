"""Times and durations that do not fit into 64 bits are bounded or refused, never an error of the program."""

from __future__ import annotations

import pytest

from swarmscope.api.request_times import parse_duration_ns, parse_time_ns

_UTMOST_NS = 1 << 62


@pytest.mark.parametrize(
    ("text", "expected_ns"),
    [
        ("1700000000", 1_700_000_000_000_000_000),
        ("1700000000.25", 1_700_000_000_250_000_000),
        ("9" * 30, _UTMOST_NS),
        ("-" + "9" * 30, -_UTMOST_NS),
        ("1e30", _UTMOST_NS),
        ("9999-12-31T23:59:59Z", _UTMOST_NS),
        ("0001-01-01T00:00:00Z", -_UTMOST_NS),
    ],
)
def test_times_beyond_the_range_are_its_ends(text: str, expected_ns: int) -> None:
    assert parse_time_ns(text) == expected_ns


@pytest.mark.parametrize("text", ["1e999", "-1e999", "1" * 400 + ".5", "9" * 5000, "nan", ""])
def test_times_that_are_none_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"range|valid|limit"):
        parse_time_ns(text)


@pytest.mark.parametrize("text", ["1" * 400 + "h", "1" * 400 + ".5h", "9" * 25 + "h", "1e999", "1e15", "-1e15", "x"])
def test_durations_beyond_the_range_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"range|valid"):
        parse_duration_ns(text)


@pytest.mark.parametrize(("text", "expected_ns"), [("1h30m", 5400 * 10**9), ("1.5s", 1_500_000_000), ("2", 2 * 10**9)])
def test_durations_in_range(text: str, expected_ns: int) -> None:
    assert parse_duration_ns(text) == expected_ns
