"""A keyed 64-bit hash of byte ranges, for wire keys: which series, stream or resource do these bytes name?

The construction is the folded 64 × 64 → 128 bit product of the wyhash family. Every operand is masked with a word
that is derived from the process' random seed, because with public masks a sender could craft a word that makes a
product vanish, and with it all that was hashed before: two series would become one.
"""

from __future__ import annotations

import numpy as np
from numba import njit, uint64
from numpy.typing import NDArray

from swarmscope.model.raw_memory import Int, address_of, fold_multiply, load_u8, load_u32, load_u64

_MASK = (1 << 64) - 1

HashSecrets = tuple[Int, Int, Int, Int]


def derive_secrets(seed: int, purpose: int) -> NDArray[np.uint64]:
    """Four words [4] for a hash with its own `purpose`: the same bytes under another purpose have other keys.

    The words are successive outputs of splitmix64 (Steele, Lea, Flood: Fast splittable pseudorandom number
    generators, 2014), made odd.
    """
    state = (seed ^ (purpose * 0xD1342543DE82EF95)) & _MASK
    words = []
    for _ in range(4):
        state = (state + 0x9E3779B97F4A7C15) & _MASK
        word = ((state ^ (state >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
        word = ((word ^ (word >> 27)) * 0x94D049BB133111EB) & _MASK
        words.append((word ^ (word >> 31)) | 1)
    return np.array(words, np.uint64)


@njit(nogil=True, cache=True, forceinline=True)
def to_tuple(secrets: NDArray[np.uint64]) -> HashSecrets:
    """The words as plain numbers, which compiled code hands on for free."""
    return (secrets[0], secrets[1], secrets[2], secrets[3])


@njit(nogil=True, cache=True, forceinline=True)
def _hash_tail(base: Int, position: Int, left: Int, state: Int, secrets: HashSecrets) -> Int:
    """The last 0 to 16 bytes."""
    low = uint64(0)
    high = uint64(0)
    if left > 8:
        low = load_u64(base, position)
        high = load_u64(base, position + left - 8)
    elif left >= 4:
        low = load_u32(base, position)
        high = load_u32(base, position + left - 4)
    elif left > 0:
        middle = load_u8(base, position + (left >> 1)) << uint64(8)
        low = (load_u8(base, position) << uint64(16)) | middle | load_u8(base, position + left - 1)
    return fold_multiply(low ^ secrets[2], high ^ state)


@njit(nogil=True, cache=True, forceinline=True)
def hash_span(base: Int, start: Int, length: Int, secrets: HashSecrets) -> Int:
    """The hash of `length` bytes, `start` bytes behind address `base`."""
    position = start
    left = length
    state = secrets[0]
    if left > 48:
        second = state
        third = state
        while left > 48:
            state = fold_multiply(load_u64(base, position) ^ secrets[1], load_u64(base, position + 8) ^ state)
            second = fold_multiply(load_u64(base, position + 16) ^ secrets[2], load_u64(base, position + 24) ^ second)
            third = fold_multiply(load_u64(base, position + 32) ^ secrets[3], load_u64(base, position + 40) ^ third)
            position += 48
            left -= 48
        state ^= second ^ third
    while left > 16:
        state = fold_multiply(load_u64(base, position) ^ secrets[1], load_u64(base, position + 8) ^ state)
        position += 16
        left -= 16
    state = _hash_tail(base, position, left, state, secrets)
    return fold_multiply(state ^ secrets[3], uint64(length) ^ secrets[1])


@njit(nogil=True, cache=True, forceinline=True)
def combine_hashes(state: Int, word: Int, secrets: HashSecrets) -> Int:
    """Take one more hash (or any word) into `state`; the order counts."""
    return fold_multiply(state ^ secrets[1], word ^ secrets[2]) + secrets[3]


@njit(nogil=True, cache=True)
def hash_spans(
    buffer: NDArray[np.uint8], start: NDArray[np.int64], length: NDArray[np.int64], secrets: NDArray[np.uint64]
) -> NDArray[np.uint64]:
    """Hashes [n] of n byte ranges of `buffer`. The caller has checked the bounds."""
    base = address_of(buffer)
    words = to_tuple(secrets)
    hashes = np.empty(len(start), np.uint64)
    for index in range(len(start)):
        hashes[index] = hash_span(base, start[index], length[index], words)
    return hashes


def mix_columns(columns: NDArray[np.uint64], seed: int) -> NDArray[np.uint64]:
    """One hash [n] for each column of words [k, n], their order included; for keys made of several hashes."""
    secrets = derive_secrets(seed, 4)
    state = np.full(columns.shape[1], secrets[0], np.uint64)
    for words in columns:
        # Multiply, shift, multiply: the finalizer of splitmix64, all wrapping.
        state = (state ^ words ^ secrets[1]) * np.uint64(0xBF58476D1CE4E5B9)
        state = (state ^ (state >> np.uint64(32))) * (secrets[2] | np.uint64(1))
        state ^= state >> np.uint64(29)
    return state
