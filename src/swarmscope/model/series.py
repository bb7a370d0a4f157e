"""Metrics on their way out: which series a selector chose, and their samples, in columns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

ABSENT = -1


class SymbolTable(Protocol):
    """Every label name and value has one number; equal numbers are equal strings, whatever their label.

    Codes from 0 belong to the catalogue and never change while the process lives.
    """

    def text(self, code: int) -> str:
        """The string of `code`; raises IndexError for a code that was never given out."""
        ...

    def code(self, text: str) -> int:
        """The code of `text`, or ABSENT where the catalogue has never seen it. MUST NOT add it."""
        ...


@dataclass(frozen=True, slots=True)
class LabelFrame:
    """Labels of n series as a matrix of codes; row k belongs to label `names[k]`. ABSENT: no such label.

    `__name__` is a label like the others. Names are unique and in no particular order.
    """

    names: tuple[str, ...]  # [n_names]
    codes: NDArray[np.int32]  # [n_names, n_series]

    @property
    def n_series(self) -> int:
        """How many series the frame describes."""
        return int(self.codes.shape[1])


@dataclass(frozen=True, slots=True)
class Selection:
    """The series that a selector chose. Position in the selection is what every other column refers to."""

    refs: NDArray[np.int64]  # [n_series] catalogue numbers
    labels: LabelFrame
    has_histograms: bool = False  # whether any of the series may hold native histograms


@dataclass(frozen=True, slots=True)
class SampleColumns:
    """Float samples of n series: series i owns `offsets[i] : offsets[i + 1]`, ascending and unique in time.

    Staleness markers are kept; the evaluator decides what they mean.
    """

    offsets: NDArray[np.int64]  # [n_series + 1]
    ts_ms: NDArray[np.int64]  # [n_samples]
    value: NDArray[np.float64]  # [n_samples]


@dataclass(frozen=True, slots=True)
class RollupColumns:
    """Down-sampled samples of n series: series i owns rows `offsets[i] : offsets[i + 1]`, ascending in `bucket_ms`.

    A row sums up the samples in (bucket_ms - resolution_ms, bucket_ms]; buckets without samples have no row.
    Staleness markers count nowhere but in `stale_ts_ms`, the time of the bucket's last one (`NOT_STALE` for none). With
    `count` 0 a bucket holds markers only, and the other fields mean nothing. `increase` is the sum of the counter's
    increases from sample to sample inside the bucket, resets taken into account. `minimum` and `maximum` pass over
    NaN unless every sample is NaN.
    """

    resolution_ms: int
    offsets: NDArray[np.int64]  # [n_series + 1]
    bucket_ms: NDArray[np.int64]  # [n_rows]
    count: NDArray[np.int64]  # [n_rows]
    total: NDArray[np.float64]  # [n_rows]
    minimum: NDArray[np.float64]  # [n_rows]
    maximum: NDArray[np.float64]  # [n_rows]
    first_ts_ms: NDArray[np.int64]  # [n_rows]
    first: NDArray[np.float64]  # [n_rows]
    last_ts_ms: NDArray[np.int64]  # [n_rows]
    last: NDArray[np.float64]  # [n_rows]
    increase: NDArray[np.float64]  # [n_rows]
    stale_ts_ms: NDArray[np.int64]  # [n_rows]


NOT_STALE = -(1 << 62)
