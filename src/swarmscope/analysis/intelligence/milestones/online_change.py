"""Whether the level of a series has just changed, told value by value.

Bayesian online change point detection: R. P. Adams, D. J. C. MacKay, Bayesian Online Changepoint Detection,
arXiv:0710.3742 (2007), for normal values of unknown mean and variance (Normal-Gamma prior, so that each value is
predicted by Student's t). It tells soon and is sometimes wrong: PELT on what was seen decides.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from swarmscope.analysis.intelligence.errors import ModelError
from swarmscope.analysis.intelligence.milestones.pelt import checked_series, noise_scale

HAZARD = 1 / 200  # a change is expected every 200 values
_TAIL = 1e-4  # run lengths that are less likely are dropped
_MAX_RUNS = 1024  # hypotheses at once; beyond, the least likely one goes
# Of a segment's mean, in values: a new level may be ten times the noise away.
_PRIOR_WEIGHT, _PRIOR_SHAPE = 0.01, 1.0


class Prior(NamedTuple):
    """Normal-Gamma: the precision is Gamma(shape, rate), the mean normal around `mean` with `weight` values' worth."""

    mean: float
    weight: float
    shape: float
    rate: float


class OnlineChange(NamedTuple):
    """What is known after a value."""

    run_length: int  # the most likely number of values since the last change, this one included
    probability: float  # of this run length


def prior_from(values: NDArray[np.float64]) -> Prior:
    """A prior from the first values [n] of a series. Raises ModelError for fewer than 2, and where they are not finite.

    A series without noise gets the noise of its size times 1e-3, so that its first change is no certainty.
    """
    first = checked_series(values)
    if len(first) < 2:
        raise ModelError(f"a prior needs 2 values, there are {len(first)}")
    mean = float(np.median(first))
    scale = noise_scale(first) or 1e-3 * max(abs(mean), 1.0)
    return Prior(mean, _PRIOR_WEIGHT, _PRIOR_SHAPE, _PRIOR_SHAPE * scale * scale)


class OnlineDetector:
    """Run lengths of one series. Bounded: at most _MAX_RUNS of them, 40 bytes each."""

    def __init__(self, prior: Prior, hazard: float = HAZARD) -> None:
        """Raises ModelError for a prior or a hazard that is none."""
        if not (prior.weight > 0 and prior.shape > 0 and prior.rate > 0 and math.isfinite(prior.mean)):
            raise ModelError(f"no prior: {prior}")
        if not 0 < hazard < 1:
            raise ModelError(f"the hazard {hazard} is not between 0 and 1")
        self._prior = np.array(prior, np.float64)
        self._hazard = hazard
        # [n_runs, 6] run length, its probability, and mean, weight, shape and rate after it
        self._runs = np.array([[0.0, 1.0, *prior]])

    def observe(self, value: float) -> OnlineChange:
        """Take one more value in. Raises ModelError where it is not finite; nothing has changed then."""
        if not math.isfinite(value):
            raise ModelError(f"the value {value} is not a finite number")
        self._runs = _extended(self._runs, float(value), self._prior, self._hazard)
        best = int(np.argmax(self._runs[:, 1]))
        return OnlineChange(int(self._runs[best, 0]), float(self._runs[best, 1]))

    def run_lengths(self) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """All run lengths [n_runs] that are still thought of, and their probabilities."""
        return self._runs[:, 0].astype(np.int64), self._runs[:, 1].copy()


def _extended(
    runs: NDArray[np.float64], value: float, prior: NDArray[np.float64], hazard: float
) -> NDArray[np.float64]:
    """Runs after one more value; those below the tail, and beyond the room, are dropped."""
    probability, (mean, weight, shape, rate) = runs[:, 1], runs[:, 2:].T
    off = value - mean
    spread = 2 * rate * (weight + 1) / weight  # twice shape times the square of Student's scale
    log_density = _log_gamma(shape + 0.5) - _log_gamma(shape) - 0.5 * np.log(math.pi * spread)
    with np.errstate(over="ignore"):
        log_density -= (shape + 0.5) * np.log1p(off * off / spread)
    likely = probability * np.exp(log_density)
    grown = np.empty((len(runs) + 1, 6))
    grown[:-1, 0], grown[:-1, 1] = runs[:, 0] + 1, likely * (1 - hazard)
    grown[:-1, 2], grown[:-1, 3] = (weight * mean + value) / (weight + 1), weight + 1
    grown[:-1, 4], grown[:-1, 5] = shape + 0.5, rate + weight * off * off / (2 * (weight + 1))
    grown[-1] = 0, float(likely.sum()) * hazard, *prior
    total = float(grown[:, 1].sum())
    if total <= 0:  # so unlikely that it underflows: a change for certain
        grown[-1, 1] = 1.0
        return grown[-1:]
    grown[:, 1] /= total
    kept = grown[:, 1] >= _TAIL
    kept[-1] = True
    if np.count_nonzero(kept) > _MAX_RUNS:
        kept[np.argmin(np.where(kept[:-1], grown[:-1, 1], np.inf))] = False
    left: NDArray[np.float64] = grown[kept]
    left[:, 1] /= left[:, 1].sum()
    return left


def _log_gamma(values: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.array([math.lgamma(value) for value in values.tolist()])
