"""Calls, durations and bytes of spans by service, name, kind and status.

Names and labels are those of Tempo's metrics-generator:
https://grafana.com/docs/tempo/latest/metrics-from-traces/span-metrics/span-metrics-metrics-generator/
"""

from __future__ import annotations

import re

import numpy as np
from numba import njit
from numpy.typing import NDArray

from swarmscope.ingest.derivation.derivation_settings import SpanMetricsSettings
from swarmscope.ingest.derivation.derived_table import DerivedTable, Family, Labels
from swarmscope.ingest.derivation.duration_histograms import Durations
from swarmscope.model.attributes import ValueColumn, ValueKind
from swarmscope.model.byte_hash import hash_bytes, mix
from swarmscope.model.interned_rows import OVERFLOW_ROW
from swarmscope.model.labels import Utf8Column
from swarmscope.model.raw_memory import address_of
from swarmscope.model.spans import SpanBatch, SpanKind, SpanStatus

SERVICE_NAME = "service.name"
_INTRINSIC = frozenset({"service", "span_name", "span_kind", "status_code", "status_message"})
_CALLS = Family("traces_spanmetrics_calls_total", "Total count of the span")
_SIZE = Family("traces_spanmetrics_size_total", "Total size of spans ingested", "bytes")
_LATENCY = Family("traces_spanmetrics_latency", "Duration of the span", "seconds")
# Ids, times, kind and status of a span on the wire.
_FIXED_BYTES = 64
_NS_PER_MS = 1_000_000


class SpanOperations:
    """One tenant's span metrics. Not thread-safe."""

    def __init__(self, settings: SpanMetricsSettings, seed: int) -> None:
        self._settings = settings
        self._seed = np.uint64(seed)
        self._dimensions = tuple((name, to_label_name(name)) for name in settings.dimensions)
        self.table = DerivedTable((_CALLS, _SIZE), (_LATENCY,), settings.bounds_s, settings.max_operations, seed)

    def observe(self, batch: SpanBatch, now_ms: int) -> int:
        """Count the batch's spans; how many found no room and count as overflow."""
        dimensions = [_either(batch, name) for name, _ in self._dimensions]
        services = batch.resources.attributes.column(SERVICE_NAME).take(batch.resource)
        keys = np.full(len(batch), self._seed)
        _fold(keys, services.kind, *_parts(services.text))
        _fold(keys, batch.kind * np.uint8(8) + batch.status, *_parts(batch.name))
        if self._settings.status_message:
            _fold(keys, batch.status, *_parts(batch.status_message))
        for column in dimensions:
            _fold(keys, column.kind, *_parts(column.text))

        def labels_of(row: int) -> Labels:
            return self._labels(batch, services, dimensions, row)

        rows = self.table.rows_of(keys, labels_of, now_ms)
        self.table.add(0, rows, np.ones(len(rows)))
        self.table.add(1, rows, _sizes(batch))
        self.table.histograms[0].observe(durations_of(batch, rows))
        return int(np.count_nonzero(rows == OVERFLOW_ROW))

    def _labels(self, batch: SpanBatch, services: ValueColumn, dimensions: list[ValueColumn], row: int) -> Labels:
        labels = {
            "service": label_text(services, row),
            "span_name": batch.name.text(row),
            "span_kind": f"SPAN_KIND_{_member_name(SpanKind, int(batch.kind[row]))}",
            "status_code": f"STATUS_CODE_{_member_name(SpanStatus, int(batch.status[row]))}",
        }
        if self._settings.status_message:
            labels["status_message"] = batch.status_message.text(row)
        for (_, label), column in zip(self._dimensions, dimensions, strict=True):
            labels[label] = label_text(column, row)
        return tuple(sorted((name, value) for name, value in labels.items() if value))


def to_label_name(attribute: str) -> str:
    """The label of a dimension: what Prometheus does not allow is `_`, what collides has `__` before it."""
    name = re.sub(r"[^a-zA-Z0-9_]", "_", attribute)
    if name in _INTRINSIC:
        return "__" + name
    return "_" + name if name[:1].isdigit() else name


def label_text(column: ValueColumn, row: int) -> str:
    """A value as a label has it; "" for none, and for arrays and maps."""
    value = column.scalar(row)
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None or isinstance(value, bytes) else str(value)


def durations_of(batch: SpanBatch, rows: NDArray[np.int64]) -> Durations:
    """All spans of a batch for a histogram."""
    trace = np.ascontiguousarray(batch.trace_id).view(np.uint64)
    span = np.ascontiguousarray(batch.span_id).view(np.uint64)[:, 0]
    return Durations(rows, batch.end_ns - batch.start_ns, batch.end_ns // _NS_PER_MS, trace, span)


def _member_name(members: type[SpanKind] | type[SpanStatus], number: int) -> str:
    return members(number).name if number in members.__members__.values() else str(members(0).name)


def _either(batch: SpanBatch, name: str) -> ValueColumn:
    """The span's own attribute, or its resource's where it has none."""
    own = batch.attributes.column(name)
    other = batch.resources.attributes.column(name).take(batch.resource)
    there = own.kind != ValueKind.ABSENT
    if there.all() or not (other.kind != ValueKind.ABSENT).any():
        return own
    buffer = np.concatenate([own.text.buffer, other.text.buffer])
    start = np.where(there, own.text.start, other.text.start + len(own.text.buffer))
    text = Utf8Column(buffer, start, np.where(there, own.text.length, other.text.length))
    return ValueColumn(np.where(there, own.kind, other.kind), text)


def _parts(text: Utf8Column) -> tuple[NDArray[np.uint8], NDArray[np.int64], NDArray[np.int64]]:
    return text.buffer, text.start, text.length


@njit(nogil=True, cache=True)
def _fold(
    keys: NDArray[np.uint64],
    kind: NDArray[np.uint8],
    buffer: NDArray[np.uint8],
    start: NDArray[np.int64],
    length: NDArray[np.int64],
) -> None:
    """Fold a small number and a text into each hash."""
    base = address_of(buffer)
    for i in range(len(keys)):
        keys[i] = mix(hash_bytes(base + start[i], length[i], keys[i]), kind[i])


def _sizes(batch: SpanBatch) -> NDArray[np.float64]:
    """About what each span [n] takes on the wire: its texts and attributes, events and links aside."""
    pairs = batch.attributes.names.length + batch.attributes.values.text.length
    total = np.concatenate([np.zeros(1, np.int64), np.cumsum(pairs)])
    offsets = batch.attributes.offsets
    attributes = total[offsets[1:]] - total[offsets[:-1]]
    own = batch.name.length + batch.status_message.length + batch.trace_state.length
    sizes: NDArray[np.float64] = (attributes + own + _FIXED_BYTES).astype(np.float64)
    return sizes
