"""Builds an exposition row by row, for the formats and conversions that are not columnar by nature."""

from __future__ import annotations

import numpy as np

from swarmscope.receivers.scrape.exposition import ExposedExemplars, Exposition, Family
from swarmscope.receivers.scrape.histogram_rows import HistogramRow, to_columns
from swarmscope.receivers.scrape.series_hash import hash_ranges


class TextBuffer:
    """Bytes that are appended to and remembered by position."""

    def __init__(self, begin: int = 0) -> None:
        self._parts: list[bytes] = []
        self._size = begin

    def put(self, text: bytes) -> tuple[int, int]:
        """Append `text`; where it begins and ends."""
        begin = self._size
        self._parts.append(text)
        self._size += len(text)
        return begin, self._size

    def content(self) -> bytes:
        """All that was appended."""
        return b"".join(self._parts)


class ExpositionBuilder:
    """Collects samples, histograms and exemplars; `build` gives the columns."""

    def __init__(self) -> None:
        self._text = TextBuffer()
        self._samples: list[tuple[int, int, int, float, int]] = []  # begin, end, family, value, time
        self._histograms: list[tuple[int, int, int, int]] = []  # begin, end, family, time
        self._rows: list[HistogramRow] = []
        self._exemplars: list[tuple[int, int, int, float, int]] = []  # row, begin, end, value, time
        self._histogram_exemplars: list[tuple[int, int, int, float, int]] = []
        self.families: list[Family] = []

    def add_sample(self, series: bytes, value: float, ts_ms: int) -> int:
        """One float sample of the family added last; its row."""
        begin, end = self._text.put(series)
        self._samples.append((begin, end, len(self.families) - 1, value, ts_ms))
        return len(self._samples) - 1

    def add_histogram(self, series: bytes, row: HistogramRow, ts_ms: int) -> int:
        """One native histogram of the family added last; its number among the histograms."""
        begin, end = self._text.put(series)
        self._histograms.append((begin, end, len(self.families) - 1, ts_ms))
        self._rows.append(row)
        return len(self._rows) - 1

    def add_exemplar(self, row: int, labels: bytes, value: float, ts_ms: int) -> None:
        """An exemplar of sample `row`; `labels` as `{…}`."""
        self._exemplars.append((row, *self._text.put(labels), value, ts_ms))

    def add_histogram_exemplar(self, histogram: int, labels: bytes, value: float, ts_ms: int) -> None:
        """An exemplar of histogram number `histogram`."""
        self._histogram_exemplars.append((histogram, *self._text.put(labels), value, ts_ms))

    def build(self, seed: int) -> Exposition:
        """The columns, with keys under `seed`."""
        n = len(self._samples)
        buffer = np.frombuffer(self._text.content(), np.uint8)
        places = [(begin, end, family, ts_ms) for begin, end, family, _, ts_ms in self._samples] + self._histograms
        table = np.array(places, np.int64).reshape(len(places), 4)
        shifted = [(row + n, begin, end, value, ts) for row, begin, end, value, ts in self._histogram_exemplars]
        return Exposition(
            buffer=buffer,
            key=hash_ranges(buffer, table[:, 0].copy(), table[:, 1].copy(), seed),
            series_start=table[:, 0].copy(),
            series_end=table[:, 1].copy(),
            family=table[:, 2].copy(),
            value=np.array([sample[3] for sample in self._samples], np.float64),
            ts_ms=table[:, 3].copy(),
            families=self.families,
            exemplars=to_exemplars([*self._exemplars, *shifted]),
            histograms=to_columns(self._rows),
        )


def to_exemplars(entries: list[tuple[int, int, int, float, int]]) -> ExposedExemplars:
    """Columns of (row, label begin, label end, value, time)."""
    return ExposedExemplars(
        np.array([entry[0] for entry in entries], np.int64),
        np.array([entry[1] for entry in entries], np.int64),
        np.array([entry[2] for entry in entries], np.int64),
        np.array([entry[3] for entry in entries], np.float64),
        np.array([entry[4] for entry in entries], np.int64),
    )
