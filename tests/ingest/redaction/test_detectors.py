import re
from pathlib import Path

import pytest
from tests.ingest.redaction.vectors import FINDS, MISSES

from swarmscope.ingest.redaction.choosing import BUILT_IN, chosen_detectors, refuse_unknown
from swarmscope.ingest.redaction.detectors import NAME_PATTERN, BadPatternError, user_detector
from swarmscope.ingest.redaction.redactor import Redactor
from swarmscope.model.labels import Utf8Column

_DOCS = Path(__file__).parents[3] / "docs" / "redaction.md"


def _alone(name: str) -> Redactor:
    return Redactor(chosen_detectors([name], [], {}), {}, b"")


def _redact(redactor: Redactor, *texts: str) -> list[str]:
    return redactor.redact(Utf8Column.from_strings(texts)).column.to_strings()


def test_every_detector_has_vectors():
    assert set(FINDS) == {one.name for one in BUILT_IN}
    assert set(MISSES) <= set(FINDS)


@pytest.mark.parametrize("name", [one.name for one in BUILT_IN])
def test_what_is_found_and_what_is_not(name):
    redactor = _alone(name)
    for text, find in FINDS[name]:
        assert text.count(find) == 1, text
        assert _redact(redactor, text) == [text.replace(find, f"[REDACTED:{name}]")], text
        # Neighbours are texts of their own.
        assert _redact(redactor, "before", text, "behind")[::2] == ["before", "behind"]
    for text in MISSES.get(name, []):
        assert _redact(redactor, text) == [text]


def test_numbers_and_times_of_ordinary_lines_stay():
    redactor = Redactor(chosen_detectors(["secrets", "personal"], [], {}), {}, b"")
    lines = [
        '{"ts":"2026-11-22T19:30:00.123456+01:00","level":"info","trace_id":"4bf92f3577b34da6a3ce929d0e0e4736","n":12}',
        "ts=1763839382.123 level=info latency_ms=1234 tokens=40960 request_id=550e8400-e29b-41d4-a716-446655440000",
        "22/Nov/2026:19:30:00 +0000 GET /v1/items/1234567890?page=2 HTTP/1.1 200 5316 0.002",
        "epoch 1763839382 1763839382123 1763839382123456 1763839382123456789 done",
        "loaded 1,234,567 rows in 12.5 s; offsets 100-200-3000; version 1.22.333-rc.4",
    ]
    assert _redact(redactor, *lines) == lines


def test_names_can_stand_in_masks():
    assert all(re.match(NAME_PATTERN, one.name) for one in BUILT_IN)
    assert len({one.name for one in BUILT_IN}) == len(BUILT_IN)


def test_the_page_lists_every_detector():
    page = _DOCS.read_text(encoding="utf-8")
    rows = [f"| `{one.name}` | {one.group.value} | {one.finds} |" for one in BUILT_IN]
    assert [row for row in rows if row not in page] == []
    assert len(re.findall(r"^\| `\w+` \| (?:secrets|personal|network) \|", page, re.M)) == len(rows)


@pytest.mark.parametrize("pattern", [r"(a)\1", r"(?=a)b", "a*", "(", r"\Aabc", r"abc\z", "(?-m)^a", "a.{1,40000}b"])
def test_a_pattern_that_cannot_be_matched_fast_is_refused(pattern):
    with pytest.raises(BadPatternError):
        user_detector("mine", pattern)


def test_a_bad_name_is_refused():
    with pytest.raises(BadPatternError, match="name"):
        user_detector("Not This", "abc")
    with pytest.raises(ValueError, match="did you mean email"):
        refuse_unknown("emial")


def test_groups_names_and_exceptions():
    chosen = chosen_detectors(["personal", "ipv4"], ["phone"], {"mine": "abc"})
    names = [one.name for one in chosen]
    assert names[0] == "mine"
    assert "email" in names
    assert "ipv4" in names
    assert not {"phone", "password", "ipv6"} & set(names)


@pytest.mark.parametrize(
    ("pattern", "text", "expected"),
    [
        (r"cust-\d+", "for cust-12 and cust-3", "for [REDACTED:mine] and [REDACTED:mine]"),
        (r"user=(\w+)", "user=bob x", "user=[REDACTED:mine] x"),
        (r"(?:a=(\w+)|b=(\w+))", "b=1 a=2", "b=[REDACTED:mine] a=[REDACTED:mine]"),
        (r"^id \w+$", "id abc\nno id x", "[REDACTED:mine]\nno id x"),
        (r"é{2}", "xéé", "x[REDACTED:mine]"),
        (r"x.y", "xüy", "[REDACTED:mine]"),
    ],
)
def test_patterns_of_users(pattern, text, expected):
    assert _redact(Redactor([user_detector("mine", pattern)], {}, b""), text) == [expected]
