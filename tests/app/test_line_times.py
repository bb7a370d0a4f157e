from datetime import UTC, datetime

import numpy as np
import pytest

from swarmscope.app.ingestion.line_times import LineFormat, guess_format, times_of
from swarmscope.model.labels import Utf8Column

NOW_NS = 1_767_355_200_000_000_000  # 2026-01-02T12:00:00Z


def _ns(text: str, ns: int = 0) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * 1_000_000_000 + ns


@pytest.mark.parametrize(
    ("form", "line", "expected"),
    [
        ("text", "2026-01-02T03:04:05Z hello", _ns("2026-01-02T03:04:05")),
        ("text", "2026-01-02 03:04:05,250 INFO hello", _ns("2026-01-02T03:04:05", 250_000_000)),
        ("text", "[2026/01/02 03:04:05.000000001] hello", _ns("2026-01-02T03:04:05", 1)),
        ("text", "2026-01-02T03:04:05.5+02:00 hello", _ns("2026-01-02T01:04:05", 500_000_000)),
        ("text", "2026-01-02T03:04:05 -0130 hello", _ns("2026-01-02T04:34:05")),
        ("text", "1767323045 hello", 1_767_323_045_000_000_000),
        ("text", "1767323045.25 hello", 1_767_323_045_250_000_000),
        ("json", '{"a":1,"ts":"2026-01-02T03:04:05Z"}', _ns("2026-01-02T03:04:05")),
        ("json", '{"time":1767323045123}', 1_767_323_045_123_000_000),
        ("json", '{"timestamp":1767323045.5}', 1_767_323_045_500_000_000),
        ("logfmt", "level=info ts=2024-02-29T23:59:59.999Z msg=x", _ns("2024-02-29T23:59:59", 999_000_000)),
        ("syslog", "<34>1 2003-10-11T22:14:15.003Z host su - ID47 - hello", _ns("2003-10-11T22:14:15", 3_000_000)),
        ("syslog", "<34>Jan  1 22:14:15 host su: hello", _ns("2026-01-01T22:14:15")),
        ("syslog", "Dec 31 22:14:15 host su: hello", _ns("2025-12-31T22:14:15")),
        ("text", "no time at all in this one", NOW_NS),
        ("text", "2026-13-02T03:04:05Z no such month", NOW_NS),
        ("text", "1969-01-01T00:00:00Z before all", 0),
    ],
)
def test_a_lines_own_time(form, line, expected):
    assert times_of(Utf8Column.from_strings([line]), LineFormat(form), NOW_NS).tolist() == [expected]


def test_lines_without_a_time_follow_the_one_before_and_equal_times_are_told_apart():
    lines = ["first", "2026-01-02T03:04:05Z a", "b", "2026-01-02T03:04:05Z a", "2026-01-02T03:04:06Z c", "d"]
    at = _ns("2026-01-02T03:04:05")
    expected = [NOW_NS, at, at + 1, at + 2, at + 1_000_000_000, at + 1_000_000_001]
    assert times_of(Utf8Column.from_strings(lines), LineFormat.TEXT, NOW_NS).tolist() == expected


@pytest.mark.parametrize(
    ("line", "form"),
    [
        ('{"a":1}', "json"),
        ("ts=1 msg=x", "logfmt"),
        ("<34>1 2003-10-11T22:14:15.003Z host", "syslog"),
        ("Oct 11 22:14:15 host su: x", "syslog"),
        ("2026-01-02 hello a=b", "text"),
        ("", "text"),
    ],
)
def test_form_is_guessed_from_the_first_line(line, form):
    assert guess_format(Utf8Column.from_strings([line])) == form


def test_no_line_has_no_times():
    assert len(times_of(Utf8Column.from_strings([]), LineFormat.JSON, NOW_NS)) == 0
    assert times_of(Utf8Column.from_strings([]), LineFormat.TEXT, NOW_NS).dtype == np.int64
