"""SipHash-1-3 over raw memory, for Numba kernels.

A keyed hash, so that senders cannot choose labels that collide. Source: Aumasson and Bernstein, "SipHash: a fast
short-input PRF" (2012), with one compression and three finalisation rounds. Inputs are addresses, not arrays, so
that writable and read-only buffers compile to the same machine code.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from swarmscope.model.raw_memory import load_u8, load_u64

_V0 = np.uint64(0x736F6D6570736575)
_V1 = np.uint64(0x646F72616E646F6D)
_V2 = np.uint64(0x6C7967656E657261)
_V3 = np.uint64(0x7465646279746573)


@njit(nogil=True, cache=True, inline="always")
def _rotated(x: np.uint64, bits: int) -> np.uint64:
    return (x << np.uint64(bits)) | (x >> np.uint64(64 - bits))


@njit(nogil=True, cache=True)
def _round(
    v0: np.uint64, v1: np.uint64, v2: np.uint64, v3: np.uint64
) -> tuple[np.uint64, np.uint64, np.uint64, np.uint64]:
    v0 = v0 + v1
    v1 = _rotated(v1, 13) ^ v0
    v0 = _rotated(v0, 32)
    v2 = v2 + v3
    v3 = _rotated(v3, 16) ^ v2
    v0 = v0 + v3
    v3 = _rotated(v3, 21) ^ v0
    v2 = v2 + v1
    v1 = _rotated(v1, 17) ^ v2
    v2 = _rotated(v2, 32)
    return v0, v1, v2, v3


@njit(nogil=True, cache=True)
def _finished(v0: np.uint64, v1: np.uint64, v2: np.uint64, v3: np.uint64) -> np.uint64:
    v2 = v2 ^ np.uint64(0xFF)
    v0, v1, v2, v3 = _round(v0, v1, v2, v3)
    v0, v1, v2, v3 = _round(v0, v1, v2, v3)
    v0, v1, v2, v3 = _round(v0, v1, v2, v3)
    return v0 ^ v1 ^ v2 ^ v3


@njit(nogil=True, cache=True)
def siphash_bytes(address: int, length: int, key0: np.uint64, key1: np.uint64) -> np.uint64:
    """Hash of `length` bytes at `address` under a 128-bit key."""
    v0, v1, v2, v3 = key0 ^ _V0, key1 ^ _V1, key0 ^ _V2, key1 ^ _V3
    n_words = length >> 3
    for word_index in range(n_words):
        word = load_u64(address, 8 * word_index)
        v3 = v3 ^ word
        v0, v1, v2, v3 = _round(v0, v1, v2, v3)
        v0 = v0 ^ word
    last = np.uint64(length & 255) << np.uint64(56)
    for index in range(8 * n_words, length):
        last |= load_u8(address, index) << np.uint64(8 * (index & 7))
    v3 = v3 ^ last
    v0, v1, v2, v3 = _round(v0, v1, v2, v3)
    v0 = v0 ^ last
    return _finished(v0, v1, v2, v3)


@njit(nogil=True, cache=True, inline="always")
def siphash_pairs(
    labels: NDArray[np.int32], values: NDArray[np.int32], begin: int, end: int, tenant: int, seed: NDArray[np.uint64]
) -> np.uint64:
    """Hash of the pairs `begin : end`, and of a tenant, under `seed` uint64[2]."""
    key0, key1 = seed[0], seed[1]
    v0, v1, v2, v3 = key0 ^ _V0, key1 ^ _V1, key0 ^ _V2, key1 ^ _V3
    for index in range(begin, end):
        word = (np.uint64(labels[index]) << np.uint64(32)) | np.uint64(values[index])
        v3 = v3 ^ word
        v0, v1, v2, v3 = _round(v0, v1, v2, v3)
        v0 = v0 ^ word
    last = (np.uint64(end - begin) << np.uint64(32)) | np.uint64(tenant)
    v3 = v3 ^ last
    v0, v1, v2, v3 = _round(v0, v1, v2, v3)
    v0 = v0 ^ last
    return _finished(v0, v1, v2, v3)
