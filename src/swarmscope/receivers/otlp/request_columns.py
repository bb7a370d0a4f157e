"""An export request as columns: its metrics, and the data points of all kinds in one table, each with its wire key.

A point's wire key is a hash over the bytes that name its series: resource, scope, metric name, unit and type, and the
attributes in the order in which they came. So a known series is found without decoding any of them.

Wire format: https://github.com/open-telemetry/opentelemetry-proto (collector.metrics.v1.ExportMetricsServiceRequest).
"""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2

from swarmscope.model.raw_memory import address_of
from swarmscope.receivers.wire.key_hash import combine_hashes, hash_span, to_tuple
from swarmscope.receivers.wire.message_schema import MessageSchema
from swarmscope.receivers.wire.scanner import MessageTable, Scan

_POINT = ("attributes", "start_time_unix_nano", "time_unix_nano", "flags")
SCHEMA = MessageSchema.from_descriptor(
    metrics_service_pb2.ExportMetricsServiceRequest.DESCRIPTOR,
    {
        # Only where they begin and end: their bytes are hashed, and decoded when the series is new.
        "Resource": (),
        "InstrumentationScope": (),
        "KeyValue": (),
        "ResourceMetrics": ("resource", "scope_metrics"),
        "ScopeMetrics": ("scope", "metrics", "schema_url"),
        "Metric": ("name", "description", "unit", "gauge", "sum", "histogram", "exponential_histogram", "summary"),
        "NumberDataPoint": (*_POINT, "as_double", "as_int", "exemplars"),
        "HistogramDataPoint": (*_POINT, "count", "sum", "bucket_counts", "explicit_bounds", "exemplars"),
        "ExponentialHistogramDataPoint": (
            *_POINT, "count", "sum", "scale", "zero_count", "zero_threshold", "positive", "negative", "exemplars",
        ),
        "SummaryDataPoint": (*_POINT, "count", "sum", "quantile_values"),
        "Exemplar": ("time_unix_nano", "as_double", "as_int", "filtered_attributes", "span_id", "trace_id"),
    },
)  # fmt: skip

DELTA, CUMULATIVE = 1, 2  # AggregationTemporality
_NO_RECORDED_VALUE = 1  # DataPointFlags


class DataKind(IntEnum):
    """Which member of `Metric.data` a metric has."""

    NONE = 0
    GAUGE = 1
    SUM = 2
    HISTOGRAM = 3
    EXPONENTIAL_HISTOGRAM = 4
    SUMMARY = 5


# Message of the points, and the (member, message, kind) that may hold them.
_HOLDERS: tuple[tuple[str, tuple[tuple[str, str, DataKind], ...]], ...] = (
    ("NumberDataPoint", (("gauge", "Gauge", DataKind.GAUGE), ("sum", "Sum", DataKind.SUM))),
    ("HistogramDataPoint", (("histogram", "Histogram", DataKind.HISTOGRAM),)),
    (
        "ExponentialHistogramDataPoint",
        (("exponential_histogram", "ExponentialHistogram", DataKind.EXPONENTIAL_HISTOGRAM),),
    ),
    ("SummaryDataPoint", (("summary", "Summary", DataKind.SUMMARY),)),
)
POINT_MESSAGES = tuple(message for message, _ in _HOLDERS)


class MetricColumns(NamedTuple):
    """The request's metrics, one a row of the scan's `Metric` table."""

    kind: NDArray[np.int8]  # [n_metrics] DataKind
    temporality: NDArray[np.int64]  # [n_metrics] 0 where the kind has none
    is_monotonic: NDArray[np.bool_]  # [n_metrics]
    scope_row: NDArray[np.int64]  # [n_metrics] row of ScopeMetrics
    resource_row: NDArray[np.int64]  # [n_metrics] row of ResourceMetrics
    key: NDArray[np.uint64]  # [n_metrics]
    header_key: NDArray[np.uint64]  # [n_metrics] hash of what metadata holds: name, unit, type, description
    resource_key: NDArray[np.uint64]  # [n_resources] by row of ResourceMetrics
    scope_key: NDArray[np.uint64]  # [n_scopes] by row of ScopeMetrics


