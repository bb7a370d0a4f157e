"""Sparse buckets as spans, the form that Prometheus' protobuf messages have (prompb.BucketSpan).

A span is a run of consecutive buckets; its offset is the gap to the run before, or for the first the bucket's index.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from swarmscope.model.metrics import Buckets


class Spans(NamedTuple):
    """Spans of n histograms: histogram i owns `offsets[i] : offsets[i + 1]`."""

    offsets: NDArray[np.int64]  # [n + 1]
    gap: NDArray[np.int32]  # [n_spans] BucketSpan.offset
    length: NDArray[np.uint32]  # [n_spans] BucketSpan.length


def to_spans(buckets: Buckets) -> Spans:
    """Spans of sparse buckets; the bucket counts stay in their order."""
    n = len(buckets.index)
    first = np.zeros(n, np.bool_)
    first[buckets.offsets[:-1][buckets.offsets[:-1] < buckets.offsets[1:]]] = True
    before = np.concatenate((np.zeros(1, np.int64), buckets.index[:-1].astype(np.int64)))[:n]
    begins = first | (buckets.index != before + 1)
    at = np.flatnonzero(begins)
    gap = np.where(first[at], buckets.index[at], buckets.index[at] - before[at] - 1)
    length = np.diff(np.append(at, n))
    begun = np.concatenate((np.zeros(1, np.int64), np.cumsum(begins)))
    return Spans(begun[buckets.offsets], gap.astype(np.int32), length.astype(np.uint32))


def to_deltas(buckets: Buckets) -> NDArray[np.int64]:
    """Whole populations as the deltas [n_entries] that integer histograms carry; each histogram starts from zero."""
    counts = buckets.count.astype(np.int64)
    deltas = np.diff(counts, prepend=0)
    starts = buckets.offsets[:-1][buckets.offsets[:-1] < buckets.offsets[1:]]
    deltas[starts] = counts[starts]
    return deltas
