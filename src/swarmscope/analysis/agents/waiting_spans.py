"""All that spans say, kept by number while they wait."""

from __future__ import annotations

from dataclasses import fields, replace

import numpy as np
from numpy.typing import NDArray

from swarmscope.model.agents import AgentSpans
from swarmscope.model.labels import Utf8Column

_FIRST_SLOTS = 1024
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
