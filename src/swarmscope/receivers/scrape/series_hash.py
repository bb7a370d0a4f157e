"""Keys of series: the receivers' shared hash over a series' bytes as exposed."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from swarmscope.receivers.wire.key_hash import derive_secrets, hash_spans

# Keeps the keys of scraped series apart from what else is hashed under the process' seed.
_PURPOSE = 0x5C


@lru_cache(maxsize=4096)
def secrets_of(seed: int) -> NDArray[np.uint64]:
    """The hash's secret words [4] under `seed`; MUST NOT be changed by the caller."""
    return derive_secrets(seed, _PURPOSE)


def hash_ranges(
    buffer: NDArray[np.uint8], start: NDArray[np.int64], end: NDArray[np.int64], seed: int
) -> NDArray[np.uint64]:
    """Hashes [n] of the byte ranges start[i] to end[i]."""
    keys: NDArray[np.uint64] = hash_spans(buffer, start, end - start, secrets_of(seed))
    return keys


def hash_text(data: bytes, seed: int) -> int:
    """The same hash of Python bytes. # Slow path"""
    # An empty buffer has no address to read from.
    buffer = np.frombuffer(data or b"\x00", np.uint8)
    return int(hash_ranges(buffer, np.zeros(1, np.int64), np.array([len(data)], np.int64), seed)[0])
