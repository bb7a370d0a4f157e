"""Stored values to typed ones: numbers, and elements of arrays, well-formed or not."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue

from swarmscope.model.attributes import ValueColumn, ValueKind, bytes_column, spell_scalar
from swarmscope.model.labels import Utf8Column
from swarmscope.query.traceql.comparisons import compare_values, match_values
from swarmscope.query.traceql.value_decoding import decode_values
from swarmscope.query.traceql.values import Tag, text_values, whole_values


def any_value(value):
    match value:
        case bool():
            return AnyValue(bool_value=value)
        case int():
            return AnyValue(int_value=value)
        case float():
            return AnyValue(double_value=value)
        case str():
            return AnyValue(string_value=value)
        case _:
            return AnyValue()


def column(*values):
    """Lists are arrays, all else is itself."""
    spelled = [
        (ValueKind.ARRAY, ArrayValue(values=map(any_value, value)).SerializeToString())
        if isinstance(value, list)
        else spell_scalar(value)
        for value in values
    ]
    kinds = np.array([kind for kind, _ in spelled], np.uint8)
    return decode_values(ValueColumn(kinds, bytes_column([text for _, text in spelled])))


def held(op, values, wanted, n):
    literal = (
        text_values(Utf8Column.from_strings([wanted]))
        if isinstance(wanted, str)
        else whole_values(Tag.INTEGER, np.array([wanted], np.int64))
    )
    return compare_values(op, values, literal, n).tolist()


@given(st.lists(st.one_of(st.integers(-(2**63), 2**63 - 1), st.floats(allow_nan=False), st.booleans(), st.text())))
def test_scalars_come_back(values):
    decoded = column(*values)
    assert [decoded.typed(i).value for i in range(len(values))] == values


scalars = st.one_of(st.integers(-(2**63), 2**63 - 1), st.floats(allow_nan=False), st.booleans(), st.text(max_size=3))


@given(st.lists(st.one_of(scalars, st.lists(scalars, min_size=1, max_size=4)), max_size=6))
def test_elements_come_back(values):
    decoded = column(*values)
    flat = [each for value in values for each in (value if isinstance(value, list) else [value])]
    assert [decoded.typed(i).value for i in range(len(decoded))] == flat


def test_one_element_is_enough_and_a_denial_is_of_all():
    values = column([1, 2, 3], [4], 2, [], ["2", 2.0])
    assert held("=", values, 2, 5) == [True, False, True, False, True]
    assert held(">", values, 2, 5) == [True, True, False, False, False]
    assert held("!=", values, 2, 5) == [False, True, False, False, False]
    assert held("=", values, "2", 5) == [False, False, False, False, True]
    assert match_values("=~", column(["ab", "c"], "c", ["d"]), "c|x", 3).tolist() == [True, True, False]
    assert match_values("!~", column(["ab", "c"], "c", ["d"]), "c|x", 3).tolist() == [False, False, True]


@given(st.lists(st.binary(max_size=40), max_size=4))
def test_noise_is_no_array(texts):
    kinds = np.full(len(texts), ValueKind.ARRAY, np.uint8)
    decoded = decode_values(ValueColumn(kinds, bytes_column(texts)))
    owner = decoded.owner if decoded.owner is not None else np.arange(len(texts))
    assert set(owner.tolist()) == set(range(len(texts)))
    ends = decoded.text.start + decoded.text.length
    assert (decoded.text.length >= 0).all()
    assert (ends <= len(decoded.text.buffer)).all()


@pytest.mark.parametrize("size", [0, 4, 7])
def test_a_double_that_is_cut_off_reads_nothing_behind_it(size):
    """A field whose eight bytes are not all there ends the array."""
    message = b"\x0a" + bytes([1 + size]) + b"\x21" + bytes(size)
    decoded = decode_values(ValueColumn(np.array([ValueKind.ARRAY], np.uint8), bytes_column([message])))
    assert decoded.typed(0).tag is Tag.OTHER
