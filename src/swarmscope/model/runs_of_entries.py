"""Rows of varying length in columns: row i owns the entries `offsets[i] : offsets[i + 1]` of other columns."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray


def taken_runs(offsets: NDArray[np.int64], rows: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Offsets [n + 1] for `rows` [n] alone, in that order, and the positions of the entries that they own."""
    starts = offsets[rows]
    lengths = offsets[rows + 1] - starts
    taken = np.zeros(len(rows) + 1, np.int64)
    np.cumsum(lengths, out=taken[1:])
    entries = np.arange(taken[-1]) + np.repeat(starts - taken[:-1], lengths)
    return taken, entries


def joined_offsets(parts: Iterable[NDArray[np.int64]]) -> NDArray[np.int64]:
    """Offsets for the rows of all parts one behind the other; each part's begin at 0."""
    lengths = [np.diff(offsets) for offsets in parts]
    return np.concatenate([np.zeros(1, np.int64), *lengths]).cumsum(dtype=np.int64)
