"""What was counted in usage and turns out to be told by another span as well, so that it can be taken back."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from swarmscope.analysis.agents.forest_tables import Records
from swarmscope.analysis.agents.settled import Counted
from swarmscope.analysis.agents.usage_rows import span_usage
from swarmscope.analysis.agents.waiting_spans import taken
from swarmscope.model.agents import AgentSpans
from swarmscope.model.fleet import Usage

_COLUMNS = (
    "start_ns", "end_ns", "status", "operation", "agent", "agent_version", "team", "provider", "model", "tool",
    "input_tokens", "output_tokens", "cached_tokens", "reasoning_tokens", "cost_usd", "cost_source",
)  # fmt: skip
_FIRST_ROWS = 1024


class UsageLedger:
    """Spans by their entries in a forest's ledger, as far as usage is counted from them."""

    def __init__(self, max_entries: int, tenant: str) -> None:
        self._max_entries = max_entries
        self._rows = AgentSpans.blank(min(_FIRST_ROWS, max_entries), tenant)

    def enter(self, entries: NDArray[np.int32], spans: AgentSpans) -> None:
        """Remember the spans [n] whose entry [n] is not -1."""
        rows = np.flatnonzero(entries >= 0)
        if not len(rows):
            return
        entries = entries[rows]
        n, needed = len(self._rows), int(entries.max()) + 1
        if needed > n:
            larger = AgentSpans.blank(min(self._max_entries, 2 * needed), self._rows.tenant)
            for name in _COLUMNS:
                getattr(larger, name)[:n] = getattr(self._rows, name)
            self._rows = larger
        for name in _COLUMNS:
            getattr(self._rows, name)[entries] = getattr(spans, name)[rows]

    def corrections(self, found: Records) -> Usage:
        """What is to be added to usage, for corrections [n] (CORRECTION); the spans themselves stay counted."""
        lost = found["lost"].astype(np.uint8)
        spans = taken(self._rows, found["entry"].astype(np.int64))
        whole = span_usage(spans, lost)
        spans_alone = span_usage(spans, np.full(len(spans), Counted.NOTHING, np.uint8))
        measures = -(whole.measures - spans_alone.measures)
        return Usage(
            whole.minute_ns, whole.agent, whole.agent_version, whole.team, whole.provider, whole.model,
            whole.operation, whole.tool, measures,
        )  # fmt: skip
