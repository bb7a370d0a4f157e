"""Online change points: against the posterior by enumeration, and what they find and miss."""

from __future__ import annotations

import math
from itertools import product

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.special import gammaln

from swarmscope.analysis.intelligence.errors import ModelError
from swarmscope.analysis.intelligence.milestones.online_change import OnlineDetector, Prior, prior_from

PRIOR = Prior(0.0, 0.5, 1.5, 1.0)


def evidence(values: NDArray[np.float64]) -> float:
    """Log marginal likelihood of a segment in closed form (Murphy 2007, eq. 95)."""
    n = len(values)
    if n == 0:
        return 0.0
    mean = float(values.mean())
    weight, shape = PRIOR.weight + n, PRIOR.shape + n / 2
    rate = PRIOR.rate + 0.5 * float(np.sum((values - mean) ** 2))
    rate += PRIOR.weight * n * (mean - PRIOR.mean) ** 2 / (2 * weight)
    log = gammaln(shape) - gammaln(PRIOR.shape) + PRIOR.shape * math.log(PRIOR.rate) - shape * math.log(rate)
    return float(log + 0.5 * math.log(PRIOR.weight / weight) - n / 2 * math.log(2 * math.pi))


def test_run_lengths_are_those_of_all_segmentations() -> None:
    """Every way to cut 7 values, weighted by the hazard: the length of the last segment has this distribution."""
    values, hazard = np.array([0.1, -0.4, 0.2, 2.9, 3.4, 2.8, 3.1]), 0.1
    weights: dict[int, float] = {}
    # Whether a change follows each value; the one after the last makes the run length 0.
    for cuts in product((False, True), repeat=len(values)):
        log, begin = 0.0, 0
        for at, cut in enumerate(cuts):
            log += math.log(hazard if cut else 1 - hazard)
            if cut:
                log += evidence(values[begin : at + 1])
                begin = at + 1
        log += evidence(values[begin:])
        weights[len(values) - begin] = weights.get(len(values) - begin, 0.0) + math.exp(log)
    detector = OnlineDetector(PRIOR, hazard)
    for value in values:
        detector.observe(float(value))
    runs, probability = detector.run_lengths()
    total = sum(weights.values())
    for run, share in zip(runs.tolist(), probability.tolist(), strict=True):
        assert share == pytest.approx(weights[run] / total, abs=2e-4)  # what the tail drops
    assert int(runs[np.argmax(probability)]) == 4


def delay_and_alarms(seed: int) -> tuple[int | None, bool]:
    """Values between a step of 3 standard deviations and its discovery, and whether the quiet before gave alarm."""
    rng = np.random.default_rng(seed)
    values = np.concatenate([rng.normal(0, 1, 100), rng.normal(3, 1, 30)])
    detector, alarm = OnlineDetector(prior_from(values[:20])), False
    for at, value in enumerate(values):
        run = detector.observe(float(value)).run_length
        if 20 <= at < 100:
            alarm |= run < at / 2
        elif at >= 100 and abs(at + 1 - run - 100) <= 5:
            return at - 100, alarm
    return None, alarm


def test_a_step_is_seen_soon_and_quiet_seldom_alarms() -> None:
    """The specification measured: median delay 1, 1 of 50 alarms, 1 of 50 missed."""
    delays, alarms = zip(*(delay_and_alarms(seed) for seed in range(50)), strict=True)
    seen = [delay for delay in delays if delay is not None]
    assert len(seen) >= 49
    assert float(np.median(seen)) <= 1
    assert sum(alarms) <= 3


def test_memory_is_bounded() -> None:
    detector = OnlineDetector(PRIOR, 0.5)
    for value in np.random.default_rng(0).normal(0, 1, 400):
        detector.observe(float(value))
    assert len(detector.run_lengths()[0]) < 100


def test_what_is_impossible_is_a_change() -> None:
    detector = OnlineDetector(Prior(0.0, 1.0, 500.0, 1e-9))
    detector.observe(0.0)
    assert detector.observe(1e150).run_length == 0


def test_bad_input_is_named() -> None:
    detector = OnlineDetector(PRIOR)
    with pytest.raises(ModelError, match="nan"):
        detector.observe(math.nan)
    with pytest.raises(ModelError, match=r"hazard 1\.5"):
        OnlineDetector(PRIOR, 1.5)
    with pytest.raises(ModelError, match="no prior"):
        OnlineDetector(Prior(0, 0, 1, 1))
    with pytest.raises(ModelError, match="there are 1"):
        prior_from(np.zeros(1))
