"""Drift of one agent's scores from one declared objective: the stability index beside the sequential test."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from swarmscope.analysis.intelligence.alignment.drift import DriftTest, mean_band
from swarmscope.analysis.intelligence.alignment.scores import sums_of
from swarmscope.analysis.intelligence.alignment.stability import histogram, population_stability
from swarmscope.analysis.intelligence.errors import ModelError

_N_BINS = 20
# Below so many recent scores a stability index is chance.
_MIN_RECENT = 30


@dataclass(frozen=True, slots=True)
class Objective:
    """What scores of one evaluation are declared to be. Raises ModelError for numbers that cannot be meant.

    Scores lie in `low … high`. Their mean is declared to be `expected`, give or take `tolerance`; without `expected`
    it is learnt from the first `n_reference` scores. Recent are the last `n_recent`. `alpha` bounds the probability
    that the sequential test ever tells of a drift that is none.
    """

    name: str
    evaluation: str
    low: float = 0.0
    high: float = 1.0
    expected: float | None = None
    tolerance: float = 0.0
    alpha: float = 0.01
    n_reference: int = 200
    n_recent: int = 200

    def __post_init__(self) -> None:
        if not (math.isfinite(self.low) and math.isfinite(self.high) and self.low < self.high):
            raise ModelError(f"objective {self.name}: scores cannot lie between {self.low} and {self.high}")
        if self.expected is not None and not self.low <= self.expected <= self.high:
            raise ModelError(f"objective {self.name}: {self.expected} is not between {self.low} and {self.high}")
        if not self.tolerance >= 0 or not 0 < self.alpha < 1:
            raise ModelError(f"objective {self.name}: tolerance {self.tolerance} or alpha {self.alpha} is out of range")
        if min(self.n_reference, self.n_recent) < _MIN_RECENT:
            raise ModelError(f"objective {self.name}: at least {_MIN_RECENT} scores are needed on either side")

    def scaled(self, scores: NDArray[np.float64]) -> NDArray[np.float64]:
        """Scores [n] as shares of their range."""
        return (np.asarray(scores, np.float64) - self.low) / (self.high - self.low)


class Drift(NamedTuple):
    """What is known now; nan and None where it is not known yet."""

    is_drifting: bool | None  # whether the sequential test has ever refuted the objective
    log_e: float  # natural logarithm of the e-value now
    p: float  # of the sequential test, valid at every time
    psi: float
    psi_p: float
    n_scores: int


class ObjectiveDrift:
    """The scores of one stream against an objective, in bounded memory. Not thread-safe."""

    def __init__(self, objective: Objective) -> None:
        self.objective = objective
        self._reference: list[float] = []
        self._recent = np.zeros(0)
        self._n_scores = 0
        self._bins: NDArray[np.int64] | None = None  # [_N_BINS] of the reference, once it is complete
        self._level = objective.alpha  # of the test
        self._test: DriftTest | None = None
        if objective.expected is not None:
            ends = objective.expected - objective.tolerance, objective.expected + objective.tolerance
            self._begin(*np.clip(objective.scaled(np.array(ends)), 0, 1).tolist())

    def observe(self, score: float) -> None:
        """One more score. Raises ModelError for one that is outside the objective's range; nothing has changed then."""
        objective = self.objective
        if not objective.low <= score <= objective.high:
            raise ModelError(f"objective {objective.name}: {score} is not between {objective.low} and {objective.high}")
        score = float(score)
        self._n_scores += 1
        # A learnt mean is tested with scores that it was not learnt from.
        if self._test is not None:
            self._test.observe(objective.scaled(np.array([score])))
        if self._bins is None:
            self._reference.append(score)
            if len(self._reference) == objective.n_reference:
                self._learn()
        else:
            self._recent = np.append(self._recent, score)[-objective.n_recent :]

    def state(self) -> Drift:
        """What is known now."""
        psi = psi_p = math.nan
        if self._bins is not None and len(self._recent) >= _MIN_RECENT:
            objective = self.objective
            recent = histogram(self._recent, objective.low, objective.high, _N_BINS)
            psi, psi_p, _ = population_stability(self._bins, recent)
        if self._test is None or not self._test.count[0]:
            return Drift(None, math.nan, math.nan, psi, psi_p, self._n_scores)
        p = min(1.0, float(self._test.p_values[0]) * self.objective.alpha / self._level)
        log_e = math.log(float(self._test.e_values[0]))
        return Drift(p <= self.objective.alpha, log_e, p, psi, psi_p, self._n_scores)

    def _learn(self) -> None:
        objective, scores = self.objective, np.array(self._reference)
        self._bins, self._reference = histogram(scores, objective.low, objective.high, _N_BINS), []
        if self._test is None:
            # Half of alpha goes to the band that is learnt, half to the test of it.
            self._level = objective.alpha / 2
            sums = sums_of(objective.scaled(scores))
            band = mean_band(sums.mean, sums.squares / (sums.n - 1), sums.n, self._level)
            wider = objective.tolerance / (objective.high - objective.low)
            self._begin(max(band[0] - wider, 0.0), min(band[1] + wider, 1.0))

    def _begin(self, low: float, high: float) -> DriftTest:
        self._band = low, high
        self._test = DriftTest(np.array([low]), np.array([high]))
        return self._test

    # Over a restart

    def to_json(self) -> dict[str, object]:
        """All that is kept, as JSON can hold it."""
        test = self._test
        return {
            "n_scores": self._n_scores,
            "reference": self._reference,
            "recent": self._recent.tolist(),
            "bins": None if self._bins is None else self._bins.tolist(),
            "band": None if test is None else list(self._band),
            "capital": None if test is None else test.capital[0].tolist(),
            "largest": None if test is None else float(test.largest[0]),
            "tested": 0 if test is None else int(test.count[0]),
        }

    @classmethod
    def from_json(cls, objective: Objective, kept: dict[str, object]) -> ObjectiveDrift:
        """Go on from what `to_json` gave for the same objective. Raises ModelError where it did not give that."""
        drift = cls(objective)
        try:
            drift._restore(kept)
        except (KeyError, TypeError, ValueError) as error:
            raise ModelError(f"objective {objective.name}: what was kept cannot be read: {error}") from None
        return drift

    def _restore(self, kept: dict[str, object]) -> None:
        self._n_scores = int(kept["n_scores"])  # type: ignore[call-overload]
        self._reference = np.asarray(kept["reference"], np.float64).ravel().tolist()
        self._recent = np.asarray(kept["recent"], np.float64).ravel()
        if kept["bins"] is not None:
            self._bins = np.asarray(kept["bins"], np.int64).reshape(_N_BINS)
            self._level = self.objective.alpha / (2 if self.objective.expected is None else 1)
        if kept["band"] is not None:
            low, high = np.asarray(kept["band"], np.float64).reshape(2).tolist()
            test = self._begin(low, high)
            test.capital = np.asarray(kept["capital"], np.float64).reshape(test.capital.shape)
            test.largest = np.asarray([kept["largest"]], np.float64)
            test.count = np.asarray([kept["tested"]], np.int64)
