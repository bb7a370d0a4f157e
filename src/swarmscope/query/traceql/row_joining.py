"""Rows of several batches as one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from swarmscope.model.attributes import AttributeSets, ValueColumn
from swarmscope.model.labels import Utf8Column
from swarmscope.model.runs_of_entries import joined_offsets
from swarmscope.model.spans import Events, Links, SpanDetails, SpanRows
from swarmscope.query.traceql.values import concatenated_texts

_ARRAYS = (
    "resource",
    "trace_id",
    "start_ns",
    "weight",
    "duration_ns",
    "span_id",
    "parent_id",
    "kind",
    "status",
    "scope",
)
_NUMBERS = ("flags", "dropped_attributes", "dropped_events", "dropped_links", "keep")  # of the details
_TEXTS = ("name", "status_message")


def joined_spans(parts: Sequence[SpanRows]) -> SpanRows:
    """All rows, in the parts' order; all parts are of one request."""
    parts = [part for part in parts if len(part)]
    if len(parts) == 1:
        return parts[0]
    if not parts:
        return no_rows()
    columns: dict[str, Any] = {name: np.concatenate([getattr(part, name) for part in parts]) for name in _ARRAYS}
    columns |= {name: concatenated_texts([getattr(part, name) for part in parts]) for name in _TEXTS}
    attributes = tuple(map(_joined_values, zip(*(part.attributes for part in parts), strict=True)))
    return SpanRows(
        **columns,
        attributes=attributes,
        events=_joined_events([part.events for part in parts]),
        links=_joined_links([part.links for part in parts]),
        details=_joined_details([part.details for part in parts if part.details is not None]),
    )


def no_rows() -> SpanRows:
    """No span, with all columns."""
    empty, none = np.zeros(0, np.int64), Utf8Column.from_strings([])
    ids, bytes_ = np.zeros((0, 8), np.uint8), np.zeros(0, np.uint8)
    return SpanRows(
        empty, np.zeros((0, 16), np.uint8), empty, np.zeros(0, np.float32), empty, ids, ids, bytes_, bytes_, none, none,
        empty,
    )  # fmt: skip


def _joined_values(parts: Sequence[ValueColumn]) -> ValueColumn:
    return ValueColumn(np.concatenate([part.kind for part in parts]), concatenated_texts([part.text for part in parts]))


def _joined_sets(parts: list[AttributeSets]) -> AttributeSets:
    return AttributeSets(
        joined_offsets(part.offsets for part in parts),
        concatenated_texts([part.names for part in parts]),
        _joined_values([part.values for part in parts]),
    )


def _joined_events(parts: list[Events]) -> Events:
    return Events(
        joined_offsets(part.offsets for part in parts),
        np.concatenate([part.ts_ns for part in parts]),
        concatenated_texts([part.name for part in parts]),
        _joined_sets([part.attributes for part in parts]),
        np.concatenate([part.dropped_attributes for part in parts]),
    )


def _joined_links(parts: list[Links]) -> Links:
    return Links(
        joined_offsets(part.offsets for part in parts),
        np.concatenate([part.trace_id for part in parts]),
        np.concatenate([part.span_id for part in parts]),
        concatenated_texts([part.trace_state for part in parts]),
        _joined_sets([part.attributes for part in parts]),
        np.concatenate([part.dropped_attributes for part in parts]),
        np.concatenate([part.flags for part in parts]),
    )


def taken_spans(rows: SpanRows, positions: NDArray[np.int64]) -> SpanRows:
    """The rows at these positions; columns that were not read stay empty."""
    n = len(rows)
    columns: dict[str, Any] = {}
    for name in _ARRAYS + _TEXTS:
        column = getattr(rows, name)
        columns[name] = column if len(column) != n else (
            column.take(positions) if isinstance(column, Utf8Column) else column[positions]
        )  # fmt: skip
    return SpanRows(
        **columns,
        attributes=tuple(column.take(positions) for column in rows.attributes),
        events=rows.events.take(positions) if len(rows.events.offsets) == n + 1 else rows.events,
        links=rows.links.take(positions) if len(rows.links.offsets) == n + 1 else rows.links,
        details=None if rows.details is None else _taken_details(rows.details, positions),
    )


def _joined_details(parts: Sequence[SpanDetails]) -> SpanDetails | None:
    if not parts:
        return None
    columns: dict[str, Any] = {name: np.concatenate([getattr(part, name) for part in parts]) for name in _NUMBERS}
    return SpanDetails(
        **columns,
        trace_state=concatenated_texts([part.trace_state for part in parts]),
        attributes=_joined_sets([part.attributes for part in parts]),
    )


def _taken_details(details: SpanDetails, positions: NDArray[np.int64]) -> SpanDetails:
    columns: dict[str, Any] = {name: getattr(details, name)[positions] for name in _NUMBERS}
    return SpanDetails(
        **columns, trace_state=details.trace_state.take(positions), attributes=details.attributes.take(positions)
    )
