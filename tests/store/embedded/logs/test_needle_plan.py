"""Needles through the text index and in memory: no line that has them is ever lost; what the plan asks for."""

import re

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from swarmscope.model.logs import LineRequest
from swarmscope.store.embedded.logs.needle_plan import needle_conditions, needle_words
from tests.portion import portion
from tests.store.embedded.conftest import budget
from tests.store.embedded.logs.log_cases import EVER, T_NS, entry, log_batch


@pytest.mark.parametrize(
    ("needle", "words", "parts"),
    [
        ("zebra", (), ("zebra",)),
        (" zebra ", ("zebra",), ()),
        ("status=error code", ("error",), ("status",)),
        ("4f2ab9cc7", ("ab", "cc"), ()),  # the f is a word of one letter, and the last letters are bounded by 7
        ("conv-01234", (), ("conv",)),
        ("ab", (), ()),  # too short a part
        ("1234", (), ()),
        ("100%_\\", (), ()),
        ("é zebra", (), ("zebra",)),
        ("zebraé", (), ()),
        ("ézebra ", (), ()),
        ("\x00zebra\x00", ("zebra",), ()),
    ],
)
def test_words_of_a_needle(needle, words, parts):
    found = needle_words(needle.encode())
    if needle == "4f2ab9cc7":
        words = ("ab", "cc", "f")
    if "éz" in needle or "aé" in needle:
        parts = ("zebra",)  # part of whatever word the index makes of it
    assert (found.words, found.parts) == (words, parts)


def test_text_cannot_end_a_literal():
    for needle in ("'); DROP TABLE logs; --", "\\'", "%' OR 1=1", "a\x00b'"):
        for condition in needle_conditions((needle,), (needle,)):
            literals = re.findall(r"'[^']*'", condition)
            assert condition.count("'") == 2 * len(literals)
            assert all(re.fullmatch(r"'[A-Za-z0-9 %]*'", literal) for literal in literals)


def test_nothing_is_asked_for_nothing():
    assert list(needle_conditions(("", "\ud800"), ("", "\udfff"))) == []


LINES = [
    "plain zebra crossing", "zebrafish", "a zebra1 b", "1zebra1", "ZEBRA", "Zebra zebra",
    '{"level":"error","msg":"it failed","code":500,"id":"4f2ab9cc7"}',
    "100% sure_thing\\n done", "percent % under _ back \\ quote ' double \" tick `",
    "ünïcödé zebraé ézebra 日本語zebra", "日本語", "emoji 🐢turtle🐢", "nul\x00zebra\x00end", "tab\tnew\nline\rzebra",
    "", " ", "é", "a", "ab", "conv-01234 conv-01235", "snake_case_word camelCaseWord kebab-case-word",
    "0123456789", "x" * 300, "word" * 50,
]  # fmt: skip
RAW = [b"broken \xff\xfe zebra", b"\xc3zebra\xc3", b"cut \xe6\x97 off", b"\x80\x80zebra"]


@pytest.fixture(scope="module")
def lines():
    return [line.encode() for line in LINES] + RAW


@pytest.fixture(params=["parts", "memory"])
def filled(request, store, lines):
    for begin in range(0, len(lines), 7):
        store.log_sink.write_logs(
            log_batch([entry({"a": "b"}, T_NS + begin, line) for line in lines[begin : begin + 7]])
        )
        assert request.param == "memory" or store.logs.flush()
    return store


def _stored(store, **needles):
    selection = store.log_reader.select_streams("default", [], *EVER)
    found = []
    for rows in store.log_reader.scan_lines(selection, LineRequest(*EVER, **needles), budget()):
        for begin, length in zip(rows.line.start.tolist(), rows.line.length.tolist(), strict=True):
            found.append(rows.line.buffer[begin : begin + length].tobytes())
    return sorted(found)


def _check(store, lines, needles, absent):
    wanted = sorted(
        line
        for line in lines
        if all(text.encode() in line for text in needles) and not any(text and text.encode() in line for text in absent)
    )
    # The index must lose nothing; that it lets nothing else through holds here too, as position() has the last word.
    assert _stored(store, needles=tuple(needles), absent=tuple(absent)) == wanted


def test_every_piece_of_every_line_finds_it(filled, lines):
    for text in LINES:
        for begin in range(0, min(len(text), 60), portion(3, 9)):
            for length in (1, 4, 11):
                _check(filled, lines, [text[begin : begin + length]], [])


def test_any_needles(filled, lines):
    pieces = st.sampled_from([text[a : a + n] for text in LINES for a in range(len(text)) for n in (1, 2, 5, 9)])
    texts = st.one_of(pieces, st.text(alphabet="zebra%_\\'\"\x00é日1 -🐢", max_size=8))

    @settings(max_examples=portion(150, 50), deadline=None, suppress_health_check=[HealthCheck.too_slow])
    @given(st.lists(texts, max_size=3), st.lists(texts, max_size=2))
    def check(needles, absent):
        _check(filled, lines, needles, absent)

    check()


@pytest.mark.parametrize("value", ["500", "error", "é", "'", "", "\ud800"])
def test_values_may_be_spelled_behind_a_backslash(filled, lines, value):
    asked = value.encode(errors="ignore")
    assert _stored(filled, values=(value,)) == sorted(line for line in lines if asked in line or b"\\" in line)


@pytest.mark.parametrize("backward", [True, False])
@pytest.mark.parametrize("n_rare", [3, portion(1500, 500)])
def test_a_walk_finds_every_rare_line(store, backward, n_rare):
    rare = set(range(0, 30 * n_rare, 30))
    entries = [
        entry({"a": "b"}, T_NS + k * 10**9, f"a zebra {k}" if k in rare else "plain") for k in range(30 * n_rare)
    ]
    for begin in range(0, len(entries), 10_000):
        store.log_sink.write_logs(log_batch(entries[begin : begin + 10_000]))
    assert store.logs.flush()
    store.log_sink.write_logs(log_batch([entry({"a": "b"}, T_NS + 7, "a zebra in memory")]))
    selection = store.log_reader.select_streams("default", [], *EVER)
    request = LineRequest(*EVER, needles=("zebra ",))
    walk = store.log_reader.walk_lines(selection, request, budget(), backward=backward, batch_lines=10)
    found = [
        [time for row, time in enumerate(rows.ts_ns.tolist()) if rows.line.text(row).startswith("a zebra")]
        for rows in walk
    ]
    times = [time for batch in found for time in sorted(batch, reverse=backward)]
    assert times == sorted([T_NS + 7, *(T_NS + k * 10**9 for k in rare)], reverse=backward)
