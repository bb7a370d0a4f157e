"""Adding up edges and usage: what is stored and what is not yet, by fewer columns than they have."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

import numpy as np
from numba import njit
from numpy.typing import NDArray

from swarmscope.model.agents import NO_TEXT
from swarmscope.model.fleet import N_DURATION_BUCKETS, EdgeMeasure, Edges, Usage, UsageMeasure

_EDGE_KEYS = ("source", "target", "type", "source_version", "target_version")
_USAGE_KEYS = ("agent", "agent_version", "team", "provider", "model", "operation", "tool")
USAGE_COLUMNS = frozenset(_USAGE_KEYS)
_NOTHING = {"operation": 0}  # what stands where a column is summed over; NO_TEXT for the others

Number = TypeVar("Number", bound=np.generic)


def sum_edges(parts: Sequence[Edges], *, by_minute: bool) -> Edges:
    """One row for each source, target, type and versions, and minute where told; `minute_ns` is 0 where not."""
    keys = {name: _joined([getattr(part, name) for part in parts], np.uint32) for name in _EDGE_KEYS}
    minutes = _joined([part.minute_ns for part in parts], np.int64)
    minutes = minutes if by_minute else np.zeros_like(minutes)
    order, begins = _groups([minutes, *keys.values()])
    measures = _matrix([part.measures for part in parts], len(EdgeMeasure), np.float64)
    durations = _matrix([part.durations for part in parts], N_DURATION_BUCKETS, np.uint32)
    chosen = order[begins]
    return Edges(
        minute_ns=minutes[chosen],
        source=keys["source"][chosen],
        target=keys["target"][chosen],
        type=keys["type"][chosen].astype(np.uint8),
        source_version=keys["source_version"][chosen],
        target_version=keys["target_version"][chosen],
        measures=_summed(measures, order, begins),
        durations=_summed(durations, order, begins),
    )


def sum_usage(parts: Sequence[Usage], by: Sequence[str], *, by_minute: bool) -> Usage:
    """Summed over all columns but `by`, and the minute where told. Raises ValueError for a name that is no column."""
    unknown = set(by) - USAGE_COLUMNS
    if unknown:
        raise ValueError(f"no column of usage: {', '.join(sorted(unknown))}")
    columns: dict[str, NDArray[np.uint32]] = {}
    for name in _USAGE_KEYS:
        column = _joined([getattr(part, name) for part in parts], np.uint32)
        columns[name] = column if name in by else np.full_like(column, _NOTHING.get(name, NO_TEXT))
    minutes = _joined([part.minute_ns for part in parts], np.int64)
    minutes = minutes if by_minute else np.zeros_like(minutes)
    order, begins = _groups([minutes, *(columns[name] for name in by)])
    measures = _matrix([part.measures for part in parts], len(UsageMeasure), np.float64)
    chosen = order[begins]
    operation = columns.pop("operation")[chosen].astype(np.uint8)
    taken = {name: column[chosen] for name, column in columns.items()}
    return Usage(minutes[chosen], operation=operation, measures=_summed(measures, order, begins), **taken)


def edges_between(edges: Edges, start_ns: int, end_ns: int) -> Edges:
    """Those whose minute begins in the range."""
    rows = np.flatnonzero((edges.minute_ns >= start_ns) & (edges.minute_ns < end_ns))
    return edges if len(rows) == len(edges) else take_edges(edges, rows)


def take_edges(edges: Edges, rows: NDArray[np.int64]) -> Edges:
    """The rows [n], in that order."""
    return Edges(*(getattr(edges, name)[rows] for name in Edges.__slots__))


def usage_between(usage: Usage, start_ns: int, end_ns: int) -> Usage:
    """That of minutes that begin in the range."""
    rows = np.flatnonzero((usage.minute_ns >= start_ns) & (usage.minute_ns < end_ns))
    return usage if len(rows) == len(usage) else take_usage(usage, rows)


def take_usage(usage: Usage, rows: NDArray[np.int64]) -> Usage:
    """The rows [n], in that order."""
    return Usage(*(getattr(usage, name)[rows] for name in Usage.__slots__))


def _joined(parts: Sequence[NDArray[np.generic]], dtype: type[Number]) -> NDArray[Number]:
    return np.concatenate([np.zeros(0, dtype), *(part.astype(dtype, copy=False) for part in parts)])


def _matrix(parts: Sequence[NDArray[np.generic]], width: int, dtype: type[Number]) -> NDArray[Number]:
    return np.concatenate([np.zeros((0, width), dtype), *parts]).astype(dtype, copy=False)


def _groups(keys: Sequence[NDArray[np.generic]]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """An order [n] of rows in which equal keys are neighbours, and where in it each group begins [n_groups]."""
    order = np.lexsort(keys[::-1])
    if not len(order):
        return order, order
    differs = np.zeros(len(order), np.bool_)
    differs[0] = True
    for key in keys:
        differs[1:] |= key[order][1:] != key[order][:-1]
    return order, np.flatnonzero(differs)


def _summed(rows: NDArray[Number], order: NDArray[np.int64], begins: NDArray[np.int64]) -> NDArray[Number]:
    sums = np.zeros((len(begins), rows.shape[1]), rows.dtype)
    _add_rows(sums, rows, order, begins)
    return sums


@njit(nogil=True, cache=True)
def _add_rows(sums: NDArray[Any], rows: NDArray[Any], order: NDArray[np.int64], begins: NDArray[np.int64]) -> None:
    group = -1
    for place in range(len(order)):
        if group + 1 < len(begins) and begins[group + 1] == place:
            group += 1
        row = order[place]
        for column in range(rows.shape[1]):
            sums[group, column] += rows[row, column]
