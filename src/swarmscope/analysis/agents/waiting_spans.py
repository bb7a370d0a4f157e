"""All that spans say, kept by number while they wait; and the ids of conversations, for those that inherit them."""

from __future__ import annotations

from dataclasses import fields, replace

import numpy as np
from numba import njit
from numpy.typing import NDArray

from swarmscope.model.agents import AgentSpans
from swarmscope.model.labels import Utf8Column

_FIRST_SLOTS = 1024
_MAX_CONVERSATIONS = 200_000
_NOT_KEPT = {"conversation", "link_offsets", "link_key", "tenant"}
ROW_COLUMNS = tuple(field.name for field in fields(AgentSpans) if field.name not in _NOT_KEPT)


class WaitingSpans:
    """Rows of `AgentSpans` by slot; their conversations are kept by key only, and links not at all."""

    def __init__(self, tenant: str) -> None:
        self._rows = AgentSpans.blank(_FIRST_SLOTS, tenant)

    def put(self, slots: NDArray[np.int64], spans: AgentSpans, rows: NDArray[np.int64]) -> None:
        """Keep the rows [n] of a batch in the slots [n]."""
        if not len(slots):
            return
        n = len(self._rows)
        if slots.max() >= n:
            larger = AgentSpans.blank(1 << int(slots.max()).bit_length(), self._rows.tenant)
            for name in ROW_COLUMNS:
                getattr(larger, name)[:n] = getattr(self._rows, name)
            self._rows = larger
        for name in ROW_COLUMNS:
            getattr(self._rows, name)[slots] = getattr(spans, name)[rows]

    def take(self, slots: NDArray[np.int64]) -> AgentSpans:
        """The rows in the slots [n], which stay there; without the texts of conversations."""
        return taken(self._rows, slots)


def taken(spans: AgentSpans, rows: NDArray[np.int64]) -> AgentSpans:
    """Some rows, without links and the texts of conversations."""
    nothing = AgentSpans.blank(0, spans.tenant)
    n = len(rows)
    return replace(
        nothing,
        **{name: getattr(spans, name)[rows] for name in ROW_COLUMNS},
        conversation=Utf8Column(np.zeros(0, np.uint8), np.zeros(n, np.int64), np.zeros(n, np.int64)),
        link_offsets=np.zeros(n + 1, np.int64),
    )


class ConversationTexts:
    """Ids of conversations by their keys; the ones learnt first are forgotten first."""

    def __init__(self, max_conversations: int = _MAX_CONVERSATIONS) -> None:
        self._max = max_conversations
        self._texts: dict[int, bytes] = {}

    def learn(self, keys: NDArray[np.uint64], texts: Utf8Column) -> None:
        """Remember the text [n] of each key [n] but 0."""
        firsts, _ = distinct_keys(keys)
        for row, key in zip(firsts.tolist(), keys[firsts].tolist(), strict=True):
            if key not in self._texts:
                start = int(texts.start[row])
                self._texts[key] = texts.buffer[start : start + int(texts.length[row])].tobytes()
        while len(self._texts) > self._max:
            del self._texts[next(iter(self._texts))]

    def column(self, keys: NDArray[np.uint64]) -> Utf8Column:
        """The texts of keys [n]; empty for 0 and where it is forgotten."""
        firsts, which = distinct_keys(keys)
        texts = [b"", *(self._texts.get(key, b"") for key in keys[firsts].tolist())]
        lengths = np.array([len(text) for text in texts], np.int64)
        starts = np.cumsum(lengths) - lengths
        return Utf8Column(np.frombuffer(b"".join(texts), np.uint8), starts[which], lengths[which])


@njit(nogil=True, cache=True)
def distinct_keys(keys: NDArray[np.uint64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The first row [m] of each key but 0, and for every row [n] which of these its key is, from 1 on; 0 for 0."""
    size = 16
    while size < 2 * len(keys):
        size *= 2
    table = np.zeros(size, np.int64)
    which = np.zeros(len(keys), np.int64)
    firsts = np.empty(len(keys), np.int64)
    n = 0
    for row in range(len(keys)):
        key = keys[row]
        if key == 0:
            continue
        at = np.int64(key >> np.uint64(20)) & (size - 1)
        while table[at] != 0 and keys[firsts[table[at] - 1]] != key:
            at = (at + 1) & (size - 1)
        if table[at] == 0:
            firsts[n] = row
            n += 1
            table[at] = n
        which[row] = table[at]
    return firsts[:n].copy(), which
