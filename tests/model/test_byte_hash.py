"""The keyed hash: no two of many different inputs agree, whatever bit or length differs."""

import numpy as np
import pytest
from numba import njit

from swarmscope.model.byte_hash import hash_bytes, mix
from swarmscope.model.raw_memory import address_of


@njit
def digest(buffer, begin, length, seed):
    return hash_bytes(address_of(buffer) + begin, length, seed)


SEED = np.uint64(0x1234_5678_9ABC_DEF1)
TEXT = np.frombuffer(np.random.default_rng(3).bytes(4096), np.uint8)


def test_every_length_counts():
    zeros = np.zeros(600, np.uint8)
    assert len({int(digest(zeros, 0, n, SEED)) for n in range(600)}) == 600
    assert len({int(digest(TEXT, 0, n, SEED)) for n in range(600)}) == 600


@pytest.mark.parametrize("length", [1, 7, 8, 9, 16, 31, 63, 64, 65, 130, 200])
def test_every_bit_counts(length):
    digests = {int(digest(TEXT, 0, length, SEED))}
    for bit in range(8 * length):
        changed = TEXT[:length].copy()
        changed[bit // 8] ^= 1 << (bit % 8)
        digests.add(int(digest(changed, 0, length, SEED)))
    assert len(digests) == 8 * length + 1


def test_the_seed_counts_and_alignment_does_not():
    assert len({int(digest(TEXT, 0, 100, np.uint64(seed))) for seed in range(100)}) == 100
    shifted = np.concatenate([np.zeros(3, np.uint8), TEXT])
    assert digest(shifted, 3, 333, SEED) == digest(TEXT, 0, 333, SEED)


def test_numbers_mix():
    @njit
    def mixed(state, word):
        return mix(state, word)

    words = {int(mixed(np.uint64(state), np.uint64(word))) for state in range(50) for word in range(50)}
    assert len(words) == 2500
