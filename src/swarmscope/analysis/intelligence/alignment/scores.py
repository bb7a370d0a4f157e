"""Aggregates of scores with intervals: nothing is told that no evaluator said."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from swarmscope.analysis.intelligence.alignment.tails import student_quantile
from swarmscope.analysis.intelligence.errors import ModelError
from swarmscope.analysis.intelligence.statistics.wilson import wilson_interval


class ScoreSums(NamedTuple):
    """What is kept of scores: how many, their mean, the sum of squares about it, and whether all were 0 or 1."""

    n: int = 0
    mean: float = 0.0
    squares: float = 0.0
    all_binary: bool = True


class ScoreAggregate(NamedTuple):
    """A mean with its interval; `ci_low` and `ci_high` are nan where there are too few scores for one."""

    n: int
    mean: float  # nan for no score
    ci_low: float
    ci_high: float
    estimator: str  # wilson, student_t, or none


def sums_of(scores: NDArray[np.float64]) -> ScoreSums:
    """Sums over scores [n]. Raises ModelError for scores that are not finite."""
    values = np.asarray(scores, np.float64).ravel()
    if not len(values):
        return ScoreSums()
    bad = np.flatnonzero(~np.isfinite(values))
    if len(bad):
        raise ModelError(f"score {int(bad[0])} is {values[bad[0]]}, not a finite number")
    mean = float(values.mean())
    binary = bool(np.all((values == 0) | (values == 1)))
    return ScoreSums(len(values), mean, float(np.sum((values - mean) ** 2)), binary)


def joined(first: ScoreSums, second: ScoreSums) -> ScoreSums:
    """Sums over both (Chan, Golub, LeVeque, Updating formulae and a pairwise algorithm, 1979)."""
    n = first.n + second.n
    if not first.n or not second.n:
        return first if first.n else second
    apart = second.mean - first.mean
    return ScoreSums(
        n,
        first.mean + apart * second.n / n,
        first.squares + second.squares + apart * apart * first.n * second.n / n,
        first.all_binary and second.all_binary,
    )


def aggregate(sums: ScoreSums, confidence: float = 0.95) -> ScoreAggregate:
    """Mean and interval: Wilson's where all scores are 0 or 1, else Student's t, which needs two scores."""
    if not 0 < confidence < 1:
        raise ModelError(f"the confidence {confidence} is not between 0 and 1")
    if sums.n == 0:
        return ScoreAggregate(0, math.nan, math.nan, math.nan, "none")
    if sums.all_binary:
        low, high = wilson_interval(round(sums.mean * sums.n), sums.n, confidence)
        return ScoreAggregate(sums.n, sums.mean, low, high, "wilson")
    if sums.n < 2:
        return ScoreAggregate(sums.n, sums.mean, math.nan, math.nan, "none")
    error = math.sqrt(sums.squares / (sums.n - 1) / sums.n)
    half = student_quantile(0.5 + confidence / 2, sums.n - 1) * error
    return ScoreAggregate(sums.n, sums.mean, sums.mean - half, sums.mean + half, "student_t")
