"""What decoding lines takes of the memory that all requests under way share (`decode_room`).

A record of two bytes becomes rows of some hundred, so the size of a body alone says little: decoders tell how much they
may take at most as soon as they have counted.
"""

from __future__ import annotations

from collections.abc import Callable

Claim = Callable[[int], object]

# Before anything is counted, by byte of the body: the scanner's rows of the smallest messages there are; no more than
# its bound on cells, and half as much while a table grows.
_SCAN_FACTOR, _SCAN_BYTES = 60, 3 << 28
# Body, copy with texts behind it, and guesses at what it holds.
_BODY_FACTOR = 6
_LINE_BYTES, _PAIR_BYTES = 500, 160


def claim_nothing(n_bytes: int) -> None:
    """Where nobody counts."""


def scan_bytes(n_body: int) -> int:
    """The most that finding a body's lines takes."""
    return n_body + min(_SCAN_FACTOR * n_body, _SCAN_BYTES)


def line_bytes(n_body: int, n_lines: int) -> int:
    """The most that lines take while they are decoded, without their metadata."""
    return _BODY_FACTOR * n_body + _LINE_BYTES * n_lines


def pair_bytes(n_pairs: int) -> int:
    """The most that pairs of metadata take while they are decoded."""
    return _PAIR_BYTES * n_pairs
