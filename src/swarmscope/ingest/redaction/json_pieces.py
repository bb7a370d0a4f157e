"""Where a mask may stand in a JSON line: inside strings, never over a quote, nor over half of an escape."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

_QUOTE, _BACKSLASH, _U = 0x22, 0x5C, 0x75
_ESCAPE_BYTES, _UNICODE_ESCAPE_BYTES = 2, 6
_NONE = -1


# Part of a find: start, end, position in the finds, and whether it is a number, true, false or null, in whose place a
# string is to be put.
Piece = list[int]


def json_pieces(text: NDArray[np.uint8], finds: NDArray[np.int64]) -> list[Piece] | None:
    """Cut finds [n, start and end] to strings' contents and bare words, ascending; None where `text` is not JSON.

    Finds are ascending and apart from each other. "JSON" is any object or array whose bytes outside of strings are
    punctuation, white space or bare words: whatever else such a text may be, nothing but punctuation is left out.
    """
    pieces, n = _cut(text, finds)
    return None if n < 0 else list(pieces[:n].tolist())


@njit(nogil=True, cache=True)
def _is_bare(byte: int) -> bool:
    is_letter = 0x41 <= (byte & 0xDF) <= 0x5A
    return is_letter or 0x30 <= byte <= 0x39 or byte == 0x2B or byte == 0x2D or byte == 0x2E


@njit(nogil=True, cache=True)
def _is_punctuation(byte: int) -> bool:
    is_bracket = byte == 0x7B or byte == 0x7D or byte == 0x5B or byte == 0x5D
    is_space = byte == 0x20 or byte == 0x09 or byte == 0x0A or byte == 0x0D
    return is_bracket or is_space or byte == 0x2C or byte == 0x3A


@njit(nogil=True, cache=True)
def _is_enclosed(text: NDArray[np.uint8]) -> bool:
    low, high = 0, len(text) - 1
    while low < high and text[low] <= 0x20:
        low += 1
    while low < high and text[high] <= 0x20:
        high -= 1
    is_object = low < high and text[low] == 0x7B and text[high] == 0x7D
    return is_object or (low < high and text[low] == 0x5B and text[high] == 0x5D)


@njit(nogil=True, cache=True)
def _unit_end(text: NDArray[np.uint8], at: int, in_string: bool) -> int:
    """End of the character, the escape or the bare word that begins at `at`."""
    if in_string:
        if text[at] != _BACKSLASH:
            return at + 1
        is_unicode = at + 1 < len(text) and text[at + 1] == _U
        return min(at + (_UNICODE_ESCAPE_BYTES if is_unicode else _ESCAPE_BYTES), len(text))
    while at < len(text) and _is_bare(text[at]):
        at += 1
    return at


@njit(nogil=True, cache=True)
def _cut(text: NDArray[np.uint8], finds: NDArray[np.int64]) -> tuple[NDArray[np.int64], int]:
    """Pieces [≤ len(text), start, end, find, is_bare] and their number, -1 where `text` is not JSON."""
    pieces = np.empty((len(text) + 1, 4), np.int64)
    if not _is_enclosed(text):
        return pieces, _NONE
    n, at, find, open_piece = 0, 0, 0, False
    in_string = False
    while at < len(text):
        byte = text[at]
        if byte == _QUOTE:
            in_string, open_piece, at = not in_string, False, at + 1
            continue
        if not in_string and _is_punctuation(byte):
            open_piece, at = False, at + 1
            continue
        if not in_string and not _is_bare(byte):
            return pieces, _NONE
        stop = _unit_end(text, at, in_string)
        while find < len(finds) and finds[find, 1] <= at:
            find, open_piece = find + 1, False
        if find < len(finds) and finds[find, 0] < stop:
            if open_piece:
                pieces[n - 1, 1] = stop
            else:
                pieces[n, 0], pieces[n, 1], pieces[n, 2], pieces[n, 3] = at, stop, find, not in_string
                n, open_piece = n + 1, in_string
        at = stop
    return pieces, _NONE if in_string else n
