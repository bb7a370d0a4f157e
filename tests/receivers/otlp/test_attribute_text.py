from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.common.v1.common_pb2 import AnyValue

from swarmscope.receivers.otlp.attribute_text import to_attribute_text, to_number_text, to_plain_number_text


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (AnyValue(string_value="x"), "x"),
        (AnyValue(bool_value=True), "true"),
        (AnyValue(bool_value=False), "false"),
        (AnyValue(int_value=-5), "-5"),
        (AnyValue(double_value=2.0), "2"),
        (AnyValue(double_value=0.25), "0.25"),
        (AnyValue(double_value=1e21), "1e+21"),
        (AnyValue(double_value=1e-7), "1e-7"),
        (AnyValue(bytes_value=b"\x00\xff"), "AP8="),
        (AnyValue(), ""),
    ],
)
def test_scalars(value: AnyValue, expected: str) -> None:
    assert to_attribute_text(value) == expected


def test_lists_and_maps_are_json_with_sorted_keys() -> None:
    value = AnyValue()
    items = value.array_value.values
    items.add(string_value='a"b')
    items.add(int_value=1)
    items.add()
    inner = items.add().kvlist_value.values
    inner.add(key="z").value.double_value = 1.5
    inner.add(key="b").value.bool_value = True
    assert to_attribute_text(value) == '["a\\"b",1,null,{"b":true,"z":1.5}]'


@pytest.mark.parametrize(
    ("value", "expected"),
    [(5.0, "5"), (0.005, "0.005"), (1e-5, "0.00001"), (1.5e-7, "0.00000015"), (1e22, "1" + "0" * 22),
     (1.25e17, "125000000000000000"), (-2.5, "-2.5"), (math.inf, "+Inf"), (-math.inf, "-Inf")],
)  # fmt: skip
def test_bounds_have_no_exponent(value: float, expected: str) -> None:
    assert to_plain_number_text(value) == expected


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_texts_read_back(value: float) -> None:
    assert float(to_plain_number_text(value)) == value
    assert float(to_number_text(value)) == value
    assert "e" not in to_plain_number_text(value)
