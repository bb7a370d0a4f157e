"""Stored attribute values to typed columns; elements of arrays become values of their own.

Arrays are messages opentelemetry.proto.common.v1.ArrayValue:
https://github.com/open-telemetry/opentelemetry-proto/blob/main/opentelemetry/proto/common/v1/common.proto
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from swarmscope.model.attributes import ValueColumn, ValueKind
from swarmscope.model.labels import Utf8Column
from swarmscope.model.raw_memory import Int, load_u8, load_u64
from swarmscope.query.traceql.values import Tag, Values

_TAG_OF_KIND = np.zeros(len(ValueKind), np.uint8)
_TAG_OF_KIND[ValueKind.STRING] = Tag.STRING
_TAG_OF_KIND[ValueKind.BOOL] = Tag.BOOLEAN
_TAG_OF_KIND[ValueKind.INT] = Tag.INTEGER
_TAG_OF_KIND[ValueKind.DOUBLE] = Tag.FLOAT
_TAG_OF_KIND[ValueKind.BYTES] = Tag.OTHER
_TAG_OF_KIND[ValueKind.ARRAY] = Tag.ARRAY
_TAG_OF_KIND[ValueKind.MAP] = Tag.OTHER
_STRING, _INTEGER, _FLOAT, _BOOLEAN, _ARRAY, _OTHER = (
    int(Tag.STRING), int(Tag.INTEGER), int(Tag.FLOAT), int(Tag.BOOLEAN), int(Tag.ARRAY), int(Tag.OTHER)
)  # fmt: skip
_VARINT, _EIGHT_BYTES, _LENGTH, _FOUR_BYTES = 0, 1, 2, 5  # wire types of protobuf


def decode_values(column: ValueColumn, owner: NDArray[np.int64] | None = None) -> Values:
    """Typed values [n] of stored ones; `owner` [n] says whose they are where that is not the position."""
    n = len(column)
    kinds = column.kind
    tag = _TAG_OF_KIND[kinds]
    whole, real = np.zeros(n, np.int64), np.zeros(n, np.float64)
    text = column.text
    start, length = np.ascontiguousarray(text.start), np.ascontiguousarray(text.length)
    if len(text.buffer):
        _decode_numbers(tag, text.buffer.ctypes.data, start, whole, real)
    decoded = Values(tag, whole, real, Utf8Column(text.buffer, start, length), owner=owner)
    return _with_elements(decoded) if (tag == Tag.ARRAY).any() else decoded


@njit(nogil=True, cache=True)
def _decode_numbers(
    tag: NDArray[np.uint8],
    base: Int,
    start: NDArray[np.int64],
    whole: NDArray[np.int64],
    real: NDArray[np.float64],
) -> None:
    word = np.zeros(1, np.int64)
    for i in range(len(tag)):
        if tag[i] == _INTEGER:
            whole[i] = np.int64(load_u64(base, start[i]))
            real[i] = whole[i]
        elif tag[i] == _FLOAT:
            word[0] = np.int64(load_u64(base, start[i]))
            real[i] = word.view(np.float64)[0]
        elif tag[i] == _BOOLEAN:
            whole[i] = np.int64(load_u8(base, start[i]))


def _with_elements(values: Values) -> Values:
    """The elements in their arrays' places; an empty array stays one value that is nothing."""
    text = values.text
    base = text.buffer.ctypes.data
    counts = _count_elements(values.tag, base, text.start, text.length)
    origin = np.repeat(np.arange(len(values)), counts)
    flat = values.take(origin)
    tag, whole, real = flat.tag.copy(), flat.whole.copy(), flat.real.copy()
    start, length = flat.text.start.copy(), flat.text.length.copy()
    _fill_elements(values.tag, base, text.start, text.length, Elements(tag, start, length))
    if len(text.buffer):
        numeric = np.where(flat.tag == Tag.ARRAY, tag, np.uint8(Tag.NIL))
        _decode_elements(numeric, base, start, length, whole, real)
    owner = origin if values.owner is None else values.owner[origin]
    return Values(tag, whole, real, Utf8Column(text.buffer, start, length), owner=owner, elements=True)


