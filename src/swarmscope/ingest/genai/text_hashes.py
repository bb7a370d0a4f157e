"""Hashes of whole columns of texts, and texts of which one of several attributes tells."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from swarmscope.ingest.genai.read_only import read_only
from swarmscope.model.attributes import AttributeSets, ValueKind
from swarmscope.model.byte_hash import hash_bytes
from swarmscope.model.labels import Utf8Column
from swarmscope.model.raw_memory import address_of


def text_hashes(texts: Utf8Column, seed: int) -> NDArray[np.uint64]:
    """The hash [n] of each text, 0 for the empty one."""
    hashes: NDArray[np.uint64] = _hash_all(read_only(texts.buffer), texts.start, texts.length, np.uint64(seed))
    return hashes


@njit(nogil=True, cache=True)
def _hash_all(
    buffer: NDArray[np.uint8], start: NDArray[np.int64], length: NDArray[np.int64], seed: np.uint64
) -> NDArray[np.uint64]:
    base = address_of(buffer)
    hashes = np.zeros(len(start), np.uint64)
    for at in range(len(start)):
        if length[at] > 0:
            hashes[at] = max(hash_bytes(base + start[at], length[at], seed), np.uint64(1))
    return hashes


def first_texts(sets: AttributeSets, names: tuple[str, ...]) -> Utf8Column:
    """Of each set the text [n_sets] of the first of these attributes that is one and is not empty."""
    n = len(sets)
    start, length = np.zeros(n, np.int64), np.zeros(n, np.int64)
    for name in names:
        column = sets.column(name)
        better = (length == 0) & (column.kind == ValueKind.STRING)
        start, length = np.where(better, column.text.start, start), np.where(better, column.text.length, length)
    return Utf8Column(sets.values.text.buffer, start, length)
