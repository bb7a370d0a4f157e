"""What the modules of brain states were doing over a stretch of time, out of the spans that tell of them."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from swarmscope.model.attributes import NUMBER_BYTES, ValueColumn, ValueKind
from swarmscope.model.contracts import ReadBudget, SpanReader
from swarmscope.model.spans import (
    AttributeKey,
    AttributeScope,
    Comparison,
    Condition,
    SpanColumns,
    SpanRequest,
    SpanRows,
)

# As `sdk.trace_consciousness_emergence` names them.
_NAME, _ACTIVITY = "module.name", "module.activity"
_MAX_MODULES = 64


class BrainWindow(NamedTuple):
    """One row a brain state, in order of time."""

    names: tuple[str, ...]
    """Modules, ascending."""
    time_ns: NDArray[np.int64]
    """[n_states]"""
    levels: NDArray[np.float64]
    """[n_states, n_modules] the activity that a state tells of each module."""

    @property
    def bin_ns(self) -> int:
        """The usual time from one state to the next."""
        steps = np.diff(self.time_ns)
        return max(int(np.median(steps)), 1) if len(steps) else 1

    def of_modules(self, names: tuple[str, ...]) -> BrainWindow:
        """Some of the modules."""
        return self._replace(names=names, levels=self.levels[:, [self.names.index(name) for name in names]])


class _Unhurried:
    """A `Cancellation` that never ends anything: what is read is bounded."""

    remaining_s = math.inf

    def check(self) -> None:
        """Nothing ends it."""


class BrainSource:
    """Reads brain states out of stored spans."""

    def __init__(self, reader: SpanReader) -> None:
        self._reader = reader

    def brain_window(self, tenant: str, range_ns: tuple[int, int], max_spans: int) -> BrainWindow:
        """The states that tell of all modules which any of them tells of. Raises LimitExceededError for too many."""
        condition = Condition(AttributeKey(AttributeScope.SPAN, _ACTIVITY), Comparison.PRESENT)
        request = SpanRequest(
            *range_ns, SpanColumns(trace_id=False, ids=True), attributes=(_NAME, _ACTIVITY), conditions=(condition,)
        )
        parts = list(self._reader.scan_spans(tenant, request, ReadBudget(_Unhurried(), max_spans)))
        return _to_window([_told(rows) for rows in parts if len(rows)])


class _Told(NamedTuple):
    names: list[str]
    state: list[bytes]  # the span above
    time_ns: NDArray[np.int64]
    level: NDArray[np.float64]


def _told(rows: SpanRows) -> _Told:
    name, activity = rows.attributes
    level = _numbers(activity)
    kept = np.flatnonzero((name.kind == ValueKind.STRING) & np.isfinite(level))
    return _Told(
        [name.text.text(row) for row in kept.tolist()],
        [rows.parent_id[row].tobytes() for row in kept.tolist()],
        rows.start_ns[kept],
        level[kept],
    )


def _numbers(column: ValueColumn) -> NDArray[np.float64]:
    """Values [n]; nan for what is no number."""
    found = np.full(len(column), np.nan)
    for kind, spelled in ((ValueKind.INT, "<i8"), (ValueKind.DOUBLE, "<f8")):
        rows = np.flatnonzero(column.kind == kind)
        places = column.text.start[rows][:, np.newaxis] + np.arange(NUMBER_BYTES)
        found[rows] = np.ascontiguousarray(column.text.buffer[places]).view(spelled)[:, 0] if len(rows) else 0.0
    return found


def _to_window(parts: list[_Told]) -> BrainWindow:
    names = sorted({name for part in parts for name in part.names})[:_MAX_MODULES]
    states = list(dict.fromkeys(state for part in parts for state in part.state))
    column = {name: at for at, name in enumerate(names)}
    row = {state: at for at, state in enumerate(states)}
    levels = np.full((len(states), len(names)), np.nan)
    time_ns = np.full(len(states), np.iinfo(np.int64).max)
    for part in parts:
        at = np.array([row[state] for state in part.state], np.int64)
        np.minimum.at(time_ns, at, part.time_ns)
        module = np.array([column.get(name, -1) for name in part.names], np.int64)
        known = module >= 0
        levels[at[known], module[known]] = part.level[known]
    whole = np.flatnonzero(np.isfinite(levels).all(axis=1)) if names else np.zeros(0, np.int64)
    order = whole[np.argsort(time_ns[whole], kind="stable")]
    return BrainWindow(tuple(names), time_ns[order], levels[order])
