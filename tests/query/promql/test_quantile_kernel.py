"""Quantiles of groups against a sorted list."""

from __future__ import annotations

import math

import numpy as np
import pytest

from swarmscope.query.promql.aggregate_kernels import Grouped
from swarmscope.query.promql.quantile_kernel import quantile_groups

N_STEPS = 40


def slow_quantile(q: float, values: list[float]) -> float:
    if math.isnan(q):
        return math.nan
    if q < 0 or q > 1:
        return math.copysign(math.inf, q)
    ordered = sorted(values, key=lambda v: (not math.isnan(v), v if not math.isnan(v) else 0.0))
    rank = q * (len(ordered) - 1)
    low = math.floor(rank)
    high = min(low + 1, len(ordered) - 1)
    weight = rank - low
    return ordered[low] * (1 - weight) + ordered[high] * weight


def cells_of(kind: str, n: int) -> np.ndarray:
    random = np.random.default_rng(n)
    base = random.normal(size=(n, 1)) * 100
    drift = {
        "steady": random.normal(size=(n, N_STEPS)),
        "jumps": random.normal(size=(n, N_STEPS)) * 1000 + np.arange(N_STEPS) * 500.0,
        "ties": np.zeros((n, N_STEPS)),
    }.get(kind, random.normal(size=(n, N_STEPS)))
    values = np.round(base / 100) if kind == "ties" else base + drift
    values = np.ascontiguousarray(np.broadcast_to(values, (n, N_STEPS))).copy()
    if kind == "odd":
        values[random.random(values.shape) < 0.3] = math.nan
        values[random.random(values.shape) < 0.1] = math.inf
        values[random.random(values.shape) < 0.1] = -math.inf
    return values


@pytest.mark.parametrize("kind", ["steady", "jumps", "ties", "odd"])
@pytest.mark.parametrize("n", [1, 2, 5, 127, 128, 400, 1500])
@pytest.mark.parametrize("q", [0.0, 0.1, 0.5, 0.95, 1.0, -1.0, 2.0, math.nan])
def test_against_sorting(kind: str, n: int, q: float) -> None:
    values = cells_of(kind, n)
    random = np.random.default_rng(7)
    present = random.random(values.shape) < (0.9 if n > 2 else 1.0)
    present[:, 5] = False
    group = (np.arange(n) % 2 if n > 1 else np.zeros(n)).astype(np.int64)
    n_groups = int(group.max()) + 1
    order = np.argsort(group, kind="stable").astype(np.int64)
    offsets = np.searchsorted(group[order], np.arange(n_groups + 1)).astype(np.int64)
    quantiles = np.full(N_STEPS, q)
    out = np.zeros((n_groups, N_STEPS)), np.zeros((n_groups, N_STEPS), np.bool_)
    quantile_groups(Grouped(values, present, group), (offsets, order), quantiles, out, 0, N_STEPS)
    for g in range(n_groups):
        for step in range(N_STEPS):
            mine = [float(v) for v in values[group == g, step][present[group == g, step]]]
            assert out[1][g, step] == bool(mine)
            if mine:
                assert out[0][g, step] == pytest.approx(slow_quantile(q, mine), rel=1e-15, nan_ok=True), (g, step)
