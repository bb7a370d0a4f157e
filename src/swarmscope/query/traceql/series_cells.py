"""Numbers by series and step, filled in one walk over a batch's spans."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from swarmscope.lang.traceql.fields import Attribute, Intrinsic
from swarmscope.model.errors import LimitExceededError
from swarmscope.query.traceql.metric_requests import NS_PER_S, Steps
from swarmscope.query.traceql.span_block import SpanBlock
from swarmscope.query.traceql.values import Tag, Values

Floats = NDArray[np.float64]
_SUM, _MIN, _MAX = 0, 1, 2
_NUMBERS = (Tag.INTEGER, Tag.FLOAT, Tag.DURATION)


class Measured(NamedTuple):
    """Spans with the numbers that a function is about; those without one are left out."""

    position: NDArray[np.int64]  # [n] in the block
    value: Floats  # [n] durations in seconds
    is_time: bool  # whether there was a duration among them


def measure(field: Attribute | Intrinsic, block: SpanBlock, positions: NDArray[np.int64]) -> Measured:
    """The numbers of the spans at these positions."""
    values: Values = block.values_of(field).first_per_span(len(block)).take(positions)
    there = np.flatnonzero(np.isin(values.tag, _NUMBERS))
    durations = values.tag[there] == Tag.DURATION
    numbers = np.where(durations, values.real[there] / NS_PER_S, values.real[there])
    return Measured(positions[there], numbers, bool(durations.any()))


class Cells:
    """A matrix that grows by series: sums, or the smallest or largest number."""

    def __init__(self, steps: Steps, fill: float, max_cells: int) -> None:
        self._steps = steps
        self._fill = fill
        self._max_cells = max_cells
        self._values = np.full((0, steps.count), fill)

    def add(self, series: NDArray[np.int64], start_ns: NDArray[np.int64], numbers: Floats, n_series: int) -> None:
        """Take numbers [n] of spans that began then into account; series are below `n_series`."""
        self._grow(n_series)
        how = _SUM if self._fill == 0 else _MIN if self._fill > 0 else _MAX
        _add(self._values, series, start_ns, numbers, (self._steps.start_ns, self._steps.step_ns, how))

    def values(self, n_series: int) -> Floats:
        """The matrix [n_series, n_steps]."""
        self._grow(n_series)
        return self._values[:n_series]

    def _grow(self, n_series: int) -> None:
        have = len(self._values)
        if n_series <= have:
            return
        if n_series * self._steps.count > self._max_cells:
            raise LimitExceededError(
                f"the query has {n_series} series of {self._steps.count} points, which is too much at once",
                limit="TraceqlSettings.max_cells",
            )
        more = np.full((max(n_series, 2 * have) - have, self._steps.count), self._fill)
        self._values = np.concatenate([self._values, more])


@njit(nogil=True, cache=True)
def _add(
    cells: Floats,
    series: NDArray[np.int64],
    start_ns: NDArray[np.int64],
    numbers: Floats,
    how: tuple[int, int, int],
) -> None:
    first_ns, step_ns, kind = how
    last = cells.shape[1] - 1
    for i in range(len(series)):
        # A span that begins at a point belongs to it.
        step = min(max((start_ns[i] - first_ns - 1) // step_ns, 0), last)
        number = numbers[i]
        if kind == _SUM:
            cells[series[i], step] += number
        elif kind == _MIN:
            cells[series[i], step] = min(cells[series[i], step], number)
        else:
            cells[series[i], step] = max(cells[series[i], step], number)
