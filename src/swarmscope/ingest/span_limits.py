"""Which of a batch's spans may come in: how large they are, and how much hangs on them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from swarmscope.model.attributes import AttributeSets
from swarmscope.model.spans import SpanBatch


@dataclass(frozen=True, slots=True)
class SpanLimits:
    """Limits of one tenant; 0 means no limit."""

    max_span_bytes: int = 0  # names, values and texts of a span, its events and links
    max_attributes: int = 0  # of the span itself
    max_attribute_name_bytes: int = 0  # of the span itself
    max_events: int = 0
    max_links: int = 0
    max_resource_attributes: int = 0
    max_bytes_per_second: int = 0


# The order is that of the checks: the first that fails counts.
CHECKED = (
    "max_attributes",
    "max_attribute_name_bytes",
    "max_events",
    "max_links",
    "max_resource_attributes",
    "max_span_bytes",
)


def measure(batch: SpanBatch, field: str) -> NDArray[np.int64]:
    """What the limit `field` compares, by span [n]."""
    match field:
        case "max_attributes":
            return np.diff(batch.attributes.offsets)
        case "max_attribute_name_bytes":
            return _largest(batch.attributes.names.length, batch.attributes.offsets)
        case "max_events":
            return np.diff(batch.events.offsets)
        case "max_links":
            return np.diff(batch.links.offsets)
        case "max_resource_attributes":
            return np.diff(batch.resources.attributes.offsets)[batch.resource]
        case "max_span_bytes":
            return span_bytes(batch)
    raise ValueError(f"no limit of spans is called {field}")


def span_bytes(batch: SpanBatch) -> NDArray[np.int64]:
    """Bytes [n] of all texts of each span."""
    total = batch.name.length + batch.status_message.length + batch.trace_state.length
    total = total + _set_bytes(batch.attributes)
    if len(batch.events.ts_ns):
        of_events = batch.events.name.length + _set_bytes(batch.events.attributes)
        total = total + _sums(of_events, batch.events.offsets)
    if len(batch.links.flags):
        of_links = batch.links.trace_state.length + _set_bytes(batch.links.attributes)
        total = total + _sums(of_links, batch.links.offsets)
    return total


def _set_bytes(sets: AttributeSets) -> NDArray[np.int64]:
    return _sums(sets.names.length + sets.values.text.length, sets.offsets)


def _sums(values: NDArray[np.int64], offsets: NDArray[np.int64]) -> NDArray[np.int64]:
    """The sum of each run of entries."""
    total = np.zeros(len(values) + 1, np.int64)
    np.cumsum(values, out=total[1:])
    return total[offsets[1:]] - total[offsets[:-1]]


def _largest(values: NDArray[np.int64], offsets: NDArray[np.int64]) -> NDArray[np.int64]:
    """The largest of each run of entries, 0 for an empty one."""
    largest = np.zeros(len(offsets) - 1, np.int64)
    filled = np.flatnonzero(np.diff(offsets))
    if len(filled):
        # Empty runs left out, each run ends where the next one begins.
        largest[filled] = np.maximum.reduceat(values[: offsets[-1]], offsets[filled])
    return largest
