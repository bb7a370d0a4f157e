"""Attributes as columns and back."""

from __future__ import annotations

import numpy as np
import pytest

from swarmscope.model.attributes import AttributeSets, ValueColumn, ValueKind, spell_scalar, to_scalar

SETS = [
    {"http.method": "GET", "retry": True, "code": -7, "ratio": 0.25},
    {},
    {"raw": b"\x00\xff", "nothing": None, "grüße": "ö", "off": False, "big": 2**62},
]


def test_scalars_come_back_as_they_were() -> None:
    assert AttributeSets.from_dicts(SETS).to_dicts() == SETS


def test_taken_sets_keep_their_pairs() -> None:
    taken = AttributeSets.from_dicts(SETS).take(np.array([2, 1, 0, 2]))
    assert taken.to_dicts() == [SETS[2], SETS[1], SETS[0], SETS[2]]


def test_sets_without_some_pairs() -> None:
    sets = AttributeSets.from_dicts([{"a": 1, "b": 2}, {}, {"c": 3}])
    assert sets.without(np.array([0, 2])).to_dicts() == [{"b": 2}, {}, {}]
    assert sets.without(np.zeros(0, np.int64)) is sets


def test_one_attribute_of_every_set() -> None:
    sets = AttributeSets.from_dicts([{"a": 1, "ab": "x"}, {}, {"ab": None}, {"b": 2.0, "ab": "yz"}])
    column = sets.column("ab")
    assert column.kind.tolist() == [ValueKind.STRING, ValueKind.ABSENT, ValueKind.EMPTY, ValueKind.STRING]
    assert [column.scalar(row) for row in range(4)] == ["x", None, None, "yz"]


def test_an_attribute_that_no_set_has() -> None:
    assert AttributeSets.from_dicts([{}, {}]).column("a").kind.tolist() == [0, 0]
    assert AttributeSets.from_dicts([{"b": 1}]).column("a").kind.tolist() == [0]


def test_an_absent_value_is_none_and_has_no_bytes() -> None:
    column = ValueColumn.absent(2)
    assert [column.scalar(0), column.scalar(1), len(column)] == [None, None, 2]


@pytest.mark.parametrize(
    ("value", "kind", "text"),
    [
        ("é", ValueKind.STRING, b"\xc3\xa9"),
        (True, ValueKind.BOOL, b"\x01"),
        (-2, ValueKind.INT, b"\xfe" + b"\xff" * 7),
        (1.0, ValueKind.DOUBLE, b"\0\0\0\0\0\0\xf0\x3f"),
        (b"x", ValueKind.BYTES, b"x"),
        (None, ValueKind.EMPTY, b""),
    ],
)
def test_the_bytes_of_each_kind(value: str | bool | int | float | bytes | None, kind: ValueKind, text: bytes) -> None:
    assert spell_scalar(value) == (kind, text)
    assert to_scalar(kind, text) == value


def test_an_integer_of_more_than_64_bits_is_refused() -> None:
    with pytest.raises(OverflowError):
        spell_scalar(1 << 63)