class PointColumns(NamedTuple):
    """The data points of all kinds, in the order of POINT_MESSAGES; the points of message k are
    `bounds[k] : bounds[k + 1]`."""

    bounds: NDArray[np.int64]  # [5]
    metric: NDArray[np.int64]  # [n_points] row of Metric, -1 where a later member of the oneof displaced the point
    start: NDArray[np.int64]  # [n_points] where the message's bytes begin
    end: NDArray[np.int64]  # [n_points]
    time_ns: NDArray[np.uint64]  # [n_points]
    start_ns: NDArray[np.uint64]  # [n_points] 0: not known
    is_stale: NDArray[np.bool_]  # [n_points] no recorded value
    key: NDArray[np.uint64]  # [n_points]

    def rows_of(self, message: str) -> slice:
        """Where the points of one message type stand."""
        at = POINT_MESSAGES.index(message)
        return slice(int(self.bounds[at]), int(self.bounds[at + 1]))


class _Spans(NamedTuple):
    start: NDArray[np.int64]
    length: NDArray[np.int64]


@njit(nogil=True, cache=True)
def _hash_nested(
    buffer: NDArray[np.uint8], outer: NDArray[np.uint64], first: _Spans, second: _Spans, secrets: NDArray[np.uint64]
) -> NDArray[np.uint64]:
    """Hash of `outer[i]` and two byte ranges."""
    base, words = address_of(buffer), to_tuple(secrets)
    keys = np.empty(len(outer), np.uint64)
    for i in range(len(outer)):
        state = combine_hashes(outer[i], hash_span(base, first.start[i], first.length[i], words), words)
        keys[i] = combine_hashes(state, hash_span(base, second.start[i], second.length[i], words), words)
    return keys


@njit(nogil=True, cache=True)
def _hash_words(keys: NDArray[np.uint64], word: NDArray[np.uint64], secrets: NDArray[np.uint64]) -> NDArray[np.uint64]:
    words = to_tuple(secrets)
    combined = np.empty(len(keys), np.uint64)
    for i in range(len(keys)):
        combined[i] = combine_hashes(keys[i], word[i], words)
    return combined


class _Attributes(NamedTuple):
    """Attributes of points: point p has the KeyValue rows `rows[offsets[p] : offsets[p + 1]]`."""

    offsets: NDArray[np.int64]
    rows: NDArray[np.int64]
    start: NDArray[np.int64]  # of all KeyValue messages
    end: NDArray[np.int64]


@njit(nogil=True, cache=True)
def _hash_points(
    buffer: NDArray[np.uint8],
    metric: NDArray[np.int64],
    metric_key: NDArray[np.uint64],
    attributes: _Attributes,
    secrets: NDArray[np.uint64],
) -> NDArray[np.uint64]:
    base, words = address_of(buffer), to_tuple(secrets)
    keys = np.zeros(len(metric), np.uint64)
    for i in range(len(metric)):
        if metric[i] < 0:
            continue
        state = metric_key[metric[i]]
        for at in range(attributes.offsets[i], attributes.offsets[i + 1]):
            row = attributes.rows[at]
            start = attributes.start[row]
            state = combine_hashes(state, hash_span(base, start, attributes.end[row] - start, words), words)
        keys[i] = state
    return keys


def _spans_of_child(table: MessageTable, name: str, children: MessageTable) -> _Spans:
    """Bytes of a singular message field; nothing where it is absent."""
    rows = table.child(name)
    if not len(children):
        return _Spans(np.zeros(len(table), np.int64), np.zeros(len(table), np.int64))
    start = np.where(rows >= 0, children.start[rows], 0)
    return _Spans(start, np.where(rows >= 0, children.end[rows], 0) - start)


def _spans_of_text(table: MessageTable, name: str) -> _Spans:
    text = table.texts(name)
    return _Spans(np.ascontiguousarray(text.start), np.ascontiguousarray(text.length))


