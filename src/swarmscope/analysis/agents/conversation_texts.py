"""Ids of conversations by their keys, for spans that inherit them: bounded, without an object for each."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from swarmscope.analysis.agents.distinct_keys import distinct_keys
from swarmscope.model.labels import Utf8Column
from swarmscope.model.raw_memory import Int

_MAX_CONVERSATIONS = 200_000
_MAX_BYTES = 64 << 20
_FIRST_ROWS = 1024  # of a table; a power of two
_FIRST_BYTES = 16 << 10


class _Texts(NamedTuple):
    """Texts by key, with open addressing: at most half of the rows are taken, those whose key is not 0."""

    keys: NDArray[np.uint64]  # [n_rows], a power of two
    start: NDArray[np.int64]  # [n_rows] in `data`
    length: NDArray[np.int64]  # [n_rows]
    data: NDArray[np.uint8]
    counts: NDArray[np.int64]  # [2] texts, and bytes of `data` in use


_N_TEXTS, _N_BYTES = 0, 1


class ConversationTexts:
    """Those that were heard of least lately are forgotten, half of all that there is room for at a time."""

    def __init__(self, max_conversations: int = _MAX_CONVERSATIONS, max_bytes: int = _MAX_BYTES) -> None:
        """Nothing is known yet. A text longer than half of `max_bytes` is not remembered at all."""
        self._half = max(1, max_conversations // 2)
        self._half_bytes = max_bytes // 2
        self._young, self._old = _empty(), _empty()

    def learn(self, keys: NDArray[np.uint64], texts: Utf8Column) -> None:
        """Remember the text [n] of each key [n] but 0."""
        firsts, _ = distinct_keys(keys)
        row = 0
        while True:
            bounds = (self._half, self._half_bytes)
            row = _learn(self._young, keys, (texts.buffer, texts.start, texts.length), firsts, row, bounds)
            if row == len(firsts):
                return
            length = int(texts.length[firsts[row]])
            n_texts, n_bytes = self._young.counts.tolist()
            if n_texts >= self._half or n_bytes + length > self._half_bytes:
                self._old, self._young = self._young, _empty()
            else:
                self._young = _grown(self._young, length)

    def column(self, keys: NDArray[np.uint64]) -> Utf8Column:
        """The texts of keys [n]; empty for 0 and where it is forgotten."""
        firsts, which = distinct_keys(keys)
        data, start, length = _texts_of(self._young, self._old, keys[firsts])
        return Utf8Column(data, start[which], length[which])


def _empty(n_rows: int = _FIRST_ROWS, n_bytes: int = _FIRST_BYTES) -> _Texts:
    return _Texts(
        np.zeros(n_rows, np.uint64),
        np.zeros(n_rows, np.int64),
        np.zeros(n_rows, np.int64),
        np.empty(n_bytes, np.uint8),
        np.zeros(2, np.int64),
    )


def _grown(texts: _Texts, n_more_bytes: int) -> _Texts:
    """The same, with room for at least one more text of so many bytes."""
    n_texts, n_bytes = texts.counts.tolist()
    n_rows, size = len(texts.keys), len(texts.data)
    larger = _empty(
        2 * n_rows if 2 * (n_texts + 1) > n_rows else n_rows,
        max(2 * size, n_bytes + n_more_bytes) if n_bytes + n_more_bytes > size else size,
    )
    _enter_again(texts, larger)
    return larger


@njit(nogil=True, cache=True, inline="always")
def _find(keys: NDArray[np.uint64], key: Int) -> Int:
    """Where a key is, or where it belongs: there is a 0 then."""
    mask = len(keys) - 1
    at = np.int64(key >> np.uint64(20)) & mask
    while keys[at] != 0 and keys[at] != key:
        at = (at + 1) & mask
    return at


@njit(nogil=True, cache=True)
def _learn(
    known: _Texts,
    keys: NDArray[np.uint64],
    texts: tuple[NDArray[np.uint8], NDArray[np.int64], NDArray[np.int64]],
    rows: NDArray[np.int64],
    begin: int,
    bounds: tuple[int, int],
) -> int:
    """Enter rows[begin:]; how far that went before there was no room. Texts over the bound of bytes are left out."""
    buffer, start, length = texts
    max_texts, max_bytes = bounds
    for at in range(begin, len(rows)):
        row = rows[at]
        place = _find(known.keys, keys[row])
        if known.keys[place] != 0 or length[row] > max_bytes:
            continue
        n_texts, n_bytes = known.counts[_N_TEXTS], known.counts[_N_BYTES]
        if n_texts >= max_texts or 2 * (n_texts + 1) > len(known.keys):
            return at
        if n_bytes + length[row] > min(max_bytes, len(known.data)):
            return at
        known.keys[place], known.start[place], known.length[place] = keys[row], n_bytes, length[row]
        for k in range(length[row]):
            known.data[n_bytes + k] = buffer[start[row] + k]
        known.counts[_N_TEXTS] = n_texts + 1
        known.counts[_N_BYTES] = n_bytes + length[row]
    return len(rows)


@njit(nogil=True, cache=True)
def _enter_again(texts: _Texts, larger: _Texts) -> None:
    for row in range(len(texts.keys)):
        if texts.keys[row] != 0:
            place = _find(larger.keys, texts.keys[row])
            larger.keys[place] = texts.keys[row]
            larger.start[place], larger.length[place] = texts.start[row], texts.length[row]
    larger.data[: texts.counts[_N_BYTES]] = texts.data[: texts.counts[_N_BYTES]]
    larger.counts[:] = texts.counts


@njit(nogil=True, cache=True)
def _texts_of(
    young: _Texts, old: _Texts, keys: NDArray[np.uint64]
) -> tuple[NDArray[np.uint8], NDArray[np.int64], NDArray[np.int64]]:
    """The texts of distinct keys [n] in a buffer of their own; starts and lengths [n + 1], behind those of no text."""
    place = np.empty(len(keys), np.int64)
    start, length = np.zeros(len(keys) + 1, np.int64), np.zeros(len(keys) + 1, np.int64)
    n_bytes = 0
    for row in range(len(keys)):
        at = _find(young.keys, keys[row])
        if young.keys[at] != 0:
            place[row], length[row + 1] = at, young.length[at]
        else:
            at = _find(old.keys, keys[row])
            place[row], length[row + 1] = ~at, old.length[at]
        start[row + 1] = n_bytes
        n_bytes += length[row + 1]
    data = np.empty(n_bytes, np.uint8)
    for row in range(len(keys)):
        at = place[row]
        source = young.data if at >= 0 else old.data
        first = young.start[at] if at >= 0 else old.start[~at]
        for k in range(length[row + 1]):
            data[start[row + 1] + k] = source[first + k]
    return data, start, length
