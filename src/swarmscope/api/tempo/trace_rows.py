"""One trace's spans as rows: which of them fit into an answer, and whether some are missing."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from swarmscope.model.attributes import AttributeSets
from swarmscope.model.labels import Utf8Column
from swarmscope.model.spans import SpanRows

# Ids, times, kind, status and the tags in front of them, about; likewise of events, links and attributes.
_SPAN_BYTES, _EVENT_BYTES, _LINK_BYTES, _ATTRIBUTE_BYTES = 80, 16, 36, 8


class FittedRows(NamedTuple):
    """Rows that fit, and how many were left out."""

    rows: SpanRows
    left_out: int


def fitted(rows: SpanRows, max_bytes: int) -> FittedRows:
    """The earliest whole spans that take `max_bytes` as protobuf together, about; 0 for no limit."""
    if not max_bytes:
        return FittedRows(rows, 0)
    order = np.argsort(rows.start_ns, kind="stable")
    total = np.cumsum(_span_bytes(rows)[order])
    n = int(np.searchsorted(total, max_bytes, side="right"))
    if n == len(rows):
        return FittedRows(rows, 0)
    # One span is given in any case: an empty answer would say that there is no trace.
    kept = np.sort(order[: max(n, 1)])
    return FittedRows(taken(rows, kept), len(rows) - len(kept))


def count_orphans(rows: SpanRows) -> int:
    """Spans that name a parent which is not among the rows."""
    own, parent = (_numbers(each) for each in (rows.span_id, rows.parent_id))
    return int(((parent != 0) & ~np.isin(parent, own)).sum())


def taken(rows: SpanRows, positions: NDArray[np.int64]) -> SpanRows:
    """The whole spans at these positions [k]."""
    details = rows.details
    columns = {name: getattr(rows, name)[positions] for name in _PLAIN}
    columns |= {name: getattr(rows, name).take(positions) for name in _NESTED}
    if details is not None:
        kept = {name: getattr(details, name)[positions] for name in _PLAIN_DETAILS}
        kept |= {name: getattr(details, name).take(positions) for name in ("trace_state", "attributes")}
        columns["details"] = replace(details, **kept)
    return replace(rows, **columns)


_PLAIN = (
    "resource", "trace_id", "start_ns", "weight", "duration_ns", "span_id", "parent_id", "kind", "status", "scope",
)  # fmt: skip
_NESTED = ("name", "status_message", "events", "links")
_PLAIN_DETAILS = ("flags", "dropped_attributes", "dropped_events", "dropped_links", "keep")


def _numbers(ids: NDArray[np.uint8]) -> NDArray[np.uint64]:
    return np.ascontiguousarray(ids).view(np.uint64).reshape(len(ids))


def _span_bytes(rows: SpanRows) -> NDArray[np.int64]:
    """What each span [n] takes, about."""
    size = _SPAN_BYTES + rows.name.length + rows.status_message.length
    if rows.details is not None:
        size = size + rows.details.trace_state.length + _set_bytes(rows.details.attributes)
    events, links = rows.events, rows.links
    per_event = _EVENT_BYTES + events.name.length + _set_bytes(events.attributes)
    per_link = _LINK_BYTES + links.trace_state.length + _set_bytes(links.attributes)
    return np.asarray(size + _sums(per_event, events.offsets) + _sums(per_link, links.offsets), np.int64)


def _set_bytes(sets: AttributeSets) -> NDArray[np.int64]:
    return _sums(_ATTRIBUTE_BYTES + _lengths(sets.names) + _lengths(sets.values.text), sets.offsets)


def _lengths(column: Utf8Column) -> NDArray[np.int64]:
    return np.asarray(column.length, np.int64)


def _sums(sizes: NDArray[np.int64], offsets: NDArray[np.int64]) -> NDArray[np.int64]:
    """The sum of each run of entries."""
    total = np.concatenate([np.zeros(1, np.int64), np.cumsum(sizes)])
    return np.asarray(total[offsets[1:]] - total[offsets[:-1]])
