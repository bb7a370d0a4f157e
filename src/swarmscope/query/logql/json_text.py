"""JSON strings to the text that they stand for. Texts are given by address: see `model.raw_memory`."""

from __future__ import annotations

import numpy as np
from numba import njit

from swarmscope.model.raw_memory import Int, copy_bytes, load_u8, load_u64, put_u8, trailing_zeros

_BACKSLASH, _QUOTE, _U = 0x5C, 0x22, 0x75
_REPLACEMENT = 0xFFFD
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
    # Fast path: eight bytes at once; a byte equals the sought one where its difference is zero.
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
        at += 2
        if escape == _U and _hex4(base, at, end) >= 0:
            code, at = _code_point(base, at, end)
            position = _write_code_point(code, out, position)
        else:
            put_u8(out, position, _plain_escape(escape))
            position += 1
    return position


@njit(nogil=True, cache=True)
def _code_point(base: Int, at: Int, end: Int) -> tuple[Int, Int]:
    """The character whose `XXXX` begins at `at` (a surrogate's second half included), and what follows it."""
    code = _hex4(base, at, end)
    at += 4
    if 0xD800 <= code < 0xDC00:
        low = np.int64(-1)
        if at + 6 <= end and byte_at(base, at) == _BACKSLASH and byte_at(base, at + 1) == _U:
            low = _hex4(base, at + 2, end)
        if 0xDC00 <= low < 0xE000:
            return np.int64(0x10000) + ((code - 0xD800) << 10) + (low - 0xDC00), at + 6
        return np.int64(_REPLACEMENT), at
    if 0xDC00 <= code < 0xE000:
        return np.int64(_REPLACEMENT), at
    return code, at


@njit(nogil=True, cache=True)
def _plain_escape(escape: Int) -> Int:
    if escape == 0x6E:  # n
        return 0x0A
    if escape == 0x74:  # t
        return 0x09
    if escape == 0x72:  # r
        return 0x0D
    if escape == 0x62:  # b
        return 0x08
    if escape == 0x66:  # f
        return 0x0C
    return escape


@njit(nogil=True, cache=True)
def _hex4(base: Int, at: Int, end: Int) -> Int:
    code = np.int64(0)
    if at + 4 > end:
        return np.int64(-1)
    for i in range(4):
        byte = byte_at(base, at + i)
        if 48 <= byte <= 57:
            digit = byte - 48
        elif 97 <= byte <= 102:
            digit = byte - 87
        elif 65 <= byte <= 70:
            digit = byte - 55
        else:
            return np.int64(-1)
        code = code * 16 + digit
    return code


@njit(nogil=True, cache=True)
def _write_code_point(code: Int, out: Int, position: Int) -> Int:
    if code < 0x80:
        put_u8(out, position, code)
        return position + 1
    if code < 0x800:
        put_u8(out, position, 0xC0 | (code >> 6))
    elif code < 0x10000:
        put_u8(out, position, 0xE0 | (code >> 12))
        position += 1
        put_u8(out, position, 0x80 | ((code >> 6) & 0x3F))
    else:
        put_u8(out, position, 0xF0 | (code >> 18))
        put_u8(out, position + 1, 0x80 | ((code >> 12) & 0x3F))
        position += 2
        put_u8(out, position, 0x80 | ((code >> 6) & 0x3F))
    put_u8(out, position + 1, 0x80 | (code & 0x3F))
    return position + 2
