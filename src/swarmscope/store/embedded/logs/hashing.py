"""A fast keyed hash of bytes for tables that live in this process alone: which shape, and was this line here already.

The keys are random per process, so nobody outside can choose texts that collide. The construction is the folded
128-bit product, as in wyhash (Wang Yi, public domain), over 16 bytes a step.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from swarmscope.model.raw_memory import Int, fold_multiply, load_u8, load_u64

_K0 = np.uint64(0xA0761D6478BD642F)
_K1 = np.uint64(0xE7037ED1A0B428DB)
_K2 = np.uint64(0x8EBC6AF09C88C6E3)


@njit(nogil=True, cache=True, inline="always")
def mix(state: Int, word: Int) -> Int:
    """Fold a number into a hash."""
    return fold_multiply(state ^ _K0, np.uint64(word) ^ _K1)


@njit(nogil=True, cache=True)
def hash_bytes(base: Int, length: Int, seed: Int) -> Int:
    """Hash of `length` bytes at an address."""
    left, right = np.uint64(seed), np.uint64(seed) ^ _K2
    at = 0
    # Two lanes: products of one wait for each other, those of two do not.
    while at + 32 <= length:
        left = fold_multiply(load_u64(base, at) ^ _K0, load_u64(base, at + 8) ^ left)
        right = fold_multiply(load_u64(base, at + 16) ^ _K1, load_u64(base, at + 24) ^ right)
        at += 32
    while at + 8 <= length:
        left = fold_multiply(load_u64(base, at) ^ _K2, left ^ _K1)
        at += 8
    last = np.uint64(0)
    shift = 0
    while at < length:
        last |= load_u8(base, at) << np.uint64(shift)
        shift += 8
        at += 1
    right = fold_multiply(last ^ _K0, right ^ np.uint64(length))
    return fold_multiply(left ^ _K1, right ^ _K2)
