"""The population stability index: how far the distribution of recent scores is from that of a reference.

PSI = Σ (a − e) ln(a / e) over bins, the symmetrised Kullback–Leibler divergence of binned shares (Siddiqi, Credit Risk
Scorecards, 2006). Without drift, PSI / (1/n + 1/m) is χ² with bins − 1 degrees of freedom, for n scores in the
reference and m recent ones (Yurdakul, Statistical Properties of Population Stability Index, 2018), so that small
samples, whose PSI is large by chance, can be told from drift.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from swarmscope.analysis.intelligence.alignment.tails import chi_square_tail
from swarmscope.analysis.intelligence.errors import ModelError

# A bin without a score would make the index infinite: half a score is added to each (Jeffreys).
_PRIOR_COUNT = 0.5
_MIN_SHARE = 0.05


class Stability(NamedTuple):
    """The index, and how likely one at least so large is without drift; nan where there is nothing to compare."""

    psi: float
    p: float
    n_bins: int


def histogram(scores: NDArray[np.float64], low: float, high: float, n_bins: int) -> NDArray[np.int64]:
    """Counts [n_bins] of scores in equal bins from `low` to `high`; those outside count in the outermost bins."""
    if not (math.isfinite(low) and math.isfinite(high) and low < high) or n_bins < 1:
        raise ModelError(f"no {n_bins} bins lie between {low} and {high}")
    values = np.asarray(scores, np.float64)
    if not np.all(np.isfinite(values)):
        raise ModelError(f"score {int(np.flatnonzero(~np.isfinite(values))[0])} is not a finite number")
    place = np.floor((np.clip(values, low, high) - low) / (high - low) * n_bins).astype(np.int64)
    return np.bincount(np.minimum(place, n_bins - 1), minlength=n_bins).astype(np.int64)


def population_stability(reference: NDArray[np.int64], recent: NDArray[np.int64]) -> Stability:
    """The index of two histograms [n_bins]; neighbouring bins that hold little of the reference are joined first.

    Raises ModelError for histograms of different lengths, and for counts below 0.
    """
    expected, actual = np.asarray(reference, np.float64), np.asarray(recent, np.float64)
    if expected.shape != actual.shape or expected.ndim != 1:
        raise ModelError(f"histograms of shapes {expected.shape} and {actual.shape} cannot be compared")
    if np.any(expected < 0) or np.any(actual < 0):
        raise ModelError("a histogram has counts below 0")
    n, m = float(expected.sum()), float(actual.sum())
    if n == 0 or m == 0:
        return Stability(math.nan, math.nan, 0)
    groups = _groups(expected)
    n_bins = int(groups[-1]) + 1
    before, after = (np.bincount(groups, counts) + _PRIOR_COUNT for counts in (expected, actual))
    before, after = before / before.sum(), after / after.sum()
    psi = float(np.sum((after - before) * np.log(after / before)))
    p = chi_square_tail(psi / (1 / n + 1 / m), n_bins - 1) if n_bins > 1 else 1.0
    return Stability(psi, p, n_bins)


def _groups(expected: NDArray[np.float64]) -> NDArray[np.int64]:
    """Which group [n_bins] each bin is of: each group has at least the least share, and one bin more is kept outside.

    A reference that is concentrated in few bins would make one group of all else; so bins beside its ends stay groups
    of their own, and scores that leave the reference's range are seen.
    """
    least = _MIN_SHARE * float(expected.sum())
    groups, group, held = np.zeros(len(expected), np.int64), 0, 0.0
    filled = np.flatnonzero(expected)
    first, last = int(filled[0]), int(filled[-1])
    for at, count in enumerate(expected.tolist()):
        left = float(expected[at : last + 1].sum())
        is_full = first < at <= last and held >= least and left >= least
        if is_full or (at > 0 and at in (first, last + 1)):
            group, held = group + 1, 0.0
        groups[at] = group
        held += count
    return groups
