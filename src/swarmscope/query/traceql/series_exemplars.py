"""A few spans behind the points of a series."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from swarmscope.query.traceql.answers import TraceExemplar
from swarmscope.query.traceql.span_block import SpanBlock

Floats = NDArray[np.float64]


class ExemplarPicker:
    """Picks up to `limit` spans of a query, whichever series they are of."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._picked: list[tuple[int, TraceExemplar]] = []

    @property
    def has_room(self) -> bool:
        """Whether there may be more."""
        return len(self._picked) < self._limit

    def chosen(self, positions: NDArray[np.int64], values: Floats | None) -> tuple[NDArray[np.int64], Floats | None]:
        """As many of a batch's spans as there is room for, at equal distances; with their values."""
        count = min(self._limit - len(self._picked), len(positions))
        spread = np.linspace(0, len(positions) - 1, max(count, 0)).astype(np.int64)
        return positions[spread], None if values is None else values[spread]

    def add(
        self, block: SpanBlock, positions: NDArray[np.int64], series: NDArray[np.int64], values: Floats | None
    ) -> None:
        """Keep the chosen ones of a batch, which are of these series."""
        rows = block.rows
        for i, row in enumerate(positions.tolist()):
            value = float("nan") if values is None else float(values[i])
            exemplar = TraceExemplar(rows.trace_id[row].tobytes(), int(rows.start_ns[row]), value)
            self._picked.append((int(series[i]), exemplar))

    def of_series(self, number: int) -> tuple[TraceExemplar, ...]:
        """Those of one series, by time."""
        mine = [exemplar for series, exemplar in self._picked if series == number]
        return tuple(sorted(mine, key=lambda each: (each.ts_ns, each.trace_id)))
