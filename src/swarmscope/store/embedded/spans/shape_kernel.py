"""Finding and adding the shapes of attribute sets: numbers for names, and for sets of such numbers.

A name with a kind is a key, and has a number. A shape is a sorted row of keys with an owner, so a set of attributes has
the same shape in whichever order a sender names them.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from swarmscope.model.byte_hash import hash_bytes, mix
from swarmscope.model.byte_ranges import bytes_equal
from swarmscope.model.raw_memory import Int, address_of, copy_bytes

NO_KEY = -1
NO_SHAPE = -1
KEY_SHIFT = 32
_ENTRY_MASK = (1 << KEY_SHIFT) - 1
# Shorter rows are sorted by insertion.
_MAX_INSERTED = 48


class Pairs(NamedTuple):
    """Attribute sets [n]: set i has the names and kinds `offsets[i] : offsets[i + 1]`."""

    offsets: NDArray[np.int64]
    buffer: NDArray[np.uint8]
    start: NDArray[np.int64]
    length: NDArray[np.int64]
    kind: NDArray[np.uint8]


class Keys(NamedTuple):
    """Key k is the name `pool[begin[k] : begin[k + 1]]` with a kind."""

    slots: NDArray[np.int64]  # [power of two] key + 1, 0 for free
    hashes: NDArray[np.uint64]  # [room]
    kind: NDArray[np.uint8]  # [room]
    begin: NDArray[np.int64]  # [room + 1]
    pool: NDArray[np.uint8]
    used: NDArray[np.int64]  # [1] how many there are


class Shapes(NamedTuple):
    """Shape s has the keys `sorted_keys[begin[s] : begin[s + 1]]`, and the slots of their values beside them."""

    slots: NDArray[np.int64]  # [power of two] shape + 1, 0 for free
    hashes: NDArray[np.uint64]  # [room]
    owner: NDArray[np.int64]  # [room]
    begin: NDArray[np.int64]  # [room + 1]
    sorted_keys: NDArray[np.int64]
    slot_of: NDArray[np.int64]
    used: NDArray[np.int64]  # [1] how many there are


@njit(nogil=True, cache=True)
def find_keys(pairs: Pairs, first: int, keys: Keys, seed: Int, max_bytes: int, found: NDArray[np.int64]) -> int:
    """Fill `found` [n_pairs] from pair `first` on; the first pair that needs more room, or n_pairs.

    NO_KEY where names would take more than `max_bytes`.
    """
    source, pool = address_of(pairs.buffer), address_of(keys.pool)
    mask = np.uint64(len(keys.slots) - 1)
    for pair in range(first, len(found)):
        start, length, kind = pairs.start[pair], pairs.length[pair], pairs.kind[pair]
        digest = hash_bytes(source + start, length, mix(seed, kind))
        slot = np.int64(digest & mask)
        key = keys.slots[slot] - 1
        while key >= 0:
            if keys.hashes[key] == digest and keys.kind[key] == kind:
                begin = keys.begin[key]
                if keys.begin[key + 1] - begin == length and bytes_equal(pool + begin, source + start, length):
                    break
            slot = np.int64(np.uint64(slot + 1) & mask)
            key = keys.slots[slot] - 1
        if key < 0:
            key = keys.used[0]
            at = keys.begin[key]
            if at + length > max_bytes:
                found[pair] = NO_KEY
                continue
            if key >= len(keys.hashes) or at + length > len(keys.pool) or 2 * key >= len(keys.slots):
                return pair
            copy_bytes(pool + at, source + start, length)
            keys.begin[key + 1] = at + length
            keys.kind[key] = kind
            keys.hashes[key] = digest
            keys.slots[slot] = key + 1
            keys.used[0] = key + 1
        found[pair] = key
    return len(found)


@njit(nogil=True, cache=True)
def _sorted_row(keys: NDArray[np.int64], begin: Int, end: Int, words: NDArray[np.int64]) -> bool:
    """Put key and entry of each pair of a row into `words`, sorted; whether all have a key."""
    n = end - begin
    for index in range(n):
        key = keys[begin + index]
        if key < 0:
            return False
        word = (key << KEY_SHIFT) | index
        at = index
        if n <= _MAX_INSERTED:
            while at > 0 and words[at - 1] > word:
                words[at] = words[at - 1]
                at -= 1
        words[at] = word
    if n > _MAX_INSERTED:
        words[:n].sort()
    return True


@njit(nogil=True, cache=True)
def _is_shape(shapes: Shapes, shape: Int, owner: Int, words: NDArray[np.int64], n: Int) -> bool:
    begin = shapes.begin[shape]
    if shapes.owner[shape] != owner or shapes.begin[shape + 1] - begin != n:
        return False
    differing = 0
    for index in range(n):
        differing += shapes.sorted_keys[begin + index] != words[index] >> KEY_SHIFT
    return differing == 0


@njit(nogil=True, cache=True)
def hash_row(owner: Int, words: NDArray[np.int64], n: Int, seed: Int) -> Int:
    """The hash of a shape with these keys."""
    digest = mix(seed, owner)
    for index in range(n):
        digest = mix(digest, words[index] >> KEY_SHIFT)
    return digest


@njit(nogil=True, cache=True)
def find_shapes(
    offsets: NDArray[np.int64],
    keys: NDArray[np.int64],
    owner_and_bound: tuple[int, int],
    shapes: Shapes,
    seed: Int,
    target: tuple[int, NDArray[np.int64], NDArray[np.int64]],
) -> int:
    """Fill from row `first` of (first, shape [n], entry [n_pairs]) on; the first row that needs more room, or n.

    `owner_and_bound`: no new shape is added beyond so many keys in all. Row r's value of slot s is its pair
    `entry[offsets[r] + s]`, counted from the row's first.
    """
    owner, max_keys = owner_and_bound
    first, found, entry = target
    longest = np.int64(0)
    for row in range(first, len(found)):
        longest = max(longest, offsets[row + 1] - offsets[row])
    words = np.empty(longest, np.int64)
    mask = np.uint64(len(shapes.slots) - 1)
    for row in range(first, len(found)):
        begin, end = offsets[row], offsets[row + 1]
        n = end - begin
        found[row] = NO_SHAPE
        if not _sorted_row(keys, begin, end, words):
            continue
        digest = hash_row(owner, words, n, seed)
        slot = np.int64(digest & mask)
        shape = shapes.slots[slot] - 1
        while shape >= 0 and not (shapes.hashes[shape] == digest and _is_shape(shapes, shape, owner, words, n)):
            slot = np.int64(np.uint64(slot + 1) & mask)
            shape = shapes.slots[slot] - 1
        if shape < 0:
            shape = shapes.used[0]
            at = shapes.begin[shape]
            if at + n > max_keys or shape >= max_keys:
                continue
            if shape >= len(shapes.hashes) or at + n > len(shapes.sorted_keys) or 2 * shape >= len(shapes.slots):
                return row
            for index in range(n):
                shapes.sorted_keys[at + index] = words[index] >> KEY_SHIFT
                shapes.slot_of[at + index] = index
            shapes.begin[shape + 1] = at + n
            shapes.owner[shape] = owner
            shapes.hashes[shape] = digest
            shapes.slots[slot] = shape + 1
            shapes.used[0] = shape + 1
        found[row] = shape
        base = shapes.begin[shape]
        for index in range(n):
            entry[begin + shapes.slot_of[base + index]] = words[index] & _ENTRY_MASK
    return len(found)


@njit(nogil=True, cache=True)
def hashed_slots(hashes: NDArray[np.uint64], n: int, size: int) -> NDArray[np.int64]:
    """A table of `size` (a power of two) slots for the first `n` hashes."""
    slots = np.zeros(size, np.int64)
    mask = np.uint64(size - 1)
    for number in range(n):
        slot = np.int64(hashes[number] & mask)
        while slots[slot] != 0:
            slot = np.int64(np.uint64(slot + 1) & mask)
        slots[slot] = number + 1
    return slots
