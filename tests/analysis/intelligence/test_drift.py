"""The sequential test: its false alarms stay below what it promises, and drift is found; then the stability index."""

from __future__ import annotations

import json
import math
from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats
from tests.portion import portion

from swarmscope.analysis.intelligence.alignment.drift import N_BETS, DriftTest, mean_band
from swarmscope.analysis.intelligence.alignment.objective import Objective, ObjectiveDrift
from swarmscope.analysis.intelligence.alignment.scores import ScoreSums, aggregate, joined, sums_of
from swarmscope.analysis.intelligence.alignment.stability import histogram, population_stability
from swarmscope.analysis.intelligence.errors import ModelError

Draw = Callable[[np.random.Generator, int], NDArray[np.float64]]
# Both have the mean 0.8.
STREAMS: dict[str, Draw] = {
    "beta": lambda rng, n: rng.beta(8, 2, n),
    "successes": lambda rng, n: (rng.random(n) < 0.8).astype(np.float64),
}
N_STREAMS, N_STEPS = portion(2000, 400), portion(2000, 500)


def run(draw: Draw, n: int, steps: int, band: tuple[float, float], seed: int = 0) -> DriftTest:
    rng, test = np.random.default_rng(seed), DriftTest(np.full(n, band[0]), np.full(n, band[1]))
    for _ in range(steps):
        test.observe(draw(rng, n))
    return test


@pytest.mark.parametrize("name", STREAMS)
def test_false_alarms_are_as_rare_as_promised(name: str) -> None:
    """Looked at after every score, at the edge of the band: the worst case. Allowed are three standard errors."""
    p = run(STREAMS[name], N_STREAMS, N_STEPS, (0.8, 0.8)).p_values
    for alpha in (0.2, 0.05, 0.01):
        assert float(np.mean(p <= alpha)) <= alpha + 3 * math.sqrt(alpha * (1 - alpha) / N_STREAMS)


def test_a_test_at_fixed_times_would_not_keep_that_promise() -> None:
    """The harness can fail: the same streams under a t-test that is looked at after every score."""
    rng, n = np.random.default_rng(0), 400
    scores = rng.beta(8, 2, (500, n))
    count = np.arange(1, 501)[:, np.newaxis]
    mean = np.cumsum(scores, axis=0) / count
    spread = np.sqrt(np.maximum(np.cumsum(scores**2, axis=0) / count - mean**2, 1e-12))
    alarmed = np.any((np.abs(mean - 0.8) / spread * np.sqrt(count) > 2.5758)[20:], axis=0)
    assert float(alarmed.mean()) > 0.05  # promised is 0.01


@pytest.mark.parametrize(("name", "mean", "within"), [("beta", 0.7, 150), ("beta", 0.9, 200), ("successes", 0.5, 100)])
def test_drift_is_found(name: str, mean: float, within: int) -> None:
    """After 200 quiet scores the mean moves: nearly all streams tell within so many scores."""
    rng, n = np.random.default_rng(1), 200
    test = DriftTest(np.full(n, 0.8), np.full(n, 0.8))
    for _ in range(200):
        test.observe(STREAMS[name](rng, n))
    assert float(np.mean(test.p_values <= 0.01)) <= 0.05
    for _ in range(within):
        moved = rng.beta(10 * mean, 10 * (1 - mean), n) if name == "beta" else (rng.random(n) < mean).astype(np.float64)
        test.observe(moved)
    assert float(np.mean(test.p_values <= 0.01)) >= 0.95


def test_a_mean_inside_the_band_is_no_drift() -> None:
    assert float(run(STREAMS["beta"], 100, 300, (0.7, 0.9)).p_values.min()) > 0.5


def test_capital_by_hand() -> None:
    """Band 0.5 … 0.5 and the scores 1, 1: bets upwards are 2·share, downwards as large, and lose what those win."""
    test = DriftTest(np.array([0.5]), np.array([0.5]))
    test.observe(np.array([1.0]))
    shares = np.array([1 / 16, 1 / 8, 1 / 4, 1 / 2])
    first = np.concatenate([1 + shares, 1 - shares]) / 2
    assert test.capital[0] == pytest.approx(first)
    assert test.e_values[0] == pytest.approx(first.mean() + 1 / 2)
    test.observe(np.array([math.nan]))  # no score, no change
    test.observe(np.array([1.0]))
    second = (first + 1 / 6) * np.concatenate([1 + shares, 1 - shares])
    assert test.capital[0] == pytest.approx(second)
    assert test.e_values[0] == pytest.approx(second.mean() + 1 / 3)
    assert test.capital.shape == (1, N_BETS)
    assert test.count[0] == 2


