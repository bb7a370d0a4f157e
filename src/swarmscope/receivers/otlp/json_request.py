"""OTLP/JSON to the same message in protobuf.

Source: https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding: keys in lowerCamelCase, 64-bit integers as
numbers or strings, enums as numbers, trace and span ids in hex, other bytes in Base64, unknown keys ignored. The
message is encoded field by field from the published descriptors, so nothing of the request exists three times.
"""

from __future__ import annotations

import base64
import binascii
import struct
from collections.abc import Callable
from functools import lru_cache
from typing import Any, NamedTuple

import orjson
from google.protobuf.descriptor import Descriptor, FieldDescriptor

from swarmscope.model.errors import MalformedInputError
from swarmscope.model.uvarint import to_uvarint

MAX_DEPTH = 64
_HEX_FIELDS = ("trace_id", "span_id", "parent_span_id")
_FLOATS = {"NaN": float("nan"), "Infinity": float("inf"), "-Infinity": float("-inf")}
_UINT64, _UINT32 = (1 << 64) - 1, (1 << 32) - 1
# Type: (lowest, highest, wire type)
_INTEGERS = {
    FieldDescriptor.TYPE_INT64: (-(1 << 63), (1 << 63) - 1, 0),
    FieldDescriptor.TYPE_UINT64: (0, _UINT64, 0),
    FieldDescriptor.TYPE_INT32: (-(1 << 31), (1 << 31) - 1, 0),
    FieldDescriptor.TYPE_UINT32: (0, _UINT32, 0),
    FieldDescriptor.TYPE_SINT32: (-(1 << 31), (1 << 31) - 1, 0),
    FieldDescriptor.TYPE_SINT64: (-(1 << 63), (1 << 63) - 1, 0),
    FieldDescriptor.TYPE_FIXED64: (0, _UINT64, 1),
    FieldDescriptor.TYPE_SFIXED64: (-(1 << 63), (1 << 63) - 1, 1),
    FieldDescriptor.TYPE_FIXED32: (0, _UINT32, 5),
    FieldDescriptor.TYPE_SFIXED32: (-(1 << 31), (1 << 31) - 1, 5),
}
_ZIGZAG = (FieldDescriptor.TYPE_SINT32, FieldDescriptor.TYPE_SINT64)

Encoder = Callable[[Any], bytes]


class _Member(NamedTuple):
    """How one key is written: the encoder gives the value with its length, but without the tag."""

    tag: bytes
    encode: Encoder | None  # None: a message of type `message`
    message: Descriptor | None
    repeated: bool


class _WrongTypeError(ValueError):
    """What the key should have held."""


def _integer_encoder(field: FieldDescriptor) -> Encoder:
    lowest, highest, wire = _INTEGERS[field.type]

    def encode(value: Any) -> bytes:
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        if isinstance(value, str):
            try:
                value = int(value, 10) if value.isascii() and len(value) <= 20 else None
            except ValueError:
                value = None
        if isinstance(value, bool) or not isinstance(value, int):
            raise _WrongTypeError("an integer, or one in a string")
        if not lowest <= value <= highest:
            raise _WrongTypeError(f"an integer from {lowest} to {highest}")
        if wire == 0:
            if field.type in _ZIGZAG:
                return to_uvarint((value << 1 ^ value >> 63) & _UINT64)
            return to_uvarint(value & _UINT64)
        return (value & _UINT64).to_bytes(8, "little") if wire == 1 else (value & _UINT32).to_bytes(4, "little")

    return encode


def _encode_double(value: Any) -> bytes:
    if isinstance(value, str):
        try:
            value = _FLOATS[value] if value in _FLOATS else float(value)
        except ValueError:
            value = None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise _WrongTypeError('a number, "NaN", "Infinity" or "-Infinity"')
    try:
        return struct.pack("<d", value)
    except OverflowError:
        raise _WrongTypeError("a number that a double can hold") from None


def _encode_bool(value: Any) -> bytes:
    if not isinstance(value, bool):
        raise _WrongTypeError("true or false")
    return b"\x01" if value else b"\x00"


def _encode_string(value: Any) -> bytes:
    if not isinstance(value, str):
        raise _WrongTypeError("a string")
    data = value.encode()
    return to_uvarint(len(data)) + data


