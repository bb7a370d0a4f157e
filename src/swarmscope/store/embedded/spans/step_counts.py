"""Spans by resource and step: what is in memory and what is in parts, added up."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from swarmscope.model.spans import SpanCounts
from swarmscope.store.embedded.native import AnyArray
from swarmscope.store.embedded.spans.span_columns import Spans


class StepCounts(NamedTuple):
    """A resource and step may stand in several rows [n]."""

    resource: NDArray[np.int64]
    step: NDArray[np.int64]
    weight: NDArray[np.float64]
    n_spans: int


def live_counts(spans: Spans, rows: NDArray[np.int64], start_ns: int, step_ns: int) -> StepCounts:
    """Of spans in memory: those that a judge may still let go weigh 1, as in every other read."""
    step = (spans.ts_ns[rows] - start_ns - 1) // step_ns
    return StepCounts(spans.resource[rows].astype(np.int64), step, np.ones(len(rows)), len(rows))


def stored_counts(columns: Mapping[str, AnyArray]) -> StepCounts:
    """The answer to `statements.step_counts_sql`."""
    if not columns:
        nothing = np.zeros(0, np.int64)
        return StepCounts(nothing, nothing, np.zeros(0), 0)
    resource, step = columns["resource"].astype(np.int64), columns["step"].astype(np.int64)
    return StepCounts(resource, step, columns["w"].astype(np.float64), int(columns["n"].sum()))


def joined_counts(parts: Sequence[StepCounts], n_steps: int) -> SpanCounts:
    """One row for a resource and step; steps are below `n_steps`."""
    parts = [stored_counts({}), *parts]
    key = np.concatenate([part.resource * n_steps + part.step for part in parts])
    distinct, which = np.unique(key, return_inverse=True)
    weight = np.zeros(len(distinct))
    np.add.at(weight, which, np.concatenate([part.weight for part in parts]))
    return SpanCounts(distinct // n_steps, distinct % n_steps, weight, sum(part.n_spans for part in parts))
