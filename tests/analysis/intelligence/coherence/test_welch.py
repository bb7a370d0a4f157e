"""Coherence against scipy, its theory under independence, and a known mixture."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import signal

from swarmscope.analysis.intelligence.coherence.welch import (
    Segmenting,
    coherence,
    critical_coherence,
    default_segmenting,
    prepared,
    without_bias,
)
from swarmscope.analysis.intelligence.errors import ModelError

WIDTH = 32


def test_equal_to_an_independent_program() -> None:
    rng = np.random.default_rng(1)
    common = rng.normal(size=500)
    x = prepared(np.stack([common + rng.normal(size=500), rng.normal(size=500) - common, rng.normal(size=500)], axis=1))
    found = coherence(x, Segmenting(40, 20))
    frequency, expected = signal.coherence(x[:, 0], x[:, 1], window="hann", nperseg=40, noverlap=20)
    assert found.frequency == pytest.approx(frequency[1:])
    assert found.coherence[:, 0, 1] == pytest.approx(expected[1:], abs=1e-12)
    assert np.array_equal(found.coherence, found.coherence.transpose(0, 2, 1))
    assert found.n_segments == 24


@pytest.mark.parametrize(("n_segments", "mean"), [(8, 0.125), (20, 0.05), (64, 1 / 64)])
def test_independent_signals_show_what_theory_says(n_segments: int, mean: float) -> None:
    rng = np.random.default_rng(n_segments)
    seen = coherence(rng.normal(size=(n_segments * WIDTH, 40)), Segmenting(WIDTH, WIDTH)).coherence[:-1]
    pairs = seen[:, *np.triu_indices(40, 1)]
    assert pairs.mean() == pytest.approx(mean, rel=0.04)
    assert (pairs > critical_coherence(n_segments)).mean() == pytest.approx(0.05, abs=0.01)


def test_critical_value_of_the_reference() -> None:
    assert critical_coherence(20) == pytest.approx(0.1459, abs=5e-5)


@pytest.mark.parametrize(("n_segments", "biased"), [(8, 0.323), (20, 0.279), (64, 0.258)])
def test_equal_signal_and_noise(n_segments: int, biased: float) -> None:
    """True γ² is (1/2)² = 0.25; what is seen exceeds it by about (1 − γ²)²/L."""
    rng = np.random.default_rng(100 + n_segments)
    common = rng.normal(size=(n_segments * WIDTH, 40))
    x = np.repeat(common, 2, axis=1) + rng.normal(size=(n_segments * WIDTH, 80))
    pair = np.arange(0, 80, 2)
    seen = coherence(x, Segmenting(WIDTH, WIDTH)).coherence[:-1, pair, pair + 1]
    assert seen.mean() == pytest.approx(biased, abs=0.02)
    assert without_bias(seen.mean(), 1 / n_segments) == pytest.approx(0.25, abs=0.03)


def test_bias_never_makes_it_negative() -> None:
    assert without_bias([0.01, 0.125, 1.0], 0.125) == pytest.approx([0.0, 0.0, 1.0])


def test_too_few_segments_are_refused() -> None:
    rng = np.random.default_rng(0)
    with pytest.raises(ModelError, match="7 segments of 8; 8 are needed"):
        coherence(rng.normal(size=(56, 2)), Segmenting(8, 8))
    for n_bins in (36, 60, 136, 600, 3600):
        cut = default_segmenting(n_bins)
        assert coherence(rng.normal(size=(n_bins, 2)), cut).n_segments >= (16 if n_bins >= 136 else 8)


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (np.array([[1.0, 2.0], [np.nan, 3.0]]), "signal 0 is nan in bin 1"),
        (np.stack([np.arange(50.0) % 7, np.full(50, 3.0)], axis=1), "signal 1 is constant"),
        (np.stack([np.arange(50.0), np.arange(50.0) % 7], axis=1), "signal 0 is constant, or nothing but a trend"),
        (np.zeros(5), "bins and signals"),
    ],
)
def test_signals_that_cannot_be_measured_are_named(x: np.ndarray, message: str) -> None:
    with pytest.raises(ModelError, match=message):
        prepared(x)
