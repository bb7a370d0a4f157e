"""Lines and bytes by stream, level and bucket of time."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from swarmscope.model.logs import Level, LineCounts
from swarmscope.schema.log_tables import COUNT_GRAIN_NS

_N_LEVELS = len(Level)


def no_counts() -> LineCounts:
    """No rows."""
    none = np.zeros(0, np.int64)
    return LineCounts(none, np.zeros(0, np.uint8), none, none, none)


def joined_counts(parts: list[LineCounts]) -> LineCounts:
    """All rows of all parts."""
    return LineCounts(
        *(
            np.concatenate([getattr(part, name) for part in (no_counts(), *parts)])
            for name in ("stream", "level", "bucket_ns", "lines", "bytes")
        )
    )


def counts_of(
    stream: NDArray[np.int64], ts_ns: NDArray[np.int64], level: NDArray[np.uint8], n_bytes: NDArray[np.int64]
) -> LineCounts:
    """Counts of rows [n] that ascend in (stream, ts_ns)."""
    return LineCounts(*_counted(stream, ts_ns, level, n_bytes, COUNT_GRAIN_NS))


@njit(nogil=True, cache=True)
def _counted(
    stream: NDArray[np.int64],
    ts_ns: NDArray[np.int64],
    level: NDArray[np.uint8],
    n_bytes: NDArray[np.int64],
    grain_ns: int,
) -> tuple[NDArray[np.int64], NDArray[np.uint8], NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    n = len(ts_ns)
    streams, levels, buckets = np.empty(n, np.int64), np.empty(n, np.uint8), np.empty(n, np.int64)
    lines, sizes = np.empty(n, np.int64), np.empty(n, np.int64)
    per_level, bytes_per_level = np.zeros(_N_LEVELS, np.int64), np.zeros(_N_LEVELS, np.int64)
    rows = 0
    for i in range(n):
        # Floor division, so that the bucket of a negative time is right too.
        bucket = -((-ts_ns[i]) // grain_ns) * grain_ns
        per_level[level[i]] += 1
        bytes_per_level[level[i]] += n_bytes[i]
        is_last = i + 1 == n or stream[i + 1] != stream[i] or ts_ns[i + 1] > bucket
        if not is_last:
            continue
        for k in range(_N_LEVELS):
            if per_level[k]:
                streams[rows], levels[rows], buckets[rows] = stream[i], k, bucket
                lines[rows], sizes[rows] = per_level[k], bytes_per_level[k]
                rows += 1
        per_level[:] = 0
        bytes_per_level[:] = 0
    return streams[:rows], levels[:rows], buckets[:rows], lines[:rows], sizes[:rows]
