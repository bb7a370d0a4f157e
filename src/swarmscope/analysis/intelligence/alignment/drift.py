"""Whether the mean of a stream of scores left its band, tested after every score with a bound on false alarms.

An e-process by betting (I. Waudby-Smith, A. Ramdas, Estimating means of bounded random variables by betting, J. R.
Stat. Soc. B 86, 2024): while the mean of each score, given those before, lies in the band, the capital of a gambler
who bets that it does not is a supermartingale from 1, so that by Ville's inequality it reaches 1/α with a probability
of α at most, ever, whatever the scores' distribution and however often one looks. Capital is spread over directions,
sizes of bets, and the score from which on one bets (1/(k(k+1)) on the k-th, as the e-detectors of J. Shin, A. Ramdas,
A. Rinaldo, 2023, spread theirs), so that a late change is found without having lost much to a long quiet past.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from swarmscope.analysis.intelligence.errors import ModelError

# Shares of the largest bet that cannot ruin: one is near the best whatever the size of the change.
_SHARES = np.array([1 / 16, 1 / 8, 1 / 4, 1 / 2])
N_BETS = 2 * len(_SHARES)  # upwards, then downwards
# Larger capital says nothing more, and keeping less than was won keeps the bound.
_MOST = 1e300
_NARROWEST = 1e-3


class DriftTest:
    """The capital of n streams. Scores are in [0, 1]; `band_low` and `band_high` [n] are what their mean may be."""

    def __init__(self, band_low: NDArray[np.float64], band_high: NDArray[np.float64]) -> None:
        """Raises ModelError for bands that are none."""
        low, high = np.asarray(band_low, np.float64), np.asarray(band_high, np.float64)
        bad = np.flatnonzero(~((low >= 0) & (low <= high) & (high <= 1)))
        if len(bad):
            raise ModelError(f"stream {int(bad[0])}: {low[bad[0]]} … {high[bad[0]]} is no band within 0 … 1")
        self._low, self._high = low[:, np.newaxis], high[:, np.newaxis]
        self._up = _SHARES / np.maximum(self._high, _NARROWEST)
        self._down = _SHARES / np.maximum(1 - self._low, _NARROWEST)
        self.count = np.zeros(len(low), np.int64)  # [n] scores so far
        self.capital = np.zeros((len(low), N_BETS))  # [n, N_BETS] of bets that have begun
        self.largest = np.ones(len(low))  # [n] the largest e-value so far

    def observe(self, scores: NDArray[np.float64]) -> None:
        """One more score of each stream [n], nan where there is none. Raises ModelError for one outside 0 … 1."""
        given = np.asarray(scores, np.float64)
        told = ~np.isnan(given)
        bad = np.flatnonzero(told & ~((given >= 0) & (given <= 1)))
        if len(bad):
            raise ModelError(f"stream {int(bad[0])}: the score {given[bad[0]]} is not within 0 … 1")
        score = np.where(told, given, 0.5)[:, np.newaxis]
        nth = self.count + 1
        begun = self.capital + (1 / (nth * (nth + 1)))[:, np.newaxis]
        factor = np.concatenate([1 + self._up * (score - self._high), 1 + self._down * (self._low - score)], axis=1)
        self.capital = np.where(told[:, np.newaxis], np.minimum(begun * factor, _MOST), self.capital)
        self.count = np.where(told, nth, self.count)
        self.largest = np.maximum(self.largest, self.e_values)

    @property
    def e_values(self) -> NDArray[np.float64]:
        """Capital [n] now, that of bets which have not begun included."""
        values: NDArray[np.float64] = self.capital.mean(axis=1) + 1 / (self.count + 1)
        return values

    @property
    def p_values(self) -> NDArray[np.float64]:
        """Valid at every time [n]: below α with a probability of α at most, ever, while there is no drift."""
        values: NDArray[np.float64] = np.minimum(1.0, 1.0 / self.largest)
        return values


def mean_band(mean: float, variance: float, count: int, alpha: float) -> tuple[float, float]:
    """Where the mean of `count` independent scores in [0, 1] lies with a probability of 1 − alpha at least.

    `variance` is the unbiased sample variance. The empirical Bernstein bound on both sides: A. Maurer, M. Pontil,
    Empirical Bernstein Bounds and Sample Variance Penalization, 2009, theorem 4. Raises ModelError below 2 scores.
    """
    if count < 2:
        raise ModelError(f"a band needs 2 scores, there are {count}")
    log = math.log(4 / alpha)
    half = math.sqrt(2 * variance * log / count) + 7 * log / (3 * (count - 1))
    return max(mean - half, 0.0), min(mean + half, 1.0)
