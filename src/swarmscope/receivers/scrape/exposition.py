"""What a target exposed, in columns: the joint between the format decoders and the scrape loop."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from swarmscope.model.errors import MalformedInputError
from swarmscope.model.metrics import HistogramColumns

NO_TIMESTAMP_MS = -(2**63)


class ExpositionError(MalformedInputError):
    """The body is not what its content type says; the message names the line or the message and what is wrong."""


@dataclass(frozen=True, slots=True)
class ExposedExemplars:
    """Exemplars as exposed: labels are `{…}` at `buffer[label_start : label_end]`."""

    row: NDArray[np.int64]  # [n] the sample they stand on
    label_start: NDArray[np.int64]  # [n]
    label_end: NDArray[np.int64]  # [n]
    value: NDArray[np.float64]  # [n]
    ts_ms: NDArray[np.int64]  # [n] NO_TIMESTAMP_MS: none given

    def __len__(self) -> int:
        return len(self.row)

    @classmethod
    def empty(cls) -> ExposedExemplars:
        """No exemplars."""
        i64 = np.zeros(0, np.int64)
        return cls(i64, i64, i64, np.zeros(0, np.float64), i64)


@dataclass(frozen=True, slots=True)
class Family:
    """What the lines before its samples say of a metric family. `kind` is "unknown" until a TYPE line is seen."""

    name: str
    kind: str = "unknown"
    unit: str = ""
    help: str = ""


@dataclass(frozen=True, slots=True)
class Exposition:
    """One scrape's content. Row i < n_samples is a float sample, later rows are native histograms' series.

    A series is its text `name{label="value",…}` at `buffer[series_start : series_end]`, and `key` is the seeded hash of
    these bytes. `family` is the row's position in `families`, -1 where no TYPE line governs it.
    """

    buffer: NDArray[np.uint8]  # [n_bytes]
    key: NDArray[np.uint64]  # [n_rows]
    series_start: NDArray[np.int64]  # [n_rows]
    series_end: NDArray[np.int64]  # [n_rows]
    family: NDArray[np.int64]  # [n_rows]
    value: NDArray[np.float64]  # [n_samples]
    ts_ms: NDArray[np.int64]  # [n_rows] NO_TIMESTAMP_MS: none given
    families: list[Family]
    exemplars: ExposedExemplars = field(default_factory=ExposedExemplars.empty)
    # `series` counts from 0 for row n_samples, `ts_ms` is filled in by the scrape.
    histograms: HistogramColumns = field(default_factory=HistogramColumns.empty)

    @property
    def n_samples(self) -> int:
        """How many float samples there are."""
        return len(self.value)

    def series_text(self, row: int) -> bytes:
        """The bytes that name row `row`'s series."""
        return self.buffer[int(self.series_start[row]) : int(self.series_end[row])].tobytes()
