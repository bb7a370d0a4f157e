"""Annotations as events: OpenTelemetry's exporters put an event's attributes behind its name, in JSON.

Source: https://opentelemetry.io/docs/specs/otel/trace/sdk_exporters/zipkin/#events. Met in the field:
`{"name": {"key": value}}`, `"name": {…}`, `name: {…}`, and the collector's `name|{…}|dropped count`.
"""

from __future__ import annotations

import struct
from typing import Any

import orjson
from opentelemetry.proto.common.v1 import common_pb2

from swarmscope.model.attributes import ValueKind, spell_scalar

_MAX_INT = (1 << 63) - 1
_MAX_DIGITS = 9
_MAX_NESTED = 16


class Event:
    """A name, attributes and a dropped count."""

    __slots__ = ("attributes", "dropped", "name")

    def __init__(self, name: str, attributes: dict[str, Any], dropped: int = 0) -> None:
        self.name = name
        self.attributes = attributes
        self.dropped = dropped


def _load_object(text: str) -> dict[str, Any] | None:
    try:
        found = orjson.loads(text)
    except orjson.JSONDecodeError:
        return None
    return found if isinstance(found, dict) else None


def parse_event(text: str) -> Event | None:
    """The event that an annotation spells, None where it is no more than a name."""
    if text.endswith("}"):
        return _parse_whole(text) if text.startswith("{") else _parse_pair(text)
    head, bar, digits = text.rpartition("|")
    if bar and digits.isascii() and digits.isdigit() and len(digits) <= _MAX_DIGITS:
        name, bar, rest = head.partition("|")
        attributes = _load_object(rest) if bar else None
        if attributes is not None:
            return Event(name, attributes, int(digits))
    return None


def _parse_whole(text: str) -> Event | None:
    found = _load_object(text)
    if found is None or len(found) != 1:
        return None
    name, attributes = next(iter(found.items()))
    return Event(name, attributes) if isinstance(attributes, dict) else None


def _parse_pair(text: str) -> Event | None:
    name, colon, rest = text.partition(": {")
    attributes = _load_object("{" + rest) if colon else None
    if attributes is None:
        return None
    if len(name) > 1 and name.startswith('"') and name.endswith('"'):
        try:
            name = orjson.loads(name)
        except orjson.JSONDecodeError:
            return None
    return Event(name, attributes)


def _to_any_value(value: Any, depth: int = 0) -> Any:
    match value:
        case str():
            return common_pb2.AnyValue(string_value=value)
        case bool():
            return common_pb2.AnyValue(bool_value=value)
        case int() if -_MAX_INT <= value <= _MAX_INT:
            return common_pb2.AnyValue(int_value=value)
        case int() | float():
            return common_pb2.AnyValue(double_value=float(value))
        case list() | dict() if depth >= _MAX_NESTED:
            return common_pb2.AnyValue(string_value=orjson.dumps(value).decode())
        case list():
            values = [_to_any_value(item, depth + 1) for item in value]
            return common_pb2.AnyValue(array_value=common_pb2.ArrayValue(values=values))
        case dict():
            return common_pb2.AnyValue(kvlist_value=_to_list(value, depth))
        case _:
            return common_pb2.AnyValue()


def _to_list(value: dict[str, Any], depth: int) -> common_pb2.KeyValueList:
    pairs = [common_pb2.KeyValue(key=key, value=_to_any_value(item, depth + 1)) for key, item in value.items()]
    return common_pb2.KeyValueList(values=pairs)


def spell_json(value: Any) -> tuple[ValueKind, bytes]:
    """Kind and bytes of a value as JSON has it."""
    match value:
        case list():
            return ValueKind.ARRAY, _to_any_value(value).array_value.SerializeToString()
        case dict():
            return ValueKind.MAP, _to_list(value, 0).SerializeToString()
        case int() if not -_MAX_INT <= value <= _MAX_INT:
            return ValueKind.DOUBLE, struct.pack("<d", float(value))
        case _:
            return spell_scalar(value)
