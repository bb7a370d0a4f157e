"""A slope that outliers do not move, with its interval.

P. K. Sen, Estimates of the regression coefficient based on Kendall's tau, J. Am. Stat. Assoc. 63 (1968).
"""

from __future__ import annotations

import math
from statistics import NormalDist
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from swarmscope.analysis.intelligence.errors import ModelError


class Slope(NamedTuple):
    """Change a step: the median over all pairs of steps, and the ends of its interval."""

    median: float
    low: float
    high: float


def theil_sen(values: NDArray[np.float64], confidence: float = 0.95) -> Slope:
    """The slope of values [n] at steps 0, 1, …; ties are allowed for. Raises ModelError below 3 values."""
    n = len(values)
    if n < 3:
        raise ModelError(f"a slope with an interval needs 3 values, there are {n}")
    first, second = np.triu_indices(n, 1)
    slopes = np.sort((values[second] - values[first]) / (second - first))
    _, ties = np.unique(values, return_counts=True)
    spread = n * (n - 1) * (2 * n + 5) - int(np.sum(ties * (ties - 1) * (2 * ties + 5)))
    half = NormalDist().inv_cdf(0.5 + confidence / 2) * math.sqrt(spread / 18)
    # Of N slopes in order, those at (N ± half)/2 bound the interval.
    low = max(round((len(slopes) - half) / 2) - 1, 0)
    high = min(round((len(slopes) + half) / 2), len(slopes) - 1)
    return Slope(float(np.median(slopes)), float(slopes[low]), float(slopes[high]))
