"""Pieces of JSON for compiled walks over documents of one shape, by address (see `model.raw_memory`).

Source: https://www.rfc-editor.org/rfc/rfc8259
"""

from __future__ import annotations

import numpy as np
from numba import njit, uint64

from swarmscope.model.json_escapes import plain_escape, put_code_point, take_code_point
from swarmscope.model.raw_memory import Int, load_u8, load_u64, put_u8

_LOW_BITS, _HIGH_BITS = 0x0101010101010101, 0x8080808080808080
_QUOTES, _BACKSLASHES = 0x2222222222222222, 0x5C5C5C5C5C5C5C5C
_SPACES = 0x2020202020202020
_MAX_DEPTH = 63  # of what is skipped: one bit a level


@njit(nogil=True, cache=True, forceinline=True)
def skip_space(base: Int, position: Int, end: Int) -> Int:
    """Where the next token begins."""
    while position < end:
        found = load_u8(base, position)
        if found > uint64(0x20) or (
            found != uint64(0x20) and found != uint64(0x0A) and found != uint64(0x0D) and found != uint64(0x09)
        ):
            break
        position += 1
    return position


@njit(nogil=True, cache=True, forceinline=True)
def is_number(byte: Int) -> bool:
    """Whether a byte is a decimal digit."""
    return bool(byte >= 0x30 and byte <= 0x39)


@njit(nogil=True, cache=True, forceinline=True)
def _find_special(base: Int, position: Int, end: Int) -> Int:
    """Where the next quote, backslash or control character is; `end` for none."""
    while end - position >= 8:
        # The usual test for a zero byte: which bytes, if any, equal the quote, equal the backslash, are below 0x20.
        word = load_u64(base, position)
        quote, slash = word ^ uint64(_QUOTES), word ^ uint64(_BACKSLASHES)
        hit = (quote - uint64(_LOW_BITS)) & ~quote
        hit |= (slash - uint64(_LOW_BITS)) & ~slash
        hit |= (word - uint64(_SPACES)) & ~word
        if hit & uint64(_HIGH_BITS) != uint64(0):
            break
        position += 8
    while position < end:
        found = load_u8(base, position)
        if found == uint64(0x22) or found == uint64(0x5C) or found < uint64(0x20):
            break
        position += 1
    return position


@njit(nogil=True, cache=True)
def _take_escape(base: Int, position: Int, end: Int) -> tuple[Int, Int]:
    """The code point of the escape whose backslash is at `position`, and the position behind it, or -1."""
    if end - position < 2:
        return 0, -1
    letter = np.int64(load_u8(base, position + 1))
    if letter == 0x75:
        code, after = take_code_point(base, position + 2, end)
    else:
        code, after = plain_escape(letter), position + 2
    return code, after if code >= 0 else -1


@njit(nogil=True, cache=True)
def _unescape(base: Int, start: Int, position: Int, end: Int) -> tuple[Int, Int, Int]:
    """As `take_text`, from the first backslash on: what follows moves to the front."""
    at = position
    while position < end:
        found = np.int64(load_u8(base, position))
        if found == 0x22:
            return start, at - start, position + 1
        if found == 0x5C:
            code, position = _take_escape(base, position, end)
            if position < 0:
                return start, 0, -1
            at = put_code_point(base, at, code)
            continue
        if found < 0x20:
            return start, 0, -1
        stop = _find_special(base, position, end)
        for k in range(stop - position):
            put_u8(base, at + k, np.int64(load_u8(base, position + k)))
        at += stop - position
        position = stop
    return start, 0, -1


@njit(nogil=True, cache=True, forceinline=True)
def take_text(base: Int, position: Int, end: Int) -> tuple[Int, Int, Int]:
    """The string at `position`: start, length and the position behind it, which is -1 where there is none.

    Escapes are replaced where they stand; the text gets no longer by that.
    """
    if position >= end or load_u8(base, position) != uint64(0x22):
        return position, 0, -1
    start = position + 1
    stop = _find_special(base, start, end)
    if stop >= end:
        return start, 0, -1
    if load_u8(base, stop) == uint64(0x22):  # Fast path
        return start, stop - start, stop + 1
    return _unescape(base, start, stop, end)


@njit(nogil=True, cache=True)
def skip_value(base: Int, position: Int, end: Int) -> Int:
    """The position behind a value of no interest, or -1. Brackets and strings are checked, other tokens are not."""
    depth = 0
    kinds = uint64(0)  # of the open brackets, innermost lowest: 1 for objects
    while True:
        position = skip_space(base, position, end)
        if position >= end:
            return -1
        found = np.int64(load_u8(base, position))
        if found == 0x22:
            _, _, position = take_text(base, position, end)
            if position < 0:
                return -1
        elif found == 0x7B or found == 0x5B:
            if depth == _MAX_DEPTH:
                return -1
            kinds = (kinds << uint64(1)) | uint64(found == 0x7B)
            depth += 1
            position += 1
        elif found == 0x7D or found == 0x5D:
            if depth == 0 or (kinds & uint64(1)) != uint64(found == 0x7D):
                return -1
            kinds >>= uint64(1)
            depth -= 1
            position += 1
        elif found == 0x2C or found == 0x3A:
            if depth == 0:
                return -1
            position += 1
            continue
        else:
            after = _skip_bare(base, position, end)
            if after == position:
                return -1
            position = after
        if depth == 0:
            return position


@njit(nogil=True, cache=True)
def _skip_bare(base: Int, position: Int, end: Int) -> Int:
    """Behind a number, true, false or null."""
    while position < end:
        found = np.int64(load_u8(base, position))
        if found <= 0x20 or found in (0x2C, 0x3A, 0x5D, 0x7D, 0x22, 0x5B, 0x7B):
            break
        position += 1
    return position
