import json
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.ingest.redaction.vectors import FINDS
from tests.portion import portion

from swarmscope.ingest.redaction.choosing import chosen_detectors
from swarmscope.ingest.redaction.redactor import Redactor
from swarmscope.model.labels import Utf8Column

ALL = Redactor(chosen_detectors(["secrets", "personal", "network"], [], {}), {}, b"")
SECRETS = Redactor(chosen_detectors(["secrets"], [], {}), {}, b"")
_PIECES = [text for vectors in FINDS.values() for text, _ in vectors]
_texts = st.lists(
    st.one_of(st.text(max_size=20), st.sampled_from(_PIECES), st.sampled_from([" ", "=", '"', "\\", "\n", "{", "}"])),
    max_size=5,
).map("".join)

_values = st.recursive(
    st.one_of(st.integers(), st.booleans(), st.none(), _texts),
    lambda inner: st.lists(inner) | st.dictionaries(_texts, inner),
)


def _redact(redactor: Redactor, texts: list[str]) -> list[str]:
    return redactor.redact(Utf8Column.from_strings(texts)).column.to_strings()


@settings(max_examples=portion(400, 133), deadline=None)
@given(_texts)
def test_redacting_twice_changes_nothing(text):
    once = _redact(ALL, [text])
    assert _redact(ALL, once) == once


@settings(max_examples=portion(150, 50), deadline=None)
@given(st.lists(_texts, max_size=40))
def test_a_text_does_not_depend_on_its_neighbours(texts):
    assert _redact(ALL, texts) == [_redact(ALL, [text])[0] for text in texts]


@settings(max_examples=portion(150, 50), deadline=None)
@given(_values, st.booleans())
def test_json_stays_json(value, is_ascii):
    (line,) = _redact(ALL, [json.dumps({"value": value}, ensure_ascii=is_ascii)])
    json.loads(line)


@settings(max_examples=portion(100, 33), deadline=None)
@given(st.lists(st.text(alphabet="abc xyz,;\n", max_size=50), max_size=30))
def test_texts_without_finds_keep_their_buffer(texts):
    column = Utf8Column.from_strings(texts)
    result = ALL.redact(column)
    assert result.column is column
    assert not result.hits


def test_what_lies_between_texts_is_not_looked_at():
    buffer = np.frombuffer(b"password=abc password=abc secret@mail.example", np.uint8)
    # "password", "abc" and "secret" are texts of their own; what joins them is none's.
    column = Utf8Column(buffer, np.array([0, 9, 26]), np.array([8, 3, 6]))
    assert ALL.redact(column).column is column


def test_texts_in_any_order_and_overlapping():
    buffer = np.frombuffer(b"x password=abc y", np.uint8)
    column = Utf8Column(buffer, np.array([2, 0, 2, 11]), np.array([12, 16, 9, 3]))
    expected = ["password=[REDACTED:password]", "x password=[REDACTED:password] y", "password=", "abc"]
    assert ALL.redact(column).column.to_strings() == expected


def test_texts_larger_than_a_chunk_and_empty_ones():
    texts = ["", "a" * 300_000 + " password=abc " + "b" * 300_000, "", "password=x", *[""] * 50]
    redacted = _redact(SECRETS, texts)
    assert redacted[1] == "a" * 300_000 + " password=[REDACTED:password] " + "b" * 300_000
    assert redacted[3] == "password=[REDACTED:password]"
    assert [redacted[0], *redacted[4:]] == [""] * 51


@pytest.mark.parametrize("n_detectors", [0, 1])
def test_no_texts_and_no_detectors(n_detectors):
    redactor = Redactor(chosen_detectors(["email"] * n_detectors, [], {}), {}, b"")
    assert _redact(redactor, []) == []
    assert _redact(redactor, ["x"]) == ["x"]


def test_memory_does_not_grow_with_the_column():
    column = Utf8Column.from_strings(["nothing to find in here, at all, of any kind whatsoever"] * 200_000)
    SECRETS.redact(column.take(np.arange(10)))
    tracemalloc.start()
    SECRETS.redact(column)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    # Ends of texts are 8 bytes each; the 11 MB of text are copied in chunks.
    assert peak < 200_000 * 8 * 4
