"""Three ways to the same distance: extreme functions, a flow, and a linear program."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import linprog
from tests.portion import portion

from swarmscope.analysis.intelligence.iit3.hypercube_distance import (
    MAX_VERTEX_UNITS,
    flow_distance,
    make_transport,
    moved_probability,
    vertex_distance,
    vertices,
)

_ROOM = make_transport(6)
_RANDOM = np.random.default_rng(4)


def pairs(n_units: int, count: int) -> list[np.ndarray]:
    """Differences of distributions, some with many zeros."""
    n_states = 1 << n_units
    return [
        _RANDOM.dirichlet(np.full(n_states, spread)) - _RANDOM.dirichlet(np.full(n_states, 1.0))
        for spread in (0.05, 0.5, 2.0)
        for _ in range(count)
    ]


def by_program(delta: np.ndarray, n_units: int) -> float:
    numbers = np.arange(1 << n_units)
    far = np.bitwise_count(numbers[:, None] ^ numbers).reshape(-1).astype(float)
    rows = np.kron(np.eye(len(numbers)), np.ones(len(numbers)))
    columns = np.kron(np.ones(len(numbers)), np.eye(len(numbers)))
    supply, demand = np.maximum(delta, 0), np.maximum(-delta, 0)
    return linprog(far, A_eq=np.vstack([rows, columns])[1:], b_eq=np.concatenate([supply, demand])[1:]).fun


def test_how_many_extreme_functions_there_are() -> None:
    counts = (1, 3, 19, 495)  # half of 2, 6, 38 and 990
    assert len(vertices()) == sum(count << n_units for n_units, count in enumerate(counts, 1))


@pytest.mark.parametrize("n_units", range(1, MAX_VERTEX_UNITS + 1))
def test_functions_and_flow_agree(n_units: int) -> None:
    for delta in pairs(n_units, 200):
        flow = flow_distance(delta, n_units, np.inf, _ROOM)
        assert vertex_distance(delta, n_units, _ROOM) == pytest.approx(flow, abs=1e-12)


@pytest.mark.parametrize("n_units", range(1, 6))
def test_a_linear_program_agrees(n_units: int) -> None:
    for delta in pairs(n_units, portion(10, 2)):
        assert moved_probability(delta, n_units, np.inf, _ROOM) == pytest.approx(by_program(delta, n_units), abs=1e-7)


def test_products_are_as_far_as_their_marginals() -> None:
    for _ in range(20):
        first, second = _RANDOM.random((2, 6))
        products = []
        for likely in (first, second):
            product = np.ones(1)
            for on in likely:
                product = np.concatenate([product * (1 - on), product * on])
            products.append(product)
        delta = products[0] - products[1]
        assert flow_distance(delta, 6, np.inf, _ROOM) == pytest.approx(np.abs(first - second).sum(), abs=1e-12)


def test_all_from_one_corner_to_the_other() -> None:
    for n_units in range(1, 7):
        delta = np.zeros(1 << n_units)
        delta[0], delta[-1] = 1.0, -1.0
        assert moved_probability(delta, n_units, np.inf, _ROOM) == n_units


def test_it_may_end_once_it_is_far_enough() -> None:
    for delta in pairs(5, 20):
        exact = flow_distance(delta, 5, np.inf, _ROOM)
        for limit in (0.3 * exact, 0.9 * exact, 1.1 * exact):
            found = flow_distance(delta, 5, limit, _ROOM)
            assert limit <= found <= exact + 1e-12 if limit < exact else found == exact