def to_metric_columns(scan: Scan, secrets: NDArray[np.uint64]) -> MetricColumns:
    """The metrics of a scanned request."""
    resources, scopes, metrics = scan.table("ResourceMetrics"), scan.table("ScopeMetrics"), scan.table("Metric")
    n = len(metrics)
    kind, temporality, monotonic = np.zeros(n, np.int8), np.zeros(n, np.int64), np.zeros(n, np.bool_)
    for _, holders in _HOLDERS:
        for member, message, data_kind in holders:
            rows = metrics.child(member)
            mine = np.flatnonzero(rows >= 0)
            kind[mine] = data_kind
            if data_kind not in (DataKind.GAUGE, DataKind.SUMMARY):
                temporality[mine] = scan.table(message).ints("aggregation_temporality")[rows[mine]]
            if data_kind is DataKind.SUM:
                monotonic[mine] = scan.table(message).ints("is_monotonic")[rows[mine]] != 0
    buffer = scan.buffer
    resource = _spans_of_child(resources, "resource", scan.table("Resource"))
    nothing = _Spans(np.zeros(len(resources), np.int64), np.zeros(len(resources), np.int64))
    resource_key = _hash_nested(buffer, np.zeros(len(resources), np.uint64), resource, nothing, secrets)
    scope = _spans_of_child(scopes, "scope", scan.table("InstrumentationScope"))
    scope_key = _hash_nested(buffer, resource_key[scopes.parent], scope, _spans_of_text(scopes, "schema_url"), secrets)
    name, unit = _spans_of_text(metrics, "name"), _spans_of_text(metrics, "unit")
    type_word = (kind.astype(np.uint64) << np.uint64(1)) | monotonic.astype(np.uint64)
    scope_row = np.ascontiguousarray(metrics.parent)
    named = _hash_nested(buffer, scope_key[scope_row], name, unit, secrets)
    described = _hash_nested(buffer, type_word, name, unit, secrets)
    nothing = _Spans(np.zeros(n, np.int64), np.zeros(n, np.int64))
    return MetricColumns(
        kind=kind,
        temporality=temporality,
        is_monotonic=monotonic,
        scope_row=scope_row,
        resource_row=scopes.parent[scope_row],
        key=_hash_words(named, type_word, secrets),
        header_key=_hash_nested(buffer, described, _spans_of_text(metrics, "description"), nothing, secrets),
        resource_key=resource_key,
        scope_key=scope_key,
    )


def _holding_metric(scan: Scan, message: str, holders: tuple[tuple[str, str, DataKind], ...]) -> NDArray[np.int64]:
    """Row of Metric by point; -1 for points of a member that a later one on the wire displaced."""
    points, metrics = scan.table(message), scan.table("Metric")
    metric = np.full(len(points), -1, np.int64)
    for member, holder, _ in holders:
        mine = np.flatnonzero(points.edge == SCHEMA.field(holder, "data_points").slot)
        if not len(mine):
            continue
        holder_rows = points.parent[mine]
        owner = scan.table(holder).parent[holder_rows]
        metric[mine] = np.where(metrics.child(member)[owner] == holder_rows, owner, -1)
    return metric


def to_point_columns(scan: Scan, metrics: MetricColumns, secrets: NDArray[np.uint64]) -> PointColumns:
    """The data points of a scanned request, those of displaced members included (`metric` is -1)."""
    pairs = scan.table("KeyValue")
    pair_start, pair_end = np.ascontiguousarray(pairs.start), np.ascontiguousarray(pairs.end)
    parts: list[tuple[NDArray[np.int64], ...]] = []
    keys: list[NDArray[np.uint64]] = []
    for message, holders in _HOLDERS:
        table = scan.table(message)
        metric = _holding_metric(scan, message, holders)
        if len(table):
            children = scan.children(message, "attributes")
            attributes = _Attributes(children.offsets, children.rows, pair_start, pair_end)
            keys.append(_hash_points(scan.buffer, metric, metrics.key, attributes, secrets))
        parts.append(
            (metric, table.start, table.end, table.ints("time_unix_nano"), table.ints("start_time_unix_nano"),
             table.ints("flags") & _NO_RECORDED_VALUE)
        )  # fmt: skip
    metric, start, end, time, start_time, stale = (np.concatenate(columns) for columns in zip(*parts, strict=True))
    return PointColumns(
        bounds=np.cumsum([0, *(len(part[0]) for part in parts)]).astype(np.int64),
        metric=metric,
        start=start,
        end=end,
        time_ns=time.view(np.uint64),
        start_ns=start_time.view(np.uint64),
        is_stale=stale != 0,
        key=np.concatenate(keys) if keys else np.zeros(0, np.uint64),
    )
