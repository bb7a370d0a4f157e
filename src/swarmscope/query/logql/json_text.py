"""JSON strings to the text that they stand for. Texts are given by address: see `model.raw_memory`."""

from __future__ import annotations

import numpy as np
from numba import njit

from swarmscope.model.json_escapes import plain_escape, put_code_point, take_code_point
from swarmscope.model.raw_memory import (
    LANES,
    Int,
    copy_bytes,
    either_lanes,
    load_u8,
    load_u64,
    put_u8,
    trailing_zeros,
)

_BACKSLASH, _QUOTE, _U = 0x5C, 0x22, 0x75
_LOW_BITS = np.uint64(0x0101010101010101)
_HIGH_BITS = np.uint64(0x8080808080808080)
_QUOTES = _LOW_BITS * np.uint64(_QUOTE)
_BACKSLASHES = _LOW_BITS * np.uint64(_BACKSLASH)
_WORD_BYTES = 8
_BYTE_SHIFT = np.uint64(3)


@njit(nogil=True, cache=True)
def byte_at(base: Int, at: Int) -> Int:
    """The byte at `at` as int64."""
    return np.int64(load_u8(base, at))


@njit(nogil=True, cache=True)
def find_quote_or_escape(base: Int, at: Int, end: Int) -> Int:
    """Where the next `"` or backslash stands; `end` for none."""
    # Fast path: many bytes at once, near the end eight; a byte equals the sought one where its difference is zero.
    while at + LANES <= end:
        lanes = either_lanes(base + at, np.uint64(_QUOTE), np.uint64(_BACKSLASH))
        if lanes != 0:
            return at + np.int64(trailing_zeros(lanes))
        at += LANES
    while at + _WORD_BYTES <= end:
        word = load_u64(base, at)
        quotes, escapes = word ^ _QUOTES, word ^ _BACKSLASHES
        found = (((quotes - _LOW_BITS) & ~quotes) | ((escapes - _LOW_BITS) & ~escapes)) & _HIGH_BITS
        if found != 0:
            return at + np.int64(trailing_zeros(found) >> _BYTE_SHIFT)
        at += _WORD_BYTES
    while at < end:
        byte = byte_at(base, at)
        if byte in (_QUOTE, _BACKSLASH):
            break
        at += 1
    return at


@njit(nogil=True, cache=True)
def string_end(base: Int, at: Int, end: Int) -> tuple[Int, bool]:
    """Where the string behind the quote at `at - 1` ends (at its closing quote), and whether it has escapes.

    -1 where it does not end before `end`.
    """
    has_escape = False
    while True:
        at = find_quote_or_escape(base, at, end)
        if at >= end:
            return -1, has_escape
        if byte_at(base, at) == _QUOTE:
            return at, has_escape
        has_escape = True
        at += 2


@njit(nogil=True, cache=True)
def write_unescaped(base: Int, at: Int, end: Int, out: Int, position: Int) -> Int:
    """Write what the bytes `at … end` (between quotes) stand for to `out`; returns where it ended.

    Never writes more bytes than it reads. A lone surrogate becomes U+FFFD, an unknown escape the character itself.
    """
    while at < end:
        begin = at
        at = find_quote_or_escape(base, at, end)
        copy_bytes(out + position, base + begin, at - begin)
        position += at - begin
        if at >= end:
            break
        if byte_at(base, at) != _BACKSLASH or at + 1 >= end:
            put_u8(out, position, byte_at(base, at))
            position += 1
            at += 1
            continue
        escape = byte_at(base, at + 1)
        code, at = take_code_point(base, at + 2, end) if escape == _U else (plain_escape(escape), at + 2)
        if code >= 0:
            position = put_code_point(out, position, code)
        else:
            put_u8(out, position, escape)
            position += 1
    return position