def _bytes_encoder(name: str) -> Encoder:
    def encode(value: Any) -> bytes:
        if not isinstance(value, str):
            raise _WrongTypeError("a string")
        try:
            data = bytes.fromhex(value) if name in _HEX_FIELDS else base64.b64decode(value, validate=True)
        except (ValueError, binascii.Error):
            raise _WrongTypeError("hexadecimal digits" if name in _HEX_FIELDS else "Base64") from None
        return to_uvarint(len(data)) + data

    return encode


def _enum_encoder(field: FieldDescriptor) -> Encoder:
    # Numbers are the rule; names are what protobuf's own JSON has, and some senders use.
    enum_type: Any = field.enum_type
    names: dict[str, int] = {value.name: value.number for value in enum_type.values}

    def encode(value: Any) -> bytes:
        number = names.get(value) if isinstance(value, str) else value
        if isinstance(number, bool) or not isinstance(number, int) or not -(1 << 31) <= number < 1 << 31:
            raise _WrongTypeError("an enum's number")
        return to_uvarint(number & _UINT64)

    return encode


def _to_member(field: FieldDescriptor) -> _Member:
    if field.type == FieldDescriptor.TYPE_MESSAGE:
        return _Member(to_uvarint(field.number << 3 | 2), None, field.message_type, bool(field.is_repeated))
    encode: Encoder
    wire = 2
    if field.type in _INTEGERS:
        encode, wire = _integer_encoder(field), _INTEGERS[field.type][2]
    elif field.type == FieldDescriptor.TYPE_DOUBLE:
        encode, wire = _encode_double, 1
    elif field.type == FieldDescriptor.TYPE_BOOL:
        encode, wire = _encode_bool, 0
    elif field.type == FieldDescriptor.TYPE_ENUM:
        encode, wire = _enum_encoder(field), 0
    elif field.type == FieldDescriptor.TYPE_STRING:
        encode = _encode_string
    else:
        encode = _bytes_encoder(field.name)
    return _Member(to_uvarint(field.number << 3 | wire), encode, None, bool(field.is_repeated))


@lru_cache(maxsize=256)
def _members(descriptor: Descriptor) -> dict[str, _Member]:
    return {field.json_name: _to_member(field) for field in descriptor.fields}


def _encode_message(descriptor: Descriptor, value: Any, path: str, depth: int) -> bytearray:
    if not isinstance(value, dict):
        raise MalformedInputError(f"{path or 'the request'}: an object is expected, not {_name_of(value)}")
    if depth > MAX_DEPTH:
        raise MalformedInputError(f"{path}: nested more than {MAX_DEPTH} levels deep")
    members = _members(descriptor)
    out = bytearray()
    for key, item in value.items():
        member = members.get(key)
        if member is None or item is None:
            continue
        where = f"{path}.{key}" if path else key
        if not member.repeated:
            _encode_item(out, member, item, where, depth)
            continue
        if not isinstance(item, list):
            raise MalformedInputError(f"{where}: an array is expected, not {_name_of(item)}")
        for number, element in enumerate(item):
            _encode_item(out, member, element, f"{where}[{number}]", depth)
    return out


def _encode_item(out: bytearray, member: _Member, item: Any, where: str, depth: int) -> None:
    if member.encode is None:
        assert member.message is not None  # noqa: S101 - one of the two is set, see _to_member
        inside = _encode_message(member.message, item, where, depth + 1)
        out += member.tag + to_uvarint(len(inside))
        out += inside
        return
    try:
        data = member.encode(item)
    except _WrongTypeError as error:
        raise MalformedInputError(f"{where}: expected {error}, not {_name_of(item)}") from None
    out += member.tag
    out += data


def _name_of(value: Any) -> str:
    text = orjson.dumps(value).decode() if not isinstance(value, dict | list) else type(value).__name__
    return text if len(text) <= 40 else f"{text[:40]}…"


def encode_json_request(descriptor: Descriptor, body: bytes) -> bytes:
    """A JSON document as a serialised message of the type. Raises MalformedInputError, which names the path."""
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise MalformedInputError(f"the body is not JSON: {error}") from error
    return bytes(_encode_message(descriptor, document, "", 0))
