"""What the conversations of the last hour have cost: a bounded number of them, the dearest as series."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from swarmscope.analysis.agents.settled import Counted, Settled
from swarmscope.fleet.series import Family, SeriesTable, labels
from swarmscope.model.fleet import GRAIN_NS
from swarmscope.model.labels import Utf8Column

FAMILIES = (
    Family("agi_conversation_cost_usd", "gauge", "Money that a conversation has cost so far, in US dollars."),
    Family("agi_conversation_tokens", "gauge", "Tokens that a conversation has used so far."),
)
_NS_PER_MS = 1_000_000
_MAX_REMEMBERED = 20_000
_MAX_PARTS = 64


class _Sums(NamedTuple):
    """Conversations [n]; a key may stand more than once until sums are added up."""

    key: NDArray[np.uint64]
    id: Utf8Column
    tokens: NDArray[np.float64]
    cost_usd: NDArray[np.float64]
    touched_ms: NDArray[np.int64]


class ConversationTotals:
    """Of one tenant. Not thread-safe."""

    def __init__(self, max_series: int, idle_ms: int, seed: int) -> None:
        self._max_series, self._idle_ms = max_series, idle_ms
        self._parts: list[_Sums] = []
        self.table = SeriesTable(FAMILIES, max_series, seed)

    def add(self, settled: Settled, now_ms: int) -> None:
        """Count what was used inside conversations."""
        spans = settled.spans
        rows = np.flatnonzero((spans.conversation_key != 0) & (settled.counted & (Counted.TOKENS | Counted.COST) != 0))
        if not len(rows):
            return
        counted = settled.counted[rows]
        tokens = np.maximum(spans.input_tokens[rows], 0) + np.maximum(spans.output_tokens[rows], 0)
        self._parts.append(
            _Sums(
                spans.conversation_key[rows],
                spans.conversation.take(rows).compact(),
                np.where(counted & Counted.TOKENS, tokens, 0).astype(np.float64),
                np.where(counted & Counted.COST, np.nan_to_num(spans.cost_usd[rows]), 0.0),
                np.full(len(rows), now_ms),
            )
        )
        if len(self._parts) > _MAX_PARTS:
            self._add_up(now_ms)

    def refresh(self, now_ms: int) -> None:
        """Choose which of those that were touched lately have series."""
        dearest = self.dearest(now_ms)
        values = {labels(conversation=name): (cost_usd, tokens) for name, (cost_usd, tokens, _) in dearest.items()}
        self.table.replace(values, now_ms)

    def dearest(self, now_ms: int) -> dict[str, tuple[float, float, int]]:
        """Money, tokens and the last minute [ns] of those that cost most, by their ids."""
        self._add_up(now_ms)
        found = {}
        for sums in self._parts:
            for row in np.lexsort((sums.key, -sums.tokens, -sums.cost_usd))[: self._max_series].tolist():
                minute_ns = int(sums.touched_ms[row]) * _NS_PER_MS // GRAIN_NS * GRAIN_NS
                found[_text(sums.id, row)] = float(sums.cost_usd[row]), float(sums.tokens[row]), minute_ns
        found.pop("", None)
        return found

    def _add_up(self, now_ms: int) -> None:
        """One part, without what was not touched for long; where there is no room, what was touched last stays."""
        if not self._parts:
            return
        joined = np.concatenate([part.key for part in self._parts])
        keys, first, group = np.unique(joined, return_index=True, return_inverse=True)
        touched_ms = np.zeros(len(keys), np.int64)
        np.maximum.at(touched_ms, group, np.concatenate([part.touched_ms for part in self._parts]))
        tokens, cost_usd = np.zeros(len(keys)), np.zeros(len(keys))
        np.add.at(tokens, group, np.concatenate([part.tokens for part in self._parts]))
        np.add.at(cost_usd, group, np.concatenate([part.cost_usd for part in self._parts]))
        kept = np.argsort(touched_ms, kind="stable")[-_MAX_REMEMBERED:]
        kept = kept[touched_ms[kept] >= now_ms - self._idle_ms]
        ids = _joined([part.id for part in self._parts]).take(first[kept]).compact()
        self._parts = [_Sums(keys[kept], ids, tokens[kept], cost_usd[kept], touched_ms[kept])]


def _joined(parts: list[Utf8Column]) -> Utf8Column:
    before = np.cumsum([0, *(len(part.buffer) for part in parts)])
    return Utf8Column(
        np.concatenate([part.buffer for part in parts]),
        np.concatenate([part.start + at for part, at in zip(parts, before, strict=False)]),
        np.concatenate([part.length for part in parts]),
    )


def _text(column: Utf8Column, row: int) -> str:
    begin = int(column.start[row])
    return column.buffer[begin : begin + int(column.length[row])].tobytes().decode("utf-8", "replace")
