"""Label frames against plain Python label sets."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from swarmscope.model.series import ABSENT, LabelFrame
from swarmscope.query.promql.label_columns import concatenate, distinct_codes, group_by_labels, labels_of, sorted_order
from swarmscope.query.promql.memory_reader import ListSymbols
from swarmscope.query.promql.symbols import QuerySymbols

_SETS = st.lists(
    st.dictionaries(st.sampled_from("abcd"), st.sampled_from(["x", "y", "zz", "é"]), max_size=4), max_size=12
)


def _frame(sets: list[dict[str, str]], symbols: QuerySymbols) -> LabelFrame:
    names = sorted({name for labels in sets for name in labels}, reverse=True)
    codes = np.full((len(names), len(sets)), ABSENT, np.int32)
    for k, labels in enumerate(sets):
        for name, value in labels.items():
            codes[names.index(name), k] = symbols.code(value)
    return LabelFrame(tuple(names), codes)


@given(_SETS)
def test_order_is_that_of_sorted_pairs(sets: list[dict[str, str]]) -> None:
    symbols = QuerySymbols(ListSymbols())
    order = sorted_order(_frame(sets, symbols), symbols)
    pairs = [sorted(sets[k].items()) for k in order]
    assert pairs == sorted(pairs)


@given(_SETS, _SETS)
def test_equal_sets_are_one_group_across_frames(first: list[dict[str, str]], second: list[dict[str, str]]) -> None:
    symbols = QuerySymbols(ListSymbols())
    both = concatenate(_frame(first, symbols), _frame(second, symbols))
    group, representatives = group_by_labels(both)
    for k, labels in enumerate(first + second):
        assert labels_of(both, k, symbols) == dict(sorted(labels.items()))
        assert labels_of(both, int(representatives[group[k]]), symbols) == dict(sorted(labels.items()))
    assert len(representatives) == len({tuple(sorted(labels.items())) for labels in first + second})


@given(st.lists(st.one_of(st.integers(-1, 50), st.just(1 << 30)), min_size=1))
def test_distinct_codes(values: list[int]) -> None:
    codes = np.array(values, np.int32)
    distinct, place = distinct_codes(codes)
    assert distinct.tolist() == sorted(set(values))
    assert distinct[place].tolist() == values


def test_own_strings_keep_their_code_when_the_catalogue_learns_them() -> None:
    base = ListSymbols()
    symbols = QuerySymbols(base)
    own = symbols.code("new")
    late = base.learn("new")
    assert symbols.code("new") == own
    assert symbols.adopt(np.array([late, ABSENT], np.int32)).tolist() == [own, ABSENT]
    assert symbols.text(own) == "new"
    assert symbols.code("") == ABSENT
