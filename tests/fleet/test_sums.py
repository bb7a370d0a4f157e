"""Sums of edges and usage by hand."""

from __future__ import annotations

import numpy as np
import pytest

from swarmscope.fleet.sums import edges_between, sum_edges, sum_usage, usage_between
from swarmscope.model.fleet import GRAIN_NS, N_DURATION_BUCKETS, EdgeMeasure, Edges, Usage, UsageMeasure


def edges(*rows: tuple[int, int, int, float]) -> Edges:
    """Minute, source, target, count."""
    n = len(rows)
    minute, source, target, count = (np.array([row[i] for row in rows]) for i in range(4))
    measures = np.zeros((n, len(EdgeMeasure)))
    measures[:, EdgeMeasure.COUNT] = count
    durations = np.zeros((n, N_DURATION_BUCKETS), np.uint32)
    durations[:, 3] = count
    ones = np.ones(n, np.uint32)
    return Edges(
        minute * GRAIN_NS, source.astype(np.uint32), target.astype(np.uint32), ones.astype(np.uint8), ones, ones,
        measures, durations,
    )  # fmt: skip


def usage(*rows: tuple[int, int, int, float]) -> Usage:
    """Minute, agent, model, tokens."""
    n = len(rows)
    minute, agent, model, tokens = (np.array([row[i] for row in rows]) for i in range(4))
    measures = np.zeros((n, len(UsageMeasure)))
    measures[:, UsageMeasure.INPUT_TOKENS] = tokens
    ones = np.ones(n, np.uint32)
    return Usage(minute * GRAIN_NS, agent.astype(np.uint32), ones, ones, ones, model.astype(np.uint32),
                 ones.astype(np.uint8), ones, measures)  # fmt: skip


def test_edges_add_up_over_parts_and_minutes() -> None:
    parts = [edges((0, 5, 6, 1), (1, 5, 6, 2), (1, 6, 5, 4)), edges((1, 5, 6, 8))]
    total = sum_edges(parts, by_minute=False)
    assert total.minute_ns.tolist() == [0, 0]
    assert list(zip(total.source, total.target, total.measures[:, EdgeMeasure.COUNT], total.durations[:, 3],
                    strict=True)) == [(5, 6, 11, 11), (6, 5, 4, 4)]  # fmt: skip
    told = sum_edges(parts, by_minute=True)
    assert list(zip(told.minute_ns // GRAIN_NS, told.source, told.measures[:, 0], strict=True)) == [
        (0, 5, 1), (1, 5, 10), (1, 6, 4),
    ]  # fmt: skip
    assert (total.durations.dtype, total.type.dtype) == (np.uint32, np.uint8)


def test_usage_adds_up_by_what_is_asked_for() -> None:
    parts = [usage((0, 5, 7, 1), (1, 5, 8, 2)), usage((1, 6, 7, 4))]
    by_agent = sum_usage(parts, ("agent",), by_minute=False)
    tokens = UsageMeasure.INPUT_TOKENS
    assert list(zip(by_agent.agent, by_agent.model, by_agent.operation, by_agent.measures[:, tokens], strict=True)) == [
        (5, 1, 0, 3), (6, 1, 0, 4),
    ]  # fmt: skip
    assert sum_usage(parts, (), by_minute=False).measures[:, tokens].tolist() == [7]
    both = sum_usage(parts, ("model",), by_minute=True)
    assert list(zip(both.minute_ns // GRAIN_NS, both.model, both.measures[:, tokens], strict=True)) == [
        (0, 7, 1), (1, 7, 4), (1, 8, 2),
    ]  # fmt: skip
    with pytest.raises(ValueError, match="colour"):
        sum_usage(parts, ("colour",), by_minute=False)


def test_nothing_sums_to_nothing_and_ranges_are_half_open() -> None:
    assert len(sum_edges([], by_minute=False)) == len(sum_usage([], ("agent",), by_minute=False)) == 0
    assert edges_between(edges((0, 1, 2, 1), (1, 3, 4, 1), (2, 5, 6, 1)), GRAIN_NS, 2 * GRAIN_NS).source.tolist() == [3]
    assert usage_between(usage((0, 1, 2, 1), (1, 3, 4, 1)), 0, GRAIN_NS).agent.tolist() == [1]
