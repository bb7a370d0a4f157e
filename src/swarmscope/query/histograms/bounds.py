"""Where buckets begin and end.

Exponential bucket i of schema s is (b**(i-1), b**i] with b = 2**(2**-s), mirrored for negative buckets; see
"Buckets" in Prometheus' native histogram specification. Prometheus clamps the bound 2**1024 to the largest float.
"""

from __future__ import annotations

import math
from decimal import Decimal, localcontext

import numpy as np
from numba import njit
from numpy.typing import NDArray

from swarmscope.model.metrics import CUSTOM_BUCKETS_SCHEMA, MAX_EXPONENTIAL_SCHEMA
from swarmscope.query.histograms.rows import HistogramRows

_STEPS = 1 << MAX_EXPONENTIAL_SCHEMA
_MAX_FLOAT = float(np.finfo(np.float64).max)
_MAX_EXPONENT = 1024  # 2**1024 is the first power of two that a float64 cannot hold


# Prometheus keeps the bounds in [0.5, 1) in a table, which is a few units in the last place off the true powers. Each
# digit says how many units too low its entry is, plus one; measured on the bounds that Prometheus 2.42 answers with for
# a histogram of schema 8. (Coarser schemas take every 2nd, 4th, … entry.)
_UNITS_LOW = (
    "1111112111211111112311222222222211211121122211221122102211221122"
    "1111112222332132112111211112111111121011213311221222112121332222"
    "2121223322322122222222323233323311221121223321332233212232332232"
    "2243223233433343333333444455435422322333324422333243223333543344"
)


def _powers_of_two() -> NDArray[np.float64]:
    """2**(k / 256) for k = 0 … 255 as Prometheus has them: every bound is one of them times a power of two."""
    powers = np.empty(_STEPS, np.float64)
    with localcontext() as context:
        context.prec = 60
        for k, digit in enumerate(_UNITS_LOW):
            rounded = float(Decimal(2) ** (Decimal(k) / _STEPS))
            powers[k] = rounded - (int(digit) - 1) * math.ulp(rounded)
    return powers


_POWERS = _powers_of_two()


@njit(nogil=True, cache=True)
def exponential_bound(index: int, schema: int) -> float:
    """Upper bound of exponential bucket `index`; its lower bound is that of `index - 1`."""
    if schema < 0:
        exponent = index << -schema
        fraction = 1.0
    else:
        exponent = index >> schema
        fraction = _POWERS[(index & ((1 << schema) - 1)) << (MAX_EXPONENTIAL_SCHEMA - schema)]
    if exponent >= _MAX_EXPONENT:
        return _MAX_FLOAT if exponent == _MAX_EXPONENT and fraction == 1.0 else math.inf
    return math.ldexp(fraction, exponent)


@njit(nogil=True, cache=True)
def custom_bound(rows: HistogramRows, row: int, index: int) -> float:
    """Upper bound of custom bucket `index`: -Inf below the first bound, +Inf from the last on."""
    begin, end = rows.custom_offsets[row], rows.custom_offsets[row + 1]
    if index < 0:
        return -math.inf
    if index >= end - begin:
        return math.inf
    return float(rows.custom_bounds[begin + index])


@njit(nogil=True, cache=True)
def fill_buckets(rows: HistogramRows, row: int, out: NDArray[np.float64]) -> int:
    """Write (lower, upper, population) of every populated bucket to `out` [capacity, 3], in ascending order.

    Returns how many there are. The zero bucket is among them when populated; buckets that reach into it are cut at
    the zero threshold, as in Prometheus' iteration over all buckets.
    """
    n = 0
    schema = rows.schema[row]
    threshold = rows.zero_threshold[row]
    custom = schema == CUSTOM_BUCKETS_SCHEMA
    for k in range(rows.neg_offsets[row + 1] - 1, rows.neg_offsets[row] - 1, -1):
        index = rows.neg_index[k]
        out[n, 0] = -exponential_bound(index, schema)
        out[n, 1] = min(-exponential_bound(index - 1, schema), -threshold)
        out[n, 2] = rows.neg_count[k]
        n += 1
    if rows.zero_count[row] > 0 and not custom:
        out[n, 0], out[n, 1], out[n, 2] = -threshold, threshold, rows.zero_count[row]
        n += 1
    for k in range(rows.pos_offsets[row], rows.pos_offsets[row + 1]):
        index = rows.pos_index[k]
        if custom:
            out[n, 0] = custom_bound(rows, row, index - 1)
            out[n, 1] = custom_bound(rows, row, index)
        else:
            out[n, 0] = max(exponential_bound(index - 1, schema), threshold)
            out[n, 1] = exponential_bound(index, schema)
        out[n, 2] = rows.pos_count[k]
        n += 1
    return n


@njit(nogil=True, cache=True)
def bucket_capacity(rows: HistogramRows) -> int:
    """How many buckets the fullest row can give to `fill_buckets`."""
    most = 0
    for row in range(len(rows.schema)):
        n = rows.pos_offsets[row + 1] - rows.pos_offsets[row] + rows.neg_offsets[row + 1] - rows.neg_offsets[row]
        most = max(most, n)
    return most + 1
