"""Native histograms one at a time, as spans and counts: the form of the wire. # Slow path"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from swarmscope.model.metrics import Buckets, HistogramColumns
from swarmscope.model.staleness import is_stale

Spans = tuple[tuple[int, int], ...]


class HistogramRow(NamedTuple):
    """One histogram. Spans are (offset, length), the first offset absolute, the others gaps; counts are absolute."""

    ts_ms: int
    schema: int
    reset_hint: int
    is_float: bool
    zero_threshold: float
    zero_count: float
    observations: float
    total: float
    positive_spans: Spans
    positive_counts: tuple[float, ...]
    negative_spans: Spans
    negative_counts: tuple[float, ...]
    custom_bounds: tuple[float, ...]

    @property
    def layout(self) -> tuple[int, float, Spans, Spans, tuple[float, ...], bool]:
        """What all histograms of one chunk share."""
        return (
            self.schema,
            self.zero_threshold,
            self.positive_spans,
            self.negative_spans,
            self.custom_bounds,
            self.is_float,
        )


def to_row(columns: HistogramColumns, row: int) -> HistogramRow:
    """One row of the columns; a staleness marker has no layout of its own."""
    total = _exact(columns.sum, row)
    if is_stale(columns.sum[row : row + 1])[0]:
        return HistogramRow(int(columns.ts_ms[row]), 0, 0, bool(columns.is_float[row]), 0, 0, 0, total, *((),) * 5)
    positive_spans, positive_counts = _side(columns.positive, row)
    negative_spans, negative_counts = _side(columns.negative, row)
    start, end = columns.custom_offsets[row : row + 2].tolist()
    return HistogramRow(
        int(columns.ts_ms[row]),
        int(columns.schema[row]),
        int(columns.reset_hint[row]),
        bool(columns.is_float[row]),
        float(columns.zero_threshold[row]),
        float(columns.zero_count[row]),
        float(columns.count[row]),
        total,
        positive_spans,
        positive_counts,
        negative_spans,
        negative_counts,
        tuple(columns.custom_bounds[start:end].tolist()),
    )


def _exact(values: NDArray[np.float64], row: int) -> float:
    """A Python float keeps a staleness marker's bits."""
    return values[row : row + 1].tolist()[0]  # type: ignore[no-any-return]


def _side(buckets: Buckets, row: int) -> tuple[Spans, tuple[float, ...]]:
    start, end = buckets.offsets[row : row + 2].tolist()
    index = buckets.index[start:end].tolist()
    spans: list[list[int]] = []
    following = 0
    for place in index:
        if spans and place == following:
            spans[-1][1] += 1
        else:
            spans.append([place - following if spans else place, 1])
        following = place + 1
    return tuple((offset, length) for offset, length in spans), tuple(buckets.count[start:end].tolist())


def to_deltas(counts: tuple[float, ...]) -> list[int]:
    """Absolute integer counts as the wire's differences from bucket to bucket."""
    whole = [int(count) for count in counts]
    return [now - before for now, before in zip(whole, [0, *whole], strict=False)]
