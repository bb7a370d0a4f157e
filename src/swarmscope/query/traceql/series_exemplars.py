"""A few spans behind the points of a series, spread over the batches that were read."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from swarmscope.query.traceql.answers import TraceExemplar
from swarmscope.query.traceql.span_block import SpanBlock

_PER_BATCH = 16  # so that the first batch does not take all


class ExemplarPicker:
    """Picks up to `limit` spans of a query, whichever series they are of."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._picked: list[tuple[int, TraceExemplar]] = []

    def add(
        self,
        block: SpanBlock,
        positions: NDArray[np.int64],
        series: NDArray[np.int64],
        values: NDArray[np.float64] | None,
    ) -> None:
        """Look at a batch: spans at equal distances."""
        count = min(self._limit - len(self._picked), _PER_BATCH, len(positions))
        if count <= 0:
            return
        rows = block.rows
        for i in np.linspace(0, len(positions) - 1, count).astype(np.int64).tolist():
            row = int(positions[i])
            value = float("nan") if values is None else float(values[i])
            exemplar = TraceExemplar(rows.trace_id[row].tobytes(), int(rows.start_ns[row]), value)
            self._picked.append((int(series[i]), exemplar))

    def of_series(self, number: int) -> tuple[TraceExemplar, ...]:
        """Those of one series, by time."""
        mine = [exemplar for series, exemplar in self._picked if series == number]
        return tuple(sorted(mine, key=lambda each: (each.ts_ns, each.trace_id)))
