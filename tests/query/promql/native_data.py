"""Series with native histograms, floats, and both in turn."""

from __future__ import annotations

import numpy as np

from swarmscope.model.metrics import CUSTOM_BUCKETS_SCHEMA, Buckets, HistogramColumns
from swarmscope.query.promql.memory_reader import MemoryReader


def histogram(counts: list[float], total: float, *, custom: list[float] | None = None) -> HistogramColumns:
    """One histogram: bucket k of schema 0 is (2**(k-1), 2**k]; with custom bounds, bucket k ends at custom[k]."""
    index = np.arange(len(counts), dtype=np.int32)
    bounds = np.array(custom or [], np.float64)
    return HistogramColumns(
        np.zeros(1, np.int64), np.zeros(1, np.int64),
        np.array([CUSTOM_BUCKETS_SCHEMA if custom else 0], np.int8), np.zeros(1, np.uint8), np.zeros(1, np.bool_),
        np.array([0.001]), np.zeros(1), np.array([sum(counts)]), np.array([total]),
        Buckets(np.array([0, len(counts)], np.int64), index, np.array(counts)), Buckets.empty(1),
        np.array([0, len(bounds)], np.int64), bounds,
    )  # fmt: skip


def native_reader() -> MemoryReader:
    """`nat` (2 series, growing), `cus` (custom buckets), `mix` (floats, then histograms), `reqs_total` (floats)."""
    reader = MemoryReader()
    for i in range(2):
        labels = {"__name__": "nat", "i": str(i), "job": "a"}
        for t in range(41):
            reader.add_histogram(labels, t * 15_000, histogram([t * (i + 1.0), 2.0 * t, 1.0 * t], 10.0 * t))
    for t in range(41):
        reader.add_histogram(
            {"__name__": "cus", "job": "a"}, t * 15_000, histogram([1.0 * t, 3.0 * t], 5.0 * t, custom=[1.0, 5.0])
        )
    reader.add({"__name__": "mix", "job": "b"}, [(t * 15_000, float(t)) for t in range(20)])
    for t in range(20, 41):
        reader.add_histogram({"__name__": "mix", "job": "b"}, t * 15_000, histogram([1.0 * t], 2.0 * t))
    for i in range(3):
        labels = {"__name__": "reqs_total", "i": str(i), "job": "ab"[i % 2], "code": "200"}
        reader.add(labels, [(t * 15_000, float(t * i)) for t in range(41)])
    for k, le in enumerate(("0.1", "1", "+Inf")):
        reader.add({"__name__": "lat_bucket", "le": le, "job": "a"}, [(t * 15_000, t * (k + 1.0)) for t in range(41)])
    reader.add({"__name__": "build_info", "job": "a", "version": "1"}, [(t * 15_000, 1.0) for t in range(41)])
    return reader
