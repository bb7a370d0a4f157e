"""What the conversations of the last hour have cost: a bounded number of them, the dearest as series."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

import numpy as np

from swarmscope.analysis.agents.settled import Counted, Settled
from swarmscope.fleet.series import Family, Labels, SeriesTable, labels
from swarmscope.model.agents import AgentSpans

FAMILIES = (
    Family("agi_conversation_cost_usd", "gauge", "Money that a conversation has cost so far, in US dollars."),
    Family("agi_conversation_tokens", "gauge", "Tokens that a conversation has used so far."),
)
_MAX_REMEMBERED = 20_000


@dataclass(slots=True)
class _Conversation:
    id: str
    tokens: float = 0.0
    cost_usd: float = 0.0
    touched_ms: int = 0


class ConversationTotals:
    """Of one tenant. Not thread-safe."""

    def __init__(self, max_series: int, idle_ms: int, seed: int) -> None:
        self._max_series, self._idle_ms = max_series, idle_ms
        self._by_key: OrderedDict[int, _Conversation] = OrderedDict()  # what was touched last stands last
        self.table = SeriesTable(FAMILIES, max_series, seed)

    def __len__(self) -> int:
        return len(self._by_key)

    def add(self, settled: Settled, now_ms: int) -> None:
        """Count what was used inside conversations."""
        spans = settled.spans
        rows = np.flatnonzero((spans.conversation_key != 0) & (settled.counted & (Counted.TOKENS | Counted.COST) != 0))
        if not len(rows):
            return
        counted = settled.counted[rows]
        tokens = np.maximum(spans.input_tokens[rows], 0) + np.maximum(spans.output_tokens[rows], 0)
        tokens = np.where(counted & Counted.TOKENS, tokens, 0)
        cost = np.where(counted & Counted.COST, np.nan_to_num(spans.cost_usd[rows]), 0.0)
        keys, first, group = np.unique(spans.conversation_key[rows], return_index=True, return_inverse=True)
        token_sums, cost_sums = np.bincount(group, tokens), np.bincount(group, cost)
        sums = zip(keys.tolist(), rows[first].tolist(), token_sums.tolist(), cost_sums.tolist(), strict=True)
        for key, row, n_tokens, cost_usd in sums:
            known = self._by_key.get(key) or _Conversation(_id_of(spans, row))
            known.tokens += n_tokens
            known.cost_usd += cost_usd
            known.touched_ms = now_ms
            self._by_key[key] = known
            self._by_key.move_to_end(key)
        while len(self._by_key) > _MAX_REMEMBERED:
            self._by_key.popitem(last=False)

    def refresh(self, now_ms: int) -> None:
        """Choose which of those that were touched lately have series."""
        while self._by_key and next(iter(self._by_key.values())).touched_ms < now_ms - self._idle_ms:
            self._by_key.popitem(last=False)
        dearest = sorted(self._by_key.values(), key=lambda each: (-each.cost_usd, -each.tokens, each.id))
        values: dict[Labels, tuple[float, float]] = {
            labels(conversation=each.id): (each.cost_usd, each.tokens)
            for each in dearest[: self._max_series]
            if each.id
        }
        self.table.replace(values, now_ms)


def _id_of(spans: AgentSpans, row: int) -> str:
    column = spans.conversation
    begin = int(column.start[row])
    return column.buffer[begin : begin + int(column.length[row])].tobytes().decode("utf-8", "replace")
