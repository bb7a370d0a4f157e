"""Names of attributes inside their sets: which pairs do not count, and which of a few words a text is."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numba import njit, uint64
from numpy.typing import NDArray

from swarmscope.model.attributes import AttributeSets, ValueColumn, ValueKind
from swarmscope.model.byte_ranges import bytes_equal
from swarmscope.model.labels import Utf8Column
from swarmscope.model.raw_memory import address_of, load_u8
from swarmscope.receivers.wire.key_hash import hash_span, to_tuple


@njit(nogil=True, cache=True)
def _find_displaced(
    buffer: NDArray[np.uint8], start: NDArray[np.int64], length: NDArray[np.int64], offsets: NDArray[np.int64],
    secrets: NDArray[np.uint64],
) -> NDArray[np.int64]:  # fmt: skip
    """Pairs [k] without a name, or whose name stands in their set again.

    Every set goes through one table of places by hash; what earlier sets left there counts as free.
    """
    base, words = address_of(buffer), to_tuple(secrets)
    widest = 0
    for row in range(len(offsets) - 1):
        widest = max(widest, offsets[row + 1] - offsets[row])
    size = 16
    while size < 2 * widest:
        size *= 2
    place, hashes = np.full(size, -1, np.int64), np.empty(size, np.uint64)
    displaced = np.zeros(len(start), np.bool_)
    for row in range(len(offsets) - 1):
        begin = offsets[row]
        for pair in range(begin, offsets[row + 1]):
            if length[pair] == 0:
                displaced[pair] = True
                continue
            hashed = hash_span(base, start[pair], length[pair], words)
            slot = np.int64(hashed & uint64(size - 1))
            while place[slot] >= begin:
                other = place[slot]
                alike = hashes[slot] == hashed and length[other] == length[pair]
                if alike and bytes_equal(base + start[other], base + start[pair], length[pair]):
                    displaced[other] = True
                    break
                slot = (slot + 1) & (size - 1)
            place[slot], hashes[slot] = pair, hashed
    return np.flatnonzero(displaced)


@njit(nogil=True, cache=True)
def _match_words(
    column: tuple[NDArray[np.uint8], NDArray[np.int64], NDArray[np.int64]],
    words: tuple[NDArray[np.uint8], NDArray[np.int64]],
) -> NDArray[np.int64]:
    buffer, start, length = column
    text, ends = words
    base, known = address_of(buffer), address_of(text)
    found = np.full(len(start), -1, np.int64)
    for row in range(len(start)):
        begin = 0
        for word in range(len(ends)):
            if length[row] == ends[word] - begin and length[row] > 0:
                same = True
                for k in range(length[row]):
                    byte = load_u8(base, start[row] + k)
                    if byte >= uint64(0x41) and byte <= uint64(0x5A):
                        byte |= uint64(0x20)
                    if byte != load_u8(known, begin + k):
                        same = False
                        break
                if same:
                    found[row] = word
                    break
            begin = ends[word]
    return found


def match_words(values: ValueColumn, words: Sequence[str]) -> NDArray[np.int64]:
    """Which of the words (ASCII, lower case) a string is, whatever its case [n]; -1 for none."""
    is_text = values.kind == ValueKind.STRING
    if not is_text.any():  # Fast path
        return np.full(len(values), -1, np.int64)
    text = np.frombuffer("".join(words).encode(), np.uint8)
    ends = np.cumsum([len(word) for word in words]).astype(np.int64)
    column = values.text.buffer, np.ascontiguousarray(values.text.start), np.ascontiguousarray(values.text.length)
    found: NDArray[np.int64] = np.where(is_text, _match_words(column, (text, ends)), -1)
    return found


def settle_names(sets: AttributeSets, secrets: NDArray[np.uint64]) -> AttributeSets:
    """The sets without pairs that have no name, and with the last one of each name."""
    names: Utf8Column = sets.names
    start, length = np.ascontiguousarray(names.start), np.ascontiguousarray(names.length)
    displaced: NDArray[np.int64] = _find_displaced(names.buffer, start, length, sets.offsets, secrets)
    return sets.without(displaced)
