"""Modularity of graphs that can be computed by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from swarmscope.analysis.intelligence.coherence.modularity import modularity


def _graph(n: int, edges: list[tuple[int, int]]) -> np.ndarray:
    weights = np.zeros((n, n))
    for a, b in edges:
        weights[a, b] = weights[b, a] = 1.0
    return weights


TRIANGLES = [(0, 1), (1, 2), (0, 2), (3, 4), (4, 5), (3, 5)]


def test_two_triangles() -> None:
    quality, community = modularity(_graph(6, TRIANGLES))
    assert quality == pytest.approx(0.5)
    assert community.tolist() == [0, 0, 0, 1, 1, 1]
    # Joined by one edge: 2·(3/7 − (7/14)²).
    joined, community = modularity(_graph(6, [*TRIANGLES, (2, 3)]))
    assert joined == pytest.approx(6 / 7 - 1 / 2)
    assert community.tolist() == [0, 0, 0, 1, 1, 1]


def test_ends() -> None:
    assert modularity(np.zeros((3, 3)))[0] == 0.0
    assert modularity(np.eye(3))[1].tolist() == [0, 1, 2]
    quality, community = modularity(np.ones((4, 4)))
    assert quality == pytest.approx(0.0)
    assert community.tolist() == [0, 0, 0, 0]


@given(st.integers(2, 9), st.integers(0, 10_000))
def test_quality_is_that_of_the_communities(n: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    weights = np.triu(rng.random((n, n)) * (rng.random((n, n)) < 0.5), 1)
    weights += weights.T
    quality, community = modularity(weights)
    total = weights.sum()
    expected = 0.0
    for which in range(n if total else 0):
        inside = community == which
        expected += weights[np.ix_(inside, inside)].sum() / total - (weights[inside].sum() / total) ** 2
    assert quality == pytest.approx(expected, abs=1e-12)
    assert quality >= -1e-12
