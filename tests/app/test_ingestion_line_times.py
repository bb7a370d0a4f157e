from datetime import UTC, datetime

import numpy as np
import pytest

from swarmscope.app.ingestion.line_times import LineFormat, guess_format, times_of
from swarmscope.app.ingestion.time_order import NO_TIME
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
        ("text", "no time at all in this one", NO_TIME),
        ("text", "2026-13-02T03:04:05Z no such month", NO_TIME),
        ("text", "1969-12-31T23:59:59Z before all", -1_000_000_000),
        ("text", "INFO  [main] 2026-01-02 03:04:05,250 hello", _ns("2026-01-02T03:04:05", 250_000_000)),
        ("text", "at the end 2026-01-02T03:04:05", _ns("2026-01-02T03:04:05")),
        ("text", "x" * 60 + " 2026-01-02T03:04:05 is too far behind", NO_TIME),
        ("text", "I0102 03:04:05.250000    17 main.go:12] hello", _ns("2026-01-02T03:04:05", 250_000_000)),
        ("text", '10.0.0.1 - - [31/Dec/2025:20:04:05 -0700] "GET / HTTP/1.1" 200 5', _ns("2026-01-01T03:04:05")),
        ("text", '10.0.0.1 - - [31/Dez/2025:20:04:05 -0700] "GET / HTTP/1.1" 200 5', NO_TIME),
        ("json", '{"@timestamp":"2026-01-02T03:04:05.000Z","message":"x"}', _ns("2026-01-02T03:04:05")),
        (
            "json",
            '{"log":"x","stream":"stdout","time":"2026-01-02T03:04:05.000000009Z"}',
            _ns("2026-01-02T03:04:05", 9),
        ),
        ("json", '{"date":"never","Time":"2026-01-02T03:04:05Z"}', _ns("2026-01-02T03:04:05")),
        ("json", "{broken", NO_TIME),
        ("json", '{"ts":1767323045123456}', 1_767_323_045_123_456_000),
        ("json", '{"ts":"1767323045123456789"}', 1_767_323_045_123_456_789),
        ("syslog", "<13>1 - host su - ID47 - no time", NO_TIME),
    ],
)
def test_a_lines_own_time(form, line, expected):
    assert times_of(Utf8Column.from_strings([line]), LineFormat(form), NOW_NS).tolist() == [expected]


def test_each_line_has_the_name_that_tells_most():
    lines = ['{"time":"2026-01-02T03:04:05Z"}', '{"timestamp":"2026-01-02T03:04:06Z","time":"x"}', '{"a":1}']
    expected = [_ns("2026-01-02T03:04:05"), _ns("2026-01-02T03:04:06"), NO_TIME]
    assert times_of(Utf8Column.from_strings(lines), LineFormat.JSON, NOW_NS).tolist() == expected


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
def test_form_is_guessed_from_a_line(line, form):
    assert guess_format(Utf8Column.from_strings([line])) == form


def test_a_banner_does_not_decide_the_form():
    lines = ["starting up", '{"a":1}', '{"a":2}']
    assert guess_format(Utf8Column.from_strings(lines)) == "json"


def test_no_line_has_no_times():
    assert len(times_of(Utf8Column.from_strings([]), LineFormat.JSON, NOW_NS)) == 0
    assert times_of(Utf8Column.from_strings([]), LineFormat.TEXT, NOW_NS).dtype == np.int64
