"""Values as texts, against OpenTelemetry's examples and JSON's rules."""

from __future__ import annotations

import math
import struct

import pytest
from opentelemetry.proto.common.v1 import common_pb2

from swarmscope.api.traces.value_text import json_value, spellings, value_text
from swarmscope.model.attributes import Scalar, ValueKind, spell_scalar

NESTED = common_pb2.KeyValueList(
    values=[
        common_pb2.KeyValue(key="list", value=common_pb2.AnyValue(array_value=common_pb2.ArrayValue(values=[
            common_pb2.AnyValue(int_value=1), common_pb2.AnyValue(string_value='a"b'), common_pb2.AnyValue(),
            common_pb2.AnyValue(bool_value=True), common_pb2.AnyValue(double_value=math.inf),
        ]))),
        common_pb2.KeyValue(key="raw", value=common_pb2.AnyValue(bytes_value=b"\1\2")),
        common_pb2.KeyValue(key="map", value=common_pb2.AnyValue(kvlist_value=common_pb2.KeyValueList())),
    ]
)  # fmt: skip


@pytest.mark.parametrize(
    ("value", "text"),
    [("", ""), ("7", "7"), (True, "true"), (False, "false"), (-3, "-3"), (1 << 60, "1152921504606846976"), (0.5, "0.5"),
     (math.nan, "NaN"), (-math.inf, "-Infinity"), (b"\1\2", "AQI="), (None, "")],
)  # fmt: skip
def test_scalars(value: Scalar, text: str) -> None:
    assert value_text(*spell_scalar(value)) == text


def test_lists_and_maps_are_json() -> None:
    text = '{"list":[1,"a\\"b",null,true,"Infinity"],"raw":"AQI=","map":{}}'
    assert value_text(ValueKind.MAP, NESTED.SerializeToString()) == text
    array = NESTED.values[0].value.array_value.SerializeToString()
    assert json_value(ValueKind.ARRAY, array) == [1, 'a"b', None, True, "Infinity"]


def test_what_reads_as_a_text() -> None:
    assert spellings("x") == {ValueKind.STRING: b"x"}
    assert spellings("true") == {ValueKind.STRING: b"true", ValueKind.BOOL: b"\1"}
    assert spellings("-2") == {
        ValueKind.STRING: b"-2",
        ValueKind.INT: (-2).to_bytes(8, "little", signed=True),
        ValueKind.DOUBLE: struct.pack("<d", -2.0),
    }
    assert set(spellings("1.5")) == {ValueKind.STRING, ValueKind.DOUBLE}
    assert set(spellings(str(1 << 70))) == {ValueKind.STRING, ValueKind.DOUBLE}  # no integer of 64 bits
    assert set(spellings("²")) == {ValueKind.STRING}
