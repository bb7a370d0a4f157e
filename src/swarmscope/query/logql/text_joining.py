"""Columns of texts put one behind the other, row by row."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numba import njit
from numpy.typing import NDArray

from swarmscope.model.labels import Utf8Column
from swarmscope.model.raw_memory import address_of, copy_bytes


def joined_texts(parts: Sequence[str | Utf8Column], n: int) -> Utf8Column:
    """Row i of all parts [n] as one text; a string is the same in all rows, an absent cell is empty."""
    columns = [_column(part, n) for part in parts]
    length = np.zeros(n, np.int64)
    for column in columns:
        length += np.maximum(column.length, 0)
    start = np.cumsum(length) - length
    out = np.empty(int(length.sum()), np.uint8)
    at = start.copy()
    for column in columns:
        _append(out, at, column.buffer, column.start, column.length)
    return Utf8Column(out, start, length)


def _column(part: str | Utf8Column, n: int) -> Utf8Column:
    if isinstance(part, Utf8Column):
        return part
    encoded = np.frombuffer(part.encode("utf-8", "surrogateescape"), np.uint8)
    return Utf8Column(encoded, np.zeros(n, np.int64), np.full(n, len(encoded)))


@njit(nogil=True, cache=True)
def _append(
    out: NDArray[np.uint8],
    at: NDArray[np.int64],
    buffer: NDArray[np.uint8],
    start: NDArray[np.int64],
    length: NDArray[np.int64],
) -> None:
    target, source = address_of(out), address_of(buffer)
    for row in range(len(at)):
        size = max(length[row], 0)
        copy_bytes(target + at[row], source + start[row], size)
        at[row] += size
