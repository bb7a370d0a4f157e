"""Histograms with a bucket for each power of two, and quantiles of them.

https://grafana.com/docs/tempo/latest/metrics-from-traces/metrics-queries/functions/#the-quantile_over_time-and-histogram_over_time-functions
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from swarmscope.query.traceql.metric_requests import NS_PER_S

Floats = NDArray[np.float64]
_NO_BUCKET = -1


def bucket_exponents(values: Floats, is_time: bool) -> NDArray[np.int64]:
    """For each number [n] the exponent of the smallest power of two that is not less, -1 where it is below 2.

    Times are in seconds, and their buckets are powers of two of nanoseconds.
    """
    scaled = np.rint(values * NS_PER_S) if is_time else values
    mantissa, exponent = np.frexp(np.maximum(scaled, 1.0))
    # 2^k is in its own bucket: frexp gives a half for it, and an exponent one higher.
    exponents = np.where(mantissa == 0.5, exponent - 1, exponent).astype(np.int64)
    return np.where(scaled >= 2, exponents, _NO_BUCKET)


def bucket_bound(exponent: int, is_time: bool) -> float:
    """The largest number of a bucket, times in seconds."""
    return math.ldexp(1.0, exponent) / (NS_PER_S if is_time else 1)


def quantile_of(quantile: float, exponents: list[int], counts: Floats) -> Floats:
    """A quantile [n_steps] of counts [n_buckets, n_steps] in ascending buckets; NaN where there is nothing.

    Inside a bucket the numbers are taken to lie evenly by their logarithms.
    """
    total = counts.sum(axis=0)
    # At least one whole span, as with few of them a share of one says nothing.
    wanted = np.minimum(np.ceil(quantile * total - 1e-9), total)
    cumulated = np.cumsum(counts, axis=0)
    bucket = np.minimum((cumulated < wanted[None, :] - 1e-9).sum(axis=0), len(exponents) - 1)
    steps = np.arange(counts.shape[1])
    in_bucket = counts[bucket, steps]
    before = cumulated[bucket, steps] - in_bucket
    with np.errstate(invalid="ignore", divide="ignore"):
        share = np.where(in_bucket > 0, (wanted - before) / in_bucket, 0.0)
    result: Floats = np.exp2(np.asarray(exponents, np.float64)[bucket] - 1 + np.clip(share, 0, 1))
    return np.where(total > 0, result, np.nan)
