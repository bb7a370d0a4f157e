"""Where the mean of a series changed, found offline and exactly.

PELT: R. Killick, P. Fearnhead, I. A. Eckley, Optimal detection of changepoints with a linear computational cost,
J. Am. Stat. Assoc. 107 (2012), with the squared distance from the segment's mean as cost.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

from swarmscope.analysis.intelligence.errors import ModelError

MIN_SIZE = 5
# Of each change: a Schwarz-like 3 ln T, for a change costs two parameters (its place and a mean) and is searched for.
_PENALTY_PER_LOG = 3.0
# Median of |x| of a standard normal variable.
_NORMAL_MAD = 0.6744897501960817
_UNREACHED, _NEVER = np.inf, np.iinfo(np.int64).max


def checked_series(values: NDArray[np.float64], name: str = "series") -> NDArray[np.float64]:
    """A series [T] of finite numbers. Raises ModelError, which names the first step that is none."""
    series = np.ascontiguousarray(values, np.float64)
    if series.ndim != 1:
        raise ModelError(f"{name}: one dimension is needed, it has {series.ndim}")
    bad = np.flatnonzero(~np.isfinite(series))
    if len(bad):
        raise ModelError(f"{name}: step {int(bad[0])} is {series[bad[0]]}, not a finite number")
    return series


def noise_scale(values: NDArray[np.float64]) -> float:
    """Standard deviation of the noise around a mean that changes seldom; 0 where a series [T] never changes.

    From the median absolute first difference over √2; where most differences are 0 (successes and failures), from
    their root mean square.
    """
    differences = np.diff(values)
    if not len(differences):
        return 0.0
    spread = float(np.median(np.abs(differences))) / _NORMAL_MAD
    if spread == 0:
        spread = math.sqrt(float(np.mean(np.square(differences))))
    return spread / math.sqrt(2)


def find_change_points(
    values: NDArray[np.float64], *, penalty: float | None = None, min_size: int = MIN_SIZE
) -> NDArray[np.int64]:
    """First steps [k] of all segments but the first, ascending.

    `penalty` is the cost of one more segment in units of the noise's variance, 3 ln T unless told. Raises ModelError
    for values that are not finite, and for a `min_size` below 1 or a penalty below 0.
    """
    series = checked_series(values)
    if min_size < 1 or (penalty is not None and not penalty >= 0):
        raise ModelError(f"min_size {min_size} must be at least 1, and penalty {penalty} at least 0")
    scale = noise_scale(series)
    if scale == 0 or len(series) < 2 * min_size:
        return np.zeros(0, np.int64)
    if penalty is None:
        penalty = _PENALTY_PER_LOG * math.log(len(series))
    # The mean goes first, so that sums of squares keep their digits.
    previous: NDArray[np.int64] = _previous_ends((series - series.mean()) / scale, float(penalty), min_size)
    found, end = [], int(previous[-1])
    while end > 0:
        found.append(end)
        end = int(previous[end])
    return np.array(found[::-1], np.int64)


@njit(nogil=True, cache=True)
def _previous_ends(values: NDArray[np.float64], penalty: float, min_size: int) -> NDArray[np.int64]:
    """Where the last segment of the best segmentation of each prefix [T + 1] begins."""
    n = len(values)
    total, square = np.zeros(n + 1), np.zeros(n + 1)
    for step in range(n):
        total[step + 1] = total[step] + values[step]
        square[step + 1] = square[step] + values[step] * values[step]
    best, previous = np.full(n + 1, _UNREACHED), np.zeros(n + 1, np.int64)
    best[0] = -penalty
    candidates, dropped_at = np.zeros(n + 1, np.int64), np.full(n + 1, _NEVER)
    n_candidates = 1
    for end in range(min_size, n + 1):
        kept = 0
        for at in range(n_candidates):
            start = candidates[at]
            # A candidate that lost at t may still be needed up to t + min_size: t itself is none before.
            if dropped_at[start] <= end:
                continue
            candidates[kept] = start
            kept += 1
            length = end - start
            if length < min_size:
                continue
            sums = total[end] - total[start]
            cost = best[start] + max(square[end] - square[start] - sums * sums / length, 0.0)
            if cost + penalty < best[end]:
                best[end] = cost + penalty
                previous[end] = start
        for at in range(kept):
            start = candidates[at]
            length = end - start
            if length >= min_size and dropped_at[start] == _NEVER:
                sums = total[end] - total[start]
                cost = best[start] + max(square[end] - square[start] - sums * sums / length, 0.0)
                if cost >= best[end]:
                    dropped_at[start] = end + min_size
        candidates[kept] = end
        n_candidates = kept + 1
    return previous
