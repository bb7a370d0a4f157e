"""Texts as codes: equal texts, equal codes, however many there are and wherever they stand."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swarmscope.model.errors import LimitExceededError
from swarmscope.model.labels import Utf8Column
from swarmscope.model.series import ABSENT
from swarmscope.query.logql.text_interning import TextTable, distinct_texts

_TEXTS = st.lists(st.one_of(st.sampled_from(["", "a", "b", "info"]), st.text(max_size=30)), max_size=60)


@given(_TEXTS)
def test_codes_are_equal_where_texts_are(texts: list[str]) -> None:
    codes, first = distinct_texts(Utf8Column.from_strings(texts))
    assert [ABSENT if code < 0 else texts[first[code]] for code in codes] == [text or ABSENT for text in texts]
    assert len(first) == len(set(texts) - {""})


@given(st.lists(_TEXTS, max_size=5))
def test_a_table_keeps_codes_over_many_batches(batches: list[list[str]]) -> None:
    table = TextTable()
    known: dict[str, int] = {}
    for texts in batches:
        for text, code in zip(texts, table.add(Utf8Column.from_strings(texts)).tolist(), strict=True):
            if not text:
                assert code == ABSENT
                continue
            assert known.setdefault(text, code) == code
            assert table.text(code) == text
            assert table.code(text) == code
    assert len(table) == len(known)


def test_tables_grow() -> None:
    texts = [f"value-{k}" for k in range(50_000)]
    codes, _ = distinct_texts(Utf8Column.from_strings(texts + texts))
    assert codes.tolist() == [*range(50_000), *range(50_000)]
    table = TextTable()
    assert table.add(Utf8Column.from_strings(texts)).tolist() == list(range(50_000))
    assert table.add(Utf8Column.from_strings(texts[::-1])).tolist() == list(range(50_000))[::-1]


def test_asking_for_a_text_does_not_add_it() -> None:
    table = TextTable()
    assert table.code("x") == ABSENT
    assert len(table) == 0
    with pytest.raises(IndexError):
        table.text(0)


def test_texts_are_bounded() -> None:
    with pytest.raises(LimitExceededError):
        TextTable(max_characters=10).add(Utf8Column.from_strings(["0123456789", "x"]))
