"""Strings of ClickHouse's Native format: each one stands behind its length as a varint. No Python object per string."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numba import njit
from numpy.typing import NDArray

from swarmscope.model.labels import Utf8Column
from swarmscope.model.raw_memory import Int, address_of, copy_bytes, load_u8

_PIECE_BYTES = 1 << 20


def encode_strings(column: Utf8Column) -> Iterator[memoryview]:
    """The column's strings [n] in pieces of about 1 MiB; nothing is copied but into the piece."""
    start, length = np.ascontiguousarray(column.start), np.ascontiguousarray(column.length)
    ends = np.cumsum(length)
    begin = 0
    while begin < len(length):
        done = int(ends[begin - 1]) if begin else 0
        end = max(begin + 1, int(np.searchsorted(ends, done + _PIECE_BYTES, side="right")))
        piece = np.empty(int(ends[end - 1]) - done + 10 * (end - begin), np.uint8)
        used = _write_strings(column.buffer, start[begin:end], length[begin:end], piece)
        yield memoryview(piece[:used].data)
        begin = end


@njit(nogil=True, cache=True)
def _write_strings(
    buffer: NDArray[np.uint8], start: NDArray[np.int64], length: NDArray[np.int64], piece: NDArray[np.uint8]
) -> int:
    source, target = address_of(buffer), address_of(piece)
    at = 0
    for row in range(len(start)):
        rest = length[row]
        while rest > 0x7F:
            piece[at] = np.uint8(rest & 0x7F | 0x80)
            rest >>= 7
            at += 1
        piece[at] = np.uint8(rest)
        at += 1
        copy_bytes(target + at, source + start[row], length[row])
        at += length[row]
    return at


def decode_strings(data: NDArray[np.uint8], at: int, n_rows: int) -> tuple[Utf8Column, int]:
    """`n_rows` strings that begin at `at`, as a view on `data`, and where they end. Raises ValueError where cut off."""
    start, length = np.empty(n_rows, np.int64), np.empty(n_rows, np.int64)
    end = int(_find_strings(data, at, start, length))
    if end > len(data):
        raise ValueError("an answer of the store ends in the middle of a column")
    return Utf8Column(data, start, length), end


@njit(nogil=True, cache=True)
def _find_strings(data: NDArray[np.uint8], at: Int, start: NDArray[np.int64], length: NDArray[np.int64]) -> Int:
    base, size = address_of(data), len(data)
    for row in range(len(start)):
        value = np.int64(0)
        shift = 0
        byte = np.int64(0x80)
        while byte & 0x80:
            if at >= size:
                return size + 1
            byte = np.int64(load_u8(base, at))
            value |= (byte & 0x7F) << shift
            shift += 7
            at += 1
        start[row] = at
        length[row] = value
        at += value
    return at
