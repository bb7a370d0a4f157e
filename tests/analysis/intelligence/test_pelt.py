"""PELT against a search through all segmentations, against an independent program, and on known series."""

from __future__ import annotations

import math

import numpy as np
import pytest
import ruptures
from numpy.typing import NDArray

from swarmscope.analysis.intelligence.errors import ModelError
from swarmscope.analysis.intelligence.milestones.pelt import find_change_points, noise_scale


def steps(seed: int, *levels: float, length: int = 100) -> NDArray[np.float64]:
    rng = np.random.default_rng(seed)
    return np.concatenate([rng.normal(level, 1.0, length) for level in levels])


def best_by_all_pairs(values: NDArray[np.float64], penalty: float, min_size: int) -> list[int]:
    """Optimal partitioning without pruning, cost by cost."""
    n = len(values)
    best: list[tuple[float, list[int]]] = [(-penalty, [])] + [(math.inf, [])] * n
    for end in range(1, n + 1):
        for start in range(end - min_size + 1):
            part = values[start:end]
            cost = best[start][0] + float(np.sum((part - part.mean()) ** 2)) + penalty
            if cost < best[end][0]:
                best[end] = (cost, [*best[start][1], start])
    return [start for start in best[n][1] if start > 0]


def test_three_segments_are_found_where_they_are() -> None:
    found = find_change_points(steps(0, 0.0, 3.0, 1.0))
    assert len(found) == 2
    assert np.all(np.abs(found - [100, 200]) <= 1)


@pytest.mark.parametrize("seed", range(8))
def test_pruning_does_not_change_what_is_best(seed: int) -> None:
    rng = np.random.default_rng(seed)
    values = rng.normal(0, 1, 45) + np.repeat(rng.normal(0, 2, 9), 5)
    min_size, penalty = int(rng.integers(1, 7)), float(rng.uniform(0.5, 12))
    scaled = (values - values.mean()) / noise_scale(values)
    expected = best_by_all_pairs(scaled, penalty, min_size)
    assert find_change_points(values, penalty=penalty, min_size=min_size).tolist() == expected


@pytest.mark.parametrize("seed", range(4))
def test_an_independent_program_finds_the_same(seed: int) -> None:
    values = steps(seed, 0.0, 2.5, -1.0, 0.5, length=60)
    scaled = (values - values.mean()) / noise_scale(values)
    penalty = 3 * math.log(len(values))
    theirs = ruptures.Pelt(model="l2", min_size=5, jump=1).fit(scaled).predict(pen=penalty)
    assert [*find_change_points(values).tolist(), len(values)] == theirs


def test_shift_and_scale_change_nothing() -> None:
    values = steps(3, 0.0, 2.0)
    assert find_change_points(values * -1e-6 + 1e3).tolist() == find_change_points(values).tolist()


def test_quiet_series_have_no_change() -> None:
    found = [len(find_change_points(np.random.default_rng(seed).normal(0, 1, 200))) for seed in range(40)]
    assert sum(found) <= 2


def test_successes_and_failures() -> None:
    values = np.concatenate([np.zeros(60), np.ones(60)])
    assert find_change_points(values).tolist() == [60]


def test_nothing_to_find() -> None:
    assert find_change_points(np.ones(50)).tolist() == []
    assert find_change_points(np.zeros(0)).tolist() == []
    assert find_change_points(np.arange(9.0)).tolist() == []


def test_bad_input_is_named() -> None:
    with pytest.raises(ModelError, match="step 3 is nan"):
        find_change_points(np.array([0, 1, 2, math.nan, 4]))
    with pytest.raises(ModelError, match="one dimension"):
        find_change_points(np.zeros((3, 3)))
    with pytest.raises(ModelError, match="min_size 0"):
        find_change_points(np.zeros(30), min_size=0)


def test_the_scale_is_that_of_the_noise() -> None:
    assert noise_scale(steps(1, 0.0, 10.0, length=4000)) == pytest.approx(1.0, abs=0.03)
    assert noise_scale(np.zeros(5)) == 0.0
