"""What an evaluation carries through the tree: times, limits, symbols, annotations and the fetched data."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from swarmscope.model.contracts import Cancellation
from swarmscope.model.errors import LimitExceededError
from swarmscope.query.promql.annotations import Annotations
from swarmscope.query.promql.frames import Steps
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
    max_matrix_bytes: int
    fetches: Fetches = field(init=False)
    largest_matrix: int = 0

    def matrix(self, n_series: int, n_steps: int) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        """Zeroed (values, present) [n_series, n_steps]; raises LimitExceededError, or ends a cancelled query."""
        self.cancellation.check()
        cells = n_series * n_steps
        self.largest_matrix = max(self.largest_matrix, cells)
        if cells > self.max_samples:
            raise LimitExceededError(TOO_MANY_SAMPLES, limit="query.max_samples")
        if cells * _BYTES_PER_CELL > self.max_matrix_bytes:
            raise LimitExceededError(
                f"query needs a matrix of {n_series} series x {n_steps} steps, over the memory limit of "
                f"{self.max_matrix_bytes} bytes",
                limit="query.max_matrix_bytes",
            )
        return np.zeros((n_series, n_steps)), np.zeros((n_series, n_steps), np.bool_)
