"""Edges and usage as rows of `recent_minutes`, and back."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from swarmscope.model.agents import NO_TEXT
from swarmscope.model.fleet import Edges, Usage
from swarmscope.store.embedded.fleet.recent_minutes import MinuteRows, RecentMinutes

EDGE_NAMES = ("source", "target", "source_version", "target_version")
USAGE_NAMES = ("agent", "agent_version", "team", "provider", "model", "tool")


def edges_to_rows(edges: Edges, memory: RecentMinutes) -> MinuteRows:
    """Rows [n], numbered by the memory."""
    codes = np.stack([*(getattr(edges, name) for name in EDGE_NAMES), edges.type.astype(np.uint32)], axis=1)
    row, bucket = np.nonzero(edges.durations)
    return MinuteRows(
        edges.minute_ns,
        memory.number(codes),
        edges.measures,
        row,
        bucket.astype(np.uint8),
        edges.durations[row, bucket],
    )


def rows_to_edges(rows: MinuteRows, durations: NDArray[np.uint32], keys: NDArray[np.uint32]) -> Edges:
    """Edges [n] out of rows whose keys are numbers of `keys`."""
    codes = keys[rows.key]
    names = {name: codes[:, column].copy() for column, name in enumerate(EDGE_NAMES)}
    return Edges(
        minute_ns=rows.minute_ns,
        type=codes[:, -1].astype(np.uint8),
        measures=rows.measures,
        durations=durations,
        **names,
    )


def usage_to_rows(usage: Usage, memory: RecentMinutes) -> MinuteRows:
    """Rows [n], numbered by the memory."""
    codes = np.stack([*(getattr(usage, name) for name in USAGE_NAMES), usage.operation.astype(np.uint32)], axis=1)
    nothing = np.zeros(0, np.int64)
    return MinuteRows(
        usage.minute_ns, memory.number(codes), usage.measures, nothing, nothing.astype(np.uint8),
        nothing.astype(np.uint32),
    )  # fmt: skip


def rows_to_usage(rows: MinuteRows, keys: NDArray[np.uint32]) -> Usage:
    """Usage [n] out of rows whose keys are numbers of `keys`."""
    codes = keys[rows.key]
    names = {name: codes[:, column].copy() for column, name in enumerate(USAGE_NAMES)}
    return Usage(minute_ns=rows.minute_ns, operation=codes[:, -1].astype(np.uint8), measures=rows.measures, **names)


def narrowed(keys: NDArray[np.uint32], by: tuple[str, ...]) -> NDArray[np.uint32]:
    """Codes [n_numbers, n_codes] of usage in which the columns that are not asked for say nothing."""
    codes = keys.copy()
    for column, name in enumerate((*USAGE_NAMES, "operation")):
        if name not in by:
            codes[:, column] = 0 if name == "operation" else NO_TEXT
    return codes
