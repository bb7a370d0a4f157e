"""What a PromQL expression evaluates to, for all steps at once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from swarmscope.model.series import LabelFrame
from swarmscope.query.histograms.rows import HistogramMatrix, HistogramRows


@dataclass(frozen=True, slots=True)
class Steps:
    """The evaluation times: start, start + step, … An instant query has one step."""

    start_ms: int
    step_ms: int
    count: int

    @classmethod
    def instant(cls, time_ms: int) -> Steps:
        """One evaluation."""
        return cls(time_ms, 1, 1)

    @classmethod
    def spanning(cls, start_ms: int, end_ms: int, step_ms: int) -> Steps:
        """From start to at most end; none where the end is before the start."""
        return cls(start_ms, step_ms, max(0, (end_ms - start_ms) // step_ms + 1))

    @property
    def end_ms(self) -> int:
        """The last evaluation time."""
        return self.start_ms + self.step_ms * (self.count - 1)

    def times_ms(self) -> NDArray[np.int64]:
        """All evaluation times [count]."""
        return self.start_ms + self.step_ms * np.arange(self.count, dtype=np.int64)


@dataclass(frozen=True, slots=True)
class Frame:
    """An instant vector at each step. A cell counts where `present`; NaN is a value like others.

    A present cell is a histogram where `histograms` has one for it, and its `values` entry means nothing then.
    Arrays are C-contiguous and owned by the frame; whoever is handed a frame does not change them.
    """

    labels: LabelFrame
    values: NDArray[np.float64]  # [n_series, n_steps]
    present: NDArray[np.bool_]  # [n_series, n_steps]
    histograms: HistogramMatrix | None = None

    @property
    def n_series(self) -> int:
        """How many series."""
        return int(self.values.shape[0])

    @property
    def n_steps(self) -> int:
        """How many steps."""
        return int(self.values.shape[1])

    def shown_series(self) -> NDArray[np.bool_]:
        """Which series are present at some step [n_series]."""
        return _any(self.present, 1)

    def shown_steps(self) -> NDArray[np.bool_]:
        """At which steps some series is present [n_steps]."""
        return _any(self.present, 0)

    def floats_present(self) -> NDArray[np.bool_]:
        """Where a cell holds a float."""
        if self.histograms is None:
            return self.present
        return self.present & (self.histograms.cells < 0)

    def histograms_present(self) -> NDArray[np.bool_]:
        """Where a cell holds a histogram."""
        if self.histograms is None:
            return np.zeros_like(self.present)
        return self.present & (self.histograms.cells >= 0)


def _any(cells: NDArray[np.bool_], axis: int) -> NDArray[np.bool_]:
    return np.asarray(np.any(cells, axis=axis), np.bool_)


@dataclass(frozen=True, slots=True)
class Scalars:
    """A scalar at each step [n_steps]."""

    values: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Text:
    """A string."""

    value: str


@dataclass(frozen=True, slots=True)
class HistogramSeries:
    """Native histograms of series as windows see them: CSR by series, ascending in time, no staleness markers."""

    rows: HistogramRows
    offsets: NDArray[np.int64]  # [n_series + 1]
    ts_ms: NDArray[np.int64]  # [n_rows]


@dataclass(frozen=True, slots=True)
class RangeColumns:
    """The samples that windows are cut from: `(t - range, t]` at every step's end.

    Series i owns entries `offsets[i] : offsets[i + 1]`, ascending in time; staleness markers are gone.
    """

    labels: LabelFrame
    offsets: NDArray[np.int64]  # [n_series + 1]
    ts_ms: NDArray[np.int64]  # [n_samples]
    value: NDArray[np.float64]  # [n_samples]
    ends_ms: NDArray[np.int64]  # [n_steps] ascending
    range_ms: int
    evaluated_ms: NDArray[np.int64]  # [n_steps] the evaluation times, before offset and @
    histograms: HistogramSeries | None = None


Value = Frame | Scalars | Text
