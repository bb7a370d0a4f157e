"""The newest sample at each step, and cells back to columns."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from swarmscope.model.staleness import STALE_BITS

_STALE = np.uint64(STALE_BITS)


@njit(nogil=True, cache=True, error_model="numpy")
def latest_samples(
    offsets: NDArray[np.int64],
    ts: NDArray[np.int64],
    times: NDArray[np.int64],
    lookback_ms: int,
    newest: NDArray[np.int64],
    rows: NDArray[np.int64],
) -> None:
    """For rows [rows[0], rows[1]): newest[i, step] = the last sample in (t - lookback, t], or -1."""
    n_steps = len(times)
    for i in range(rows[0], rows[1]):
        b = offsets[i + 1]
        past = offsets[i]
        for step in range(n_steps):
            t = times[step]
            while past < b and ts[past] <= t:
                past += 1
            found = past - 1
            if found >= offsets[i] and ts[found] > t - lookback_ms:
                newest[i, step] = found
            else:
                newest[i, step] = -1


@njit(nogil=True, cache=True, error_model="numpy")
def gather_latest(
    offsets: NDArray[np.int64],
    ts: NDArray[np.int64],
    bits: NDArray[np.uint64],
    times: NDArray[np.int64],
    lookback_ms: int,
    out: tuple[NDArray[np.uint64], NDArray[np.bool_], int, int],
) -> None:
    """The newest value at each step for rows [first, past); a staleness marker hides what is before it.

    Values travel as bits, so no NaN is ever changed on the way. `out` is (values as bits, present, first, past).
    """
    values, present, first, last = out
    n_steps = len(times)
    for i in range(first, last):
        a = offsets[i]
        b = offsets[i + 1]
        past = a
        for step in range(n_steps):
            t = times[step]
            while past < b and ts[past] <= t:
                past += 1
            if past > a and ts[past - 1] > t - lookback_ms and bits[past - 1] != _STALE:
                values[i, step] = bits[past - 1]
                present[i, step] = True


@njit(nogil=True, cache=True, error_model="numpy")
def drop_stale(
    offsets: NDArray[np.int64], ts: NDArray[np.int64], bits: NDArray[np.uint64]
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.uint64]]:
    """The columns without staleness markers."""
    new_offsets = np.empty_like(offsets)
    new_ts = np.empty_like(ts)
    new_bits = np.empty_like(bits)
    kept = 0
    new_offsets[0] = 0
    for i in range(len(offsets) - 1):
        for j in range(offsets[i], offsets[i + 1]):
            if bits[j] != _STALE:
                new_ts[kept] = ts[j]
                new_bits[kept] = bits[j]
                kept += 1
        new_offsets[i + 1] = kept
    return new_offsets, new_ts[:kept], new_bits[:kept]


@njit(nogil=True, cache=True, error_model="numpy")
def has_stale(bits: NDArray[np.uint64]) -> bool:
    """Whether any value is a staleness marker."""
    for i in range(len(bits)):  # noqa: SIM110 - a generator does not compile
        if bits[i] == _STALE:
            return True
    return False


@njit(nogil=True, cache=True, error_model="numpy")
def cells_to_columns(
    values: NDArray[np.float64], present: NDArray[np.bool_], times: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
    """Present cells as (offsets, ts, value): what a subquery hands to a range function."""
    n, n_steps = values.shape
    offsets = np.zeros(n + 1, np.int64)
    for i in range(n):
        count = 0
        for step in range(n_steps):
            count += present[i, step]
        offsets[i + 1] = offsets[i] + count
    ts = np.empty(offsets[n], np.int64)
    v = np.empty(offsets[n], np.float64)
    k = 0
    for i in range(n):
        for step in range(n_steps):
            if present[i, step]:
                ts[k] = times[step]
                v[k] = values[i, step]
                k += 1
    return offsets, ts, v
