"""What the API asks of the PromQL engine, and the shape in which it takes results."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from swarmscope.model.contracts import Cancellation
from swarmscope.model.metrics import HistogramColumns
from swarmscope.model.series import LabelFrame, SampleColumns, SymbolTable

ResultKind = Literal["vector", "matrix", "scalar", "string"]


@dataclass(frozen=True, slots=True)
class QueryOptions:
    """How one query is to be run."""

    tenant: str
    cancellation: Cancellation
    max_samples: int
    lookback_ms: int


@dataclass(frozen=True, slots=True)
class QueryAnswer:
    """One query's result.

    Series results have `labels`, the `symbols` behind their codes, and either a grid (`ts_ms` [n_steps], `values`
    [n_series, n_steps], `present` alike, or None where all are there) or raw `samples`. `histograms.series` is
    the position in `labels`. A scalar is `values[0, 0]` at `ts_ms[0]`; a string is `text` at `ts_ms[0]`.
    """

    kind: ResultKind
    ts_ms: NDArray[np.int64]
    labels: LabelFrame | None = None
    symbols: SymbolTable | None = None
    values: NDArray[np.float64] | None = None
    present: NDArray[np.bool_] | None = None
    samples: SampleColumns | None = None
    histograms: HistogramColumns | None = None
    text: str = ""
    warnings: Sequence[str] = ()
    infos: Sequence[str] = ()
    stats: Mapping[str, Any] = field(default_factory=dict)


class PromqlEngine(Protocol):
    """Evaluates PromQL; every call blocks, is thread-safe and raises the errors of `swarmscope.model.errors`."""

    def query_instant(self, text: str, time_ms: int, options: QueryOptions) -> QueryAnswer:
        """A vector, scalar, string, or (for a range selector) a matrix of raw samples."""
        ...

    def query_range(self, text: str, start_ms: int, end_ms: int, step_ms: int, options: QueryOptions) -> QueryAnswer:
        """A matrix at start, start + step … up to end."""
        ...
