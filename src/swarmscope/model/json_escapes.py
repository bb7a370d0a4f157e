"""Escapes in JSON strings, for compiled walks; by address, see `raw_memory`.

Source: https://www.rfc-editor.org/rfc/rfc8259#section-7
"""

from __future__ import annotations

import numpy as np
from numba import njit

from swarmscope.model.raw_memory import Int, load_u8, put_u8

_BACKSLASH, _U = 0x5C, 0x75
_REPLACEMENT = 0xFFFD


@njit(nogil=True, cache=True)
def plain_escape(letter: Int) -> Int:
    """The character that a backslash and a letter mean, or -1."""
    if letter in (0x22, 0x5C, 0x2F):
        return letter
    if letter == 0x6E:  # n
        return 0x0A
    if letter == 0x74:  # t
        return 0x09
    if letter == 0x72:  # r
        return 0x0D
    if letter == 0x62:  # b
        return 0x08
    return 0x0C if letter == 0x66 else -1  # f


@njit(nogil=True, cache=True)
def take_code_point(base: Int, at: Int, end: Int) -> tuple[Int, Int]:
    """The character whose four digits begin at `at` (behind `\\\\u`), and what follows it; (-1, at) where they do not.

    A surrogate's second half is taken with the first; half of a pair is U+FFFD.
    """
    code = _four_digits(base, at, end)
    if code < 0:
        return np.int64(-1), at
    at += 4
    if code < 0xD800 or code > 0xDFFF:
        return code, at
    low = np.int64(-1)
    if code < 0xDC00 and at + 6 <= end and load_u8(base, at) == _BACKSLASH and load_u8(base, at + 1) == _U:
        low = _four_digits(base, at + 2, end)
    if 0xDC00 <= low <= 0xDFFF:
        return np.int64(0x10000) + ((code - 0xD800) << 10) + low - 0xDC00, at + 6
    return np.int64(_REPLACEMENT), at


@njit(nogil=True, cache=True)
def _four_digits(base: Int, at: Int, end: Int) -> Int:
    """The number that four hexadecimal digits make, or -1."""
    if end - at < 4:
        return np.int64(-1)
    code = np.int64(0)
    for k in range(4):
        digit = np.int64(load_u8(base, at + k))
        if 0x30 <= digit <= 0x39:
            code = 16 * code + digit - 0x30
        elif 0x61 <= (digit | 0x20) <= 0x66:
            code = 16 * code + (digit | 0x20) - 0x57
        else:
            return np.int64(-1)
    return code


@njit(nogil=True, cache=True)
def put_code_point(base: Int, at: Int, code: Int) -> Int:
    """Write a code point as UTF-8; the position behind it."""
    if code < 0x80:
        put_u8(base, at, code)
        return at + 1
    n_more = 1 if code < 0x800 else (2 if code < 0x10000 else 3)
    # The lead byte: as many ones as bytes, a zero, the highest bits.
    put_u8(base, at, (0xFF00 >> n_more + 1 & 0xFF) | code >> 6 * n_more)
    for k in range(1, n_more + 1):
        put_u8(base, at + k, 0x80 | code >> 6 * (n_more - k) & 0x3F)
    return at + n_more + 1