def test_capital_is_never_negative_nor_infinite() -> None:
    test = DriftTest(np.array([0.0, 1.0, 0.5]), np.array([0.0, 1.0, 0.5]))
    for _ in range(3000):
        test.observe(np.array([1.0, 0.0, 1.0]))
    assert np.all(np.isfinite(test.e_values))
    assert np.all(test.capital >= 0)
    assert np.all(test.p_values <= 1e-100)


def test_bad_bands_and_scores_are_named() -> None:
    with pytest.raises(ModelError, match=r"stream 1: 0\.9 … 0\.2"):
        DriftTest(np.array([0.1, 0.9]), np.array([0.2, 0.2]))
    test = DriftTest(np.array([0.5]), np.array([0.5]))
    with pytest.raises(ModelError, match=r"stream 0: the score 1\.5"):
        test.observe(np.array([1.5]))
    assert test.count[0] == 0


def test_a_learnt_band_holds_the_mean() -> None:
    rng = np.random.default_rng(2)
    inside = 0
    for _ in range(300):
        scores = rng.beta(8, 2, 100)
        low, high = mean_band(float(scores.mean()), float(scores.var(ddof=1)), 100, 0.05)
        inside += low <= 0.8 <= high
    assert inside >= 0.95 * 300
    # √(2·0.01·ln 80 / 100) + 7·ln 80 / 297
    low, high = mean_band(0.5, 0.01, 100, 0.05)
    assert (low, high) == (pytest.approx(0.5 - 0.132884, abs=1e-5), pytest.approx(0.5 + 0.132884, abs=1e-5))


def test_the_index_by_hand() -> None:
    """Ten groups of 100 against 150 and 50 in the outer ones, with half a score in each."""
    reference = np.full(10, 100)
    recent = np.array([150, *[100] * 8, 50])
    shares = (recent + 0.5) / (recent.sum() + 5)
    expected = sum((share - 0.1) * math.log(share / 0.1) for share in shares.tolist())
    found = population_stability(reference, recent)
    assert found.psi == pytest.approx(expected)
    assert found.n_bins == 10
    assert found.p == pytest.approx(stats.chi2.sf(expected / (2 / 1000), 9))
    assert population_stability(reference, reference).psi == pytest.approx(0)


def test_small_samples_are_not_taken_for_drift() -> None:
    """Share of p-values below 0.05 without drift: near 5 % for any size, where the index itself is not."""
    rng, low = np.random.default_rng(3), []
    for _ in range(400):
        first, last = rng.beta(8, 2, 200), rng.beta(8, 2, 60)
        found = population_stability(histogram(first, 0, 1, 20), histogram(last, 0, 1, 20))
        low.append(found.p < 0.05)
    assert 0.01 <= float(np.mean(low)) <= 0.09


def test_scores_that_leave_the_reference_are_seen() -> None:
    reference = histogram(np.full(200, 0.95), 0, 1, 20)
    same = population_stability(reference, histogram(np.full(100, 0.95), 0, 1, 20))
    gone = population_stability(reference, histogram(np.full(100, 0.15), 0, 1, 20))
    assert same.p > 0.5
    assert gone.psi > 1
    assert gone.p < 1e-6


def test_histograms_and_bad_ones() -> None:
    assert histogram(np.array([0, 0.049, 0.05, 1.0, 2.0, -1]), 0, 1, 20).tolist() == [3, 1, *[0] * 17, 2]
    with pytest.raises(ModelError, match="shapes"):
        population_stability(np.zeros(3, np.int64), np.zeros(4, np.int64))
    with pytest.raises(ModelError, match="below 0"):
        population_stability(np.array([1, -1]), np.array([1, 1]))
    with pytest.raises(ModelError, match="no 5 bins"):
        histogram(np.zeros(1), 1, 1, 5)
    assert math.isnan(population_stability(np.zeros(3, np.int64), np.ones(3, np.int64)).psi)


