"""Writes Thrift structs in both protocols, plainly, from the protocols' published descriptions."""

from __future__ import annotations

import struct
from typing import Any, NamedTuple

# (type in the binary protocol, type in the compact protocol)
BOOL, BYTE, DOUBLE, I16, I32, I64, STRING, STRUCT, MAP, SET, LIST = (
    (2, 1), (3, 3), (4, 7), (6, 4), (8, 5), (10, 6), (11, 8), (12, 12), (13, 11), (14, 10), (15, 9)
)  # fmt: skip
_FORMATS = {BYTE: ">b", I16: ">h", I32: ">i", I64: ">q", DOUBLE: ">d"}

Type = tuple[int, int]


class Field(NamedTuple):
    """A field of a struct; a list's value is (element type, elements), a map's (key type, value type, pairs)."""

    number: int
    type: Type
    value: Any


def varint(number: int) -> bytes:
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*out, number])


def zigzag(number: int) -> bytes:
    return varint(number << 1 if number >= 0 else (-number << 1) - 1)


def binary(fields: list[Field]) -> bytes:
    parts = [bytes([kind[0]]) + struct.pack(">h", number) + _binary(kind, value) for number, kind, value in fields]
    return b"".join(parts) + b"\0"


def _binary(kind: Type, value: Any) -> bytes:
    if kind == BOOL:
        return bytes([value])
    if kind in _FORMATS:
        return bytes(struct.pack(_FORMATS[kind], value))
    if kind == STRING:
        return struct.pack(">i", len(value)) + bytes(value)
    if kind == STRUCT:
        return binary(value)
    if kind == MAP:
        keys, values, pairs = value
        head = bytes([keys[0], values[0]]) + struct.pack(">i", len(pairs))
        return head + b"".join(_binary(keys, key) + _binary(values, item) for key, item in pairs)
    element, items = value
    head = bytes([element[0]]) + struct.pack(">i", len(items))
    return head + b"".join(_binary(element, item) for item in items)


def compact(fields: list[Field]) -> bytes:
    out, last = b"", 0
    for number, kind, value in fields:
        code = (1 if value else 2) if kind == BOOL else kind[1]
        step = number - last
        out += bytes([step << 4 | code]) if 0 < step <= 15 else bytes([code]) + zigzag(number)
        last = number
        out += b"" if kind == BOOL else _compact(kind, value)
    return out + b"\0"


def _compact(kind: Type, value: Any) -> bytes:
    if kind == BOOL:
        return bytes([1 if value else 2])
    if kind == BYTE:
        return struct.pack(">b", value)
    if kind == DOUBLE:
        return struct.pack("<d", value)
    if kind in _FORMATS:
        return zigzag(value)
    if kind == STRING:
        return varint(len(value)) + bytes(value)
    if kind == STRUCT:
        return compact(value)
    if kind == MAP:
        keys, values, pairs = value
        head = varint(len(pairs)) + (bytes([keys[1] << 4 | values[1]]) if pairs else b"")
        return head + b"".join(_compact(keys, key) + _compact(values, item) for key, item in pairs)
    element, items = value
    short = len(items) < 15
    head = bytes([(len(items) if short else 15) << 4 | element[1]]) + (b"" if short else varint(len(items)))
    return head + b"".join(_compact(element, item) for item in items)
