"""Which series a span counts for: one for each combination of the grouping's values."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from swarmscope.lang.traceql.fields import Attribute, Intrinsic
from swarmscope.model.errors import LimitExceededError
from swarmscope.query.traceql.answers import Label
from swarmscope.query.traceql.span_block import SpanBlock
from swarmscope.query.traceql.value_groups import group_values
from swarmscope.query.traceql.values import TypedValue, Values

_UNKNOWN = -1


class SeriesTable:
    """Numbers of series from 0 on, and their labels. A span without a value has the label nil."""

    def __init__(self, by: Sequence[Attribute | Intrinsic], max_series: int) -> None:
        self._by = by
        self._names = tuple(map(str, by))
        self._max_series = max_series
        self._numbers: dict[tuple[TypedValue, ...], int] = {}
        # The series of cells that were met, _UNKNOWN for others; of the column whose types these are.
        self._of_cell = np.zeros(0, np.int64)
        self._cell_tags: NDArray[np.uint8] | None = None

    def __len__(self) -> int:
        return len(self._numbers)

    def labels(self) -> list[tuple[Label, ...]]:
        """The labels of every series."""
        return [tuple(zip(self._names, values, strict=True)) for values in self._numbers]

    def number(self, block: SpanBlock, positions: NDArray[np.int64]) -> NDArray[np.int64]:
        """The series of the spans at these positions [n]. Raises LimitExceededError where there are too many."""
        if not self._by:
            self._numbers.setdefault((), 0)
            return np.zeros(len(positions), np.int64)
        columns = [block.values_of(node).first_per_span(len(block)) for node in self._by]
        if len(columns) == 1 and columns[0].index is not None:
            index = columns[0].index
            return self._by_cells(columns[0], index if len(positions) == len(block) else index[positions])
        taken = [column.take(positions) for column in columns]
        local, first = group_values(taken)
        return self._known(taken, first)[local]

    def _by_cells(self, column: Values, cells: NDArray[np.int64]) -> NDArray[np.int64]:
        # Fast path: what is said of resources is looked up once for each resource, whatever the number of batches.
        if self._cell_tags is not column.tag:
            self._cell_tags = column.tag
            self._of_cell = np.full(len(column.tag), _UNKNOWN, np.int64)
        series = self._of_cell[cells]
        if len(series) and series.min() == _UNKNOWN:
            used = np.unique(cells[series == _UNKNOWN])
            flat = Values(column.tag, column.whole, column.real, column.text).take(used)
            local, first = group_values([flat])
            self._of_cell[used] = self._known([flat], first)[local]
            series = self._of_cell[cells]
        return series

    def _known(self, columns: Sequence[Values], rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """Numbers of the series of these rows [n]."""
        numbers = np.empty(len(rows), np.int64)
        for i, row in enumerate(rows.tolist()):
            key = tuple(column.typed(row) for column in columns)
            numbers[i] = self._numbers.setdefault(key, len(self._numbers))
        if len(self._numbers) > self._max_series:
            raise LimitExceededError(
                f"the query has more than {self._max_series} series: group by fewer fields",
                limit="TraceqlSettings.max_series",
            )
        return numbers
