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
_K3 = np.uint64(0x589965CC75374CC3)


@njit(nogil=True, cache=True, inline="always")
def mix(state: Int, word: Int) -> Int:
    """Fold a number into a hash."""
    return fold_multiply(state ^ _K0, np.uint64(word) ^ state ^ _K1)


@njit(nogil=True, cache=True)
def hash_bytes(base: Int, length: Int, seed: Int) -> Int:
    """Hash of `length` bytes at an address."""
    left, right = np.uint64(seed), np.uint64(seed) ^ _K2
    first, second = left ^ _K1, right ^ _K0
    # Nobody can choose words that make a factor zero, as nobody knows the seed.
    key0, key1, key2, key3 = _K0 ^ left, _K1 ^ left, _K2 ^ left, _K3 ^ left
    at = 0
    # Four lanes: a product waits for the one before it in its lane, and for no other.
    while at + 64 <= length:
        left = fold_multiply(load_u64(base, at) ^ key0, load_u64(base, at + 8) ^ left)
        right = fold_multiply(load_u64(base, at + 16) ^ key1, load_u64(base, at + 24) ^ right)
        first = fold_multiply(load_u64(base, at + 32) ^ key2, load_u64(base, at + 40) ^ first)
        second = fold_multiply(load_u64(base, at + 48) ^ key3, load_u64(base, at + 56) ^ second)
        at += 64
    if at > 0:
        left, right = left ^ first, right ^ second
    while at + 16 <= length:
        left = fold_multiply(load_u64(base, at) ^ key2, load_u64(base, at + 8) ^ left)
        at += 16
    while at + 8 <= length:
        right = fold_multiply(load_u64(base, at) ^ key2, right ^ _K1)
        at += 8
    last = np.uint64(0)
    shift = 0
    while at < length:
        last |= load_u8(base, at) << np.uint64(shift)
        shift += 8
        at += 1
    right = fold_multiply(last ^ key0, right ^ np.uint64(length))
    return fold_multiply(left ^ key3, right ^ _K2)
