"""What an evaluation carries through the tree: times, limits, symbols, annotations and the fetched data."""

from __future__ import annotations

import weakref
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from swarmscope.model.contracts import Cancellation
from swarmscope.model.errors import LimitExceededError
from swarmscope.query.promql.annotations import Annotations
from swarmscope.query.promql.frames import Frame, Steps
from swarmscope.query.promql.symbols import QuerySymbols

if TYPE_CHECKING:
    from swarmscope.query.promql.fetch import Fetches

_BYTES_PER_CELL = 9  # a float64 and a presence byte
TOO_MANY_SAMPLES = "query processing would load too many samples into memory in query execution"


@dataclass(slots=True)
class Evaluation:
    """One query's evaluation. Belongs to one thread."""

    query: Steps  # the query's own times; subqueries evaluate at others
    bounds: tuple[int, int]  # what `@ start()` and `@ end()` mean, ms; the last step may lie before the end
    lookback_ms: int
    default_step_ms: int
    symbols: QuerySymbols
    annotations: Annotations
    cancellation: Cancellation
    max_samples: int
    max_bytes: int  # of all matrices that live at once
    fetches: Fetches = field(init=False)
    largest_matrix: int = 0
    _held: dict[int, tuple[int, weakref.ref[NDArray[np.float64]]]] = field(default_factory=dict)

    def matrix(self, n_series: int, n_steps: int) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        """Zeroed (values, present) [n_series, n_steps]; raises LimitExceededError, or ends a cancelled query."""
        self.cancellation.check()
        cells = n_series * n_steps
        self.largest_matrix = max(self.largest_matrix, cells)
        if cells > self.max_samples:
            raise LimitExceededError(TOO_MANY_SAMPLES, limit="limits.max_query_samples")
        self._check_bytes(cells, n_series, n_steps)
        values, present = np.zeros((n_series, n_steps)), np.zeros((n_series, n_steps), np.bool_)
        self._remember(values)
        return values, present

    def check_steps(self, steps: Steps) -> None:
        """Raise LimitExceededError where one series at all these steps is more than the query may hold."""
        if steps.count > self.max_samples:
            raise LimitExceededError(TOO_MANY_SAMPLES, limit="limits.max_query_samples")
        self._check_bytes(steps.count, 1, steps.count)

    def hold(self, frame: Frame) -> None:
        """Count a matrix that an operator made by itself; raises LimitExceededError when it is one too many."""
        values = frame.values
        while isinstance(values.base, np.ndarray):
            values = values.base
        if id(values) not in self._held:
            self._check_bytes(values.size, frame.n_series, frame.n_steps)
            self._remember(values)

    @property
    def live_bytes(self) -> int:
        """What the query's matrices take now."""
        return sum(size for size, _ in list(self._held.values()))

    def _check_bytes(self, cells: int, n_series: int, n_steps: int) -> None:
        if cells * _BYTES_PER_CELL + self.live_bytes > self.max_bytes:
            raise LimitExceededError(
                f"query needs a matrix of {n_series} series x {n_steps} steps more, and all of its matrices together "
                f"would take more than {self.max_bytes} bytes",
                limit="limits.max_query_memory",
            )

    def _remember(self, values: NDArray[np.float64]) -> None:
        key, held = id(values), self._held
        held[key] = (values.size * _BYTES_PER_CELL, weakref.ref(values, lambda _: held.pop(key, None)))
