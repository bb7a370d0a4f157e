"""Texts of told rows as slices of a batch's buffers, and the cuts that find one name in another."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from swarmscope.ingest.genai.attribute import N_TEXTS
from swarmscope.ingest.genai.reading import NO_PAIR, Pairs
from swarmscope.model.attributes import ValueKind
from swarmscope.model.byte_hash import hash_bytes
from swarmscope.model.byte_ranges import bytes_equal
from swarmscope.model.raw_memory import Int, address_of, load_u8

NOWHERE, IN_VALUES, IN_NAMES, IN_EVENTS = range(4)
_STRING, _ARRAY = int(ValueKind.STRING), int(ValueKind.ARRAY)
# Longer names are not names. A conversation's id may be a URL.
MAX_NAME_BYTES = 256
_LENGTH_DELIMITED_1 = 0x0A  # the tag of field 1 with a length: ArrayValue.values, AnyValue.string_value
_MORE = 0x80
_BLANKS = np.array([byte in b" \t\r\n\"'" for byte in range(256)], np.bool_)


class Slices(NamedTuple):
    """Text columns of told rows [N_TEXTS, n_told]: in which buffer, from where, how many bytes."""

    origin: NDArray[np.uint8]  # NOWHERE, IN_VALUES, IN_NAMES, IN_EVENTS
    start: NDArray[np.int64]
    length: NDArray[np.int64]


class Piece(NamedTuple):
    """Bytes of one buffer."""

    origin: int
    base: Int  # the buffer's address
    start: Int
    length: Int


class Buffers(NamedTuple):
    """What slices point into."""

    values: NDArray[np.uint8]
    names: NDArray[np.uint8]
    events: NDArray[np.uint8]


@njit(nogil=True, cache=True)
def to_slices(pairs: Pairs, chosen: NDArray[np.int64]) -> Slices:
    """The texts of pairs [N_TEXTS or more, n_told]: of arrays their first text, without blanks at their ends."""
    n, base = chosen.shape[1], address_of(pairs.buffer)
    slices = Slices(
        np.zeros((N_TEXTS, n), np.uint8), np.zeros((N_TEXTS, n), np.int64), np.zeros((N_TEXTS, n), np.int64)
    )
    for field in range(N_TEXTS):
        for at in range(n):
            pair = chosen[field, at]
            if pair == NO_PAIR:
                continue
            start, length = pairs.start[pair], pairs.length[pair]
            if pairs.kind[pair] == _ARRAY:
                start, length = _first_text(base, start, length)
            elif pairs.kind[pair] != _STRING:
                continue
            put(slices, field, at, Piece(IN_VALUES, base, start, length))
    return slices


@njit(nogil=True, cache=True, inline="always")
def put(slices: Slices, field: Int, at: Int, piece: Piece) -> None:
    """Let a field be a piece of a buffer, unless that is blank or too long."""
    start, length = trimmed(piece.base, piece.start, piece.start + piece.length)
    if length > 0 and length <= MAX_NAME_BYTES:
        slices.origin[field, at], slices.start[field, at], slices.length[field, at] = piece.origin, start, length


@njit(nogil=True, cache=True)
def trimmed(base: Int, begin: Int, end: Int) -> tuple[Int, Int]:
    """Start and length without blanks and quotation marks at the ends."""
    while begin < end and _BLANKS[load_u8(base, begin)]:
        begin += 1
    while end > begin and _BLANKS[load_u8(base, end - 1)]:
        end -= 1
    return begin, end - begin


@njit(nogil=True, cache=True)
def _first_text(base: Int, start: Int, length: Int) -> tuple[Int, Int]:
    """Start and length of the first text in an opentelemetry.proto.common.v1.ArrayValue; length 0 where it is none."""
    at, end = np.int64(start), np.int64(start + length)
    if at >= end or load_u8(base, at) != _LENGTH_DELIMITED_1:
        return at, 0
    at, inner = _size(base, at + 1, end)
    if inner <= 0 or at + inner > end or load_u8(base, at) != _LENGTH_DELIMITED_1:
        return at, 0
    end = at + inner
    at, size = _size(base, at + 1, end)
    return (at, size) if at + size <= end else (at, 0)


@njit(nogil=True, cache=True)
def _size(base: Int, at: Int, end: Int) -> tuple[Int, Int]:
    """A length of at most four bytes, and where it ends; 0 where there is none."""
    size = np.int64(0)
    for shift in range(0, 28, 7):
        if at >= end:
            break
        byte = np.int64(load_u8(base, at))
        at += 1
        size |= (byte & (_MORE - 1)) << shift
        if byte < _MORE:
            return at, size
    return at, 0


@njit(nogil=True, cache=True)
def begins_with(base: Int, start: Int, length: Int, word: NDArray[np.uint8]) -> bool:
    """Whether a text begins with the word."""
    return length >= len(word) and bytes_equal(base + start, address_of(word), len(word))


@njit(nogil=True, cache=True)
def ends_with(base: Int, start: Int, length: Int, word: NDArray[np.uint8]) -> bool:
    """Whether a text ends with the word."""
    return length >= len(word) and bytes_equal(base + start + length - len(word), address_of(word), len(word))


@njit(nogil=True, cache=True)
def hash_slices(slices: Slices, buffers: Buffers, seed: np.uint64) -> NDArray[np.uint64]:
    """The hash of each text [N_TEXTS, n_told], 0 where there is none."""
    hashes = np.zeros(slices.origin.shape, np.uint64)
    bases = (np.int64(0), address_of(buffers.values), address_of(buffers.names), address_of(buffers.events))
    for field in range(N_TEXTS):
        for at in range(slices.origin.shape[1]):
            origin = slices.origin[field, at]
            if origin != NOWHERE:
                key = hash_bytes(bases[origin] + slices.start[field, at], slices.length[field, at], seed)
                hashes[field, at] = max(key, np.uint64(1))
    return hashes


def text_at(slices: Slices, buffers: Buffers, field: int, at: int) -> str:
    """One text as Python has it. # Slow path: names that were never seen"""
    buffer = buffers[slices.origin[field, at] - 1]
    begin = int(slices.start[field, at])
    return buffer[begin : begin + int(slices.length[field, at])].tobytes().decode("utf-8", "replace")