class Elements(NamedTuple):
    """Elements of arrays: types, and where their bytes stand."""

    tag: NDArray[np.uint8]
    start: NDArray[np.int64]
    length: NDArray[np.int64]


@njit(nogil=True, cache=True)
def _varint(base: Int, at: Int, end: Int) -> tuple[Int, Int]:
    """A varint and the position behind it, which is `end` + 1 where it is cut off."""
    value, shift = np.uint64(0), 0
    while at < end and shift < 64:
        byte = load_u8(base, at)
        at += 1
        value |= (byte & np.uint64(0x7F)) << np.uint64(shift)
        if byte < 128:
            return np.int64(value), at
        shift += 7
    return np.int64(0), end + 1


@njit(nogil=True, cache=True)
def _field(base: Int, at: Int, end: Int) -> tuple[Int, Int, Int, Int]:
    """Number and wire type of the field at `at`, where its payload begins, and where it ends (`end` + 1: broken)."""
    key, at = _varint(base, at, end)
    if at > end:
        return 0, 0, at, end + 1
    wire = key & 7
    if wire == _VARINT:
        return key >> 3, wire, at, _varint(base, at, end)[1]
    if wire == _EIGHT_BYTES:
        return key >> 3, wire, at, at + 8
    if wire == _FOUR_BYTES:
        return key >> 3, wire, at, at + 4
    if wire == _LENGTH:
        size, at = _varint(base, at, end)
        stop = at + size if 0 <= size <= end else end + 1
        return key >> 3, wire, at, stop
    return 0, 0, at, end + 1


@njit(nogil=True, cache=True)
def _count_elements(
    tag: NDArray[np.uint8], base: Int, start: NDArray[np.int64], length: NDArray[np.int64]
) -> NDArray[np.int64]:
    """How many values [n] stand for each: 1 for what is no array or an empty one."""
    counts = np.ones(len(tag), np.int64)
    for i in range(len(tag)):
        if tag[i] != _ARRAY:
            continue
        at, end, n = start[i], start[i] + length[i], 0
        while at < end:
            number, wire, _, stop = _field(base, at, end)
            if stop > end:
                break
            if number == 1 and wire == _LENGTH:
                n += 1
            at = stop
        counts[i] = max(n, 1)
    return counts


@njit(nogil=True, cache=True)
def _fill_elements(
    tag: NDArray[np.uint8], base: Int, start: NDArray[np.int64], length: NDArray[np.int64], out: Elements
) -> None:
    k = 0
    for i in range(len(tag)):
        if tag[i] != _ARRAY:
            k += 1
            continue
        at, end, first = start[i], start[i] + length[i], k
        while at < end:
            number, wire, begin, stop = _field(base, at, end)
            if stop > end:
                break
            if number == 1 and wire == _LENGTH:
                out.tag[k], out.start[k], out.length[k] = _element(base, begin, stop)
                k += 1
            at = stop
        if k == first:
            out.tag[k] = _OTHER
            k += 1


@njit(nogil=True, cache=True)
def _element(base: Int, at: Int, end: Int) -> tuple[Int, Int, Int]:
    """Type, place and size of an AnyValue."""
    tag, place, size = _OTHER, at, 0
    while at < end:
        number, _, begin, stop = _field(base, at, end)
        if stop > end:
            break
        tag = (_STRING, _BOOLEAN, _INTEGER, _FLOAT)[number - 1] if 1 <= number <= 4 else _OTHER
        place, size = begin, stop - begin
        at = stop
    return tag, place, size


@njit(nogil=True, cache=True)
def _decode_elements(
    tag: NDArray[np.uint8],
    base: Int,
    start: NDArray[np.int64],
    length: NDArray[np.int64],
    whole: NDArray[np.int64],
    real: NDArray[np.float64],
) -> None:
    """Numbers as messages spell them: varints, and eight bytes for a double."""
    word = np.zeros(1, np.int64)
    for i in range(len(tag)):
        if tag[i] == _INTEGER or tag[i] == _BOOLEAN:
            whole[i] = _varint(base, start[i], start[i] + length[i])[0]
            real[i] = whole[i]
        elif tag[i] == _FLOAT:
            word[0] = np.int64(load_u64(base, start[i]))
            real[i] = word.view(np.float64)[0]
