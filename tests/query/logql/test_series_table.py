"""Label sets as numbers, over batches that bring new names and new sets."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from swarmscope.model.errors import LimitExceededError
from swarmscope.model.series import ABSENT
from swarmscope.query.logql.series_table import SeriesTable

_SETS = st.lists(st.dictionaries(st.sampled_from("abcdef"), st.integers(0, 3), max_size=4), max_size=12)


def _resolve(table: SeriesTable, sets: list[dict[str, int]]) -> list[int]:
    names = sorted({name for each in sets for name in each})
    codes = np.array([[each.get(name, ABSENT) for each in sets] for name in names], np.int32)
    return table.resolve(names, codes.reshape(len(names), len(sets))).tolist()


@given(st.lists(_SETS, max_size=6))
def test_equal_sets_have_one_number(batches: list[list[dict[str, int]]]) -> None:
    table = SeriesTable()
    known: dict[frozenset[tuple[str, int]], int] = {}
    for sets in batches:
        for each, number in zip(sets, _resolve(table, sets), strict=True):
            assert known.setdefault(frozenset(each.items()), number) == number
    assert len(table) == len(known)
    labels = table.labels
    for pairs, number in known.items():
        row = dict(zip(labels.names, labels.codes[:, number].tolist(), strict=True))
        assert {(name, code) for name, code in row.items() if code != ABSENT} == pairs


def test_many_sets() -> None:
    table = SeriesTable()
    codes = np.arange(20_000, dtype=np.int32)
    pairs = np.vstack([codes % 200, codes // 200])
    assert table.resolve(("x", "y"), pairs).tolist() == codes.tolist()
    assert table.resolve(("y", "x"), pairs[::-1]).tolist() == codes.tolist()
    assert len(table) == 20_000


def test_one_series_too_many_is_refused() -> None:
    table = SeriesTable(max_series=2, message="too many")
    table.resolve(("x",), np.array([[0, 1, 1, 0]], np.int32))
    with pytest.raises(LimitExceededError, match="too many"):
        table.resolve(("x",), np.array([[2]], np.int32))
