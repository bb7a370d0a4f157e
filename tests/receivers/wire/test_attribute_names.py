from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from swarmscope.model.attributes import AttributeSets, ValueColumn, bytes_column
from swarmscope.receivers.wire.attribute_names import match_words, settle_names
from swarmscope.receivers.wire.key_hash import derive_secrets

SECRETS = derive_secrets(1, 1)


def to_sets(sets: list[list[tuple[str, int]]]) -> AttributeSets:
    pairs = [pair for one in sets for pair in one]
    values = AttributeSets.from_dicts([{"x": value} for _, value in pairs]).values
    offsets = np.cumsum([0, *map(len, sets)])
    return AttributeSets(offsets, bytes_column([name.encode() for name, _ in pairs]), values)


@given(st.lists(st.lists(st.tuples(st.sampled_from(["", "a", "b", "ab", "a" * 30]), st.integers(0, 99)), max_size=9)))
def test_the_last_of_each_name_is_kept(sets: list[list[tuple[str, int]]]) -> None:
    expected = []
    for one in sets:
        kept: dict[str, int] = {}
        for name, value in one:
            kept.pop(name, None)
            kept[name] = value
        kept.pop("", None)
        expected.append(list(kept.items()))
    assert [list(found.items()) for found in settle_names(to_sets(sets), SECRETS).to_dicts()] == expected


def test_words() -> None:
    values: ValueColumn = AttributeSets.from_dicts(
        [{"v": value} for value in ("ok", "OK", "Error", "", "errors", "o", True, 7, b"ok", None)]
    ).values
    assert match_words(values, ("ok", "error")).tolist() == [0, 0, 1, -1, -1, -1, -1, -1, -1, -1]
    assert match_words(ValueColumn.absent(2), ("ok",)).tolist() == [-1, -1]