def fed(objective: Objective, *scores: NDArray[np.float64]) -> ObjectiveDrift:
    drift = ObjectiveDrift(objective)
    for score in np.concatenate(scores).tolist():
        drift.observe(score)
    return drift


def test_a_learnt_objective() -> None:
    rng = np.random.default_rng(4)
    objective = Objective("o", "e", low=1, high=5, n_reference=300, n_recent=100)
    drift = fed(objective, 1 + 4 * rng.beta(8, 2, 200))
    assert drift.state().is_drifting is None
    assert math.isnan(drift.state().psi)
    drift = fed(objective, 1 + 4 * rng.beta(8, 2, 900))
    assert drift.state().is_drifting is False
    for score in (1 + 4 * rng.beta(4, 6, 300)).tolist():
        drift.observe(score)
    state = drift.state()
    assert state.is_drifting is True
    assert state.psi > 0.25
    assert state.psi_p < 1e-6
    assert state.n_scores == 1200


def test_what_is_kept_goes_on() -> None:
    rng = np.random.default_rng(5)
    for objective in (Objective("o", "e", n_reference=50, n_recent=40), Objective("o", "e", expected=0.8)):
        for n in (0, 20, 70, 260):
            drift, more = fed(objective, rng.beta(8, 2, n)), rng.beta(5, 5, 60).tolist()
            again = ObjectiveDrift.from_json(objective, json.loads(json.dumps(drift.to_json())))
            for score in more:
                drift.observe(score)
                again.observe(score)
            assert str(again.state()) == str(drift.state())
    with pytest.raises(ModelError, match="cannot be read"):
        ObjectiveDrift.from_json(Objective("o", "e"), {"n_scores": 3})


@pytest.mark.parametrize(
    "fields",
    [{"low": 1.0}, {"high": math.inf}, {"expected": 2.0}, {"tolerance": -1.0}, {"alpha": 1.0}, {"n_recent": 3}],
)
def test_objectives_that_cannot_be_meant(fields: dict[str, float]) -> None:
    with pytest.raises(ModelError, match="objective o"):
        Objective("o", "e", **fields)  # type: ignore[arg-type]
    drift = ObjectiveDrift(Objective("o", "e"))
    with pytest.raises(ModelError, match=r"7\.0 is not between"):
        drift.observe(7.0)
    assert drift.state().n_scores == 0


def test_aggregates() -> None:
    scores = np.array([0.2, 0.4, 0.6])
    found = aggregate(sums_of(scores))
    assert (found.n, found.estimator, found.mean) == (3, "student_t", pytest.approx(0.4))
    assert found.ci_high == pytest.approx(0.4 + 0.496828, abs=1e-5)
    shares = aggregate(sums_of(np.array([1.0] * 8 + [0.0] * 2)))
    assert (shares.estimator, shares.ci_low, shares.ci_high) == (
        "wilson", pytest.approx(0.4902, abs=1e-4), pytest.approx(0.9433, abs=1e-4)
    )  # fmt: skip
    assert aggregate(ScoreSums()).estimator == "none"
    assert math.isnan(aggregate(sums_of(np.array([0.3]))).ci_low)
    parts = joined(joined(ScoreSums(), sums_of(scores[:1])), sums_of(scores[1:]))
    assert parts == pytest.approx(sums_of(scores))
    with pytest.raises(ModelError, match="score 1 is nan"):
        sums_of(np.array([1.0, math.nan]))
    with pytest.raises(ModelError, match="confidence 0"):
        aggregate(ScoreSums(), 0)


def test_intervals_cover_the_mean() -> None:
    """Of 400 samples of 30 scores, 95 % of the intervals hold the true mean: within three standard errors."""
    rng = np.random.default_rng(6)
    held = sum((found := aggregate(sums_of(rng.beta(8, 2, 30)))).ci_low <= 0.8 <= found.ci_high for _ in range(400))
    assert abs(held / 400 - 0.95) <= 3 * math.sqrt(0.95 * 0.05 / 400) + 0.01
