"""Networks that tests make."""

from __future__ import annotations

import numpy as np

from swarmscope.analysis.intelligence.iit3.network import Network, check_network


def states_of(n_units: int) -> np.ndarray:
    """[2^n, n] of 0 and 1, unit 0 varying fastest."""
    return np.arange(1 << n_units)[:, None] >> np.arange(n_units) & 1


def logistic_network(n_units: int, seed: int, scale: float = 1.0) -> Network:
    """Every unit listens to all, with random weights."""
    random = np.random.default_rng(seed)
    weights, bias = random.normal(size=(n_units, n_units)) * scale, random.normal(size=n_units) * 0.5
    return check_network(1 / (1 + np.exp(-((2 * states_of(n_units) - 1) @ weights + bias))))


def elementary_rule(rule: int, n_units: int) -> Network:
    """Wolfram's elementary cellular automaton on a ring: left, itself and right read as a number say which bit."""
    states = states_of(n_units)
    left, right = np.roll(states, 1, axis=1), np.roll(states, -1, axis=1)
    return check_network(rule >> (4 * left + 2 * states + right) & 1)


def majority_ring() -> Network:
    """Five units, each on when most of the second, third and fourth after it are."""
    states = states_of(5)
    return check_network(sum(np.roll(states, -step, axis=1) for step in (2, 3, 4)) >= 2)
