"""Compile, or load from the cache, every kernel that this receiver uses."""

from __future__ import annotations

from typing import Any

import numpy as np
from opentelemetry.proto.collector.logs.v1 import logs_service_pb2
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2

from swarmscope.receivers.empty_index import EmptyIndex
from swarmscope.receivers.otlp.decode import MetricsDecoder
from swarmscope.receivers.otlp.log_decode import LogsDecoder
from swarmscope.receivers.otlp.settings import OtlpSettings
from swarmscope.receivers.otlp.span_decode import TracesDecoder

_DELTA, _CUMULATIVE = 1, 2
_NOW_NS = 10**18  # late enough that stale totals are looked for


def _to_request() -> bytes:
    """One point of every kind and temporality."""
    request: Any = metrics_service_pb2.ExportMetricsServiceRequest()
    group = request.resource_metrics.add()
    group.resource.attributes.add(key="service.name").value.string_value = "warm-up"
    metrics = group.scope_metrics.add().metrics
    for temporality in (_DELTA, _CUMULATIVE):
        total = metrics.add(name="sum").sum
        total.aggregation_temporality, total.is_monotonic = temporality, True
        point = total.data_points.add(start_time_unix_nano=1_000_000, time_unix_nano=2_000_000, as_int=1)
        point.attributes.add(key="key").value.string_value = "value"
        point.exemplars.add(time_unix_nano=2_000_000, as_double=1.0)
        histogram = metrics.add(name="histogram").histogram
        histogram.aggregation_temporality = temporality
        histogram.data_points.add(
            start_time_unix_nano=1_000_000, time_unix_nano=2_000_000, count=2, sum=1.0,
            bucket_counts=[1, 1], explicit_bounds=[1.0],
        )  # fmt: skip
        exponential = metrics.add(name="exponential").exponential_histogram
        exponential.aggregation_temporality = temporality
        exponential.data_points.add(time_unix_nano=2_000_000, count=1, scale=9).positive.bucket_counts.append(1)
    summary = metrics.add(name="summary").summary.data_points.add(time_unix_nano=2_000_000)
    summary.quantile_values.add(quantile=0.5, value=1.0)
    serialised: bytes = request.SerializeToString()
    return serialised


def to_log_request() -> bytes:
    """Records with every field and every kind of value; one text is not UTF-8."""
    request: Any = logs_service_pb2.ExportLogsServiceRequest()
    group = request.resource_logs.add()
    group.resource.attributes.add(key="service.name").value.string_value = "warm-up"
    group.resource.attributes.add(key="host.name").value.string_value = "warm-up"
    scope = group.scope_logs.add()
    scope.scope.name = "scope"
    record = scope.log_records.add(
        time_unix_nano=1, observed_time_unix_nano=2, severity_number=9, severity_text="INFO", flags=1,
        dropped_attributes_count=1, trace_id=b"\x01" * 16, span_id=b"\x01" * 8, event_name="event",
    )  # fmt: skip
    record.body.string_value = "a line, two of its bytes: \x7f\x7f"
    record.attributes.add(key="key of text").value.string_value = "text value"
    record.attributes.add(key="bool").value.bool_value = True
    record.attributes.add(key="int").value.int_value = 1
    record.attributes.add(key="double").value.double_value = 0.5
    record.attributes.add(key="bytes").value.bytes_value = b"b"
    record.attributes.add(key="map").value.kvlist_value.values.add(key="k").value.string_value = "nested"
    scope.log_records.add().body.int_value = 1
    serialised: bytes = request.SerializeToString()
    return serialised.replace(b"\x7f\x7f", b"\xff\xfe")


def to_span_request() -> bytes:
    """Spans with every field and every kind of value; one text is not UTF-8, one name is repeated."""
    request: Any = trace_service_pb2.ExportTraceServiceRequest()
    group = request.resource_spans.add(schema_url="schema")
    group.resource.attributes.add(key="service.name").value.string_value = "warm-up"
    scope = group.scope_spans.add(schema_url="schema")
    scope.scope.name, scope.scope.version = "scope", "1"
    ids = {"trace_id": b"\x01" * 16, "span_id": b"\x02" * 8}
    span = scope.spans.add(
        **ids, parent_span_id=b"\x03" * 8, trace_state="a=b", name="a span, two bytes: \x7f\x7f", kind=2, flags=1,
        start_time_unix_nano=1, end_time_unix_nano=2, dropped_attributes_count=1, dropped_events_count=1,
        dropped_links_count=1,
    )  # fmt: skip
    span.status.code, span.status.message = 2, "message"
    event, link = span.events.add(name="an event", time_unix_nano=1), span.links.add(**ids, trace_state="c=d", flags=1)
    for holder in (span, event, link):
        holder.attributes.add(key="key of text").value.string_value = "text value"
        holder.attributes.add(key="bool").value.bool_value = True
        holder.attributes.add(key="int").value.int_value = 1
        holder.attributes.add(key="double").value.double_value = 0.5
        holder.attributes.add(key="bytes").value.bytes_value = b"b"
        holder.attributes.add(key="array").value.array_value.values.add().int_value = 1
        nested = holder.attributes.add(key="map").value.kvlist_value.values.add(key="nested key")
        nested.value.string_value = "nested text"
        holder.attributes.add(key="empty")
        holder.attributes.add(key="int").value.int_value = 2
    scope.spans.add(**ids)
    serialised: bytes = request.SerializeToString()
    return serialised.replace(b"\x7f\x7f", b"\xff\xfe")


def warm_up() -> None:
    """Decode one small request with either treatment of histograms, one of logs and one of spans."""
    body = np.frombuffer(_to_request(), np.uint8)
    for as_native in (False, True):
        settings = OtlpSettings(convert_histograms_to_nhcb=as_native, zero_sample_at_start=True)
        decoder = MetricsDecoder(settings, EmptyIndex(), lambda: _NOW_NS)
        decoded = decoder.decode(body, "warm-up")
        decoder.take_back(decoded)
    logs = LogsDecoder(OtlpSettings(), EmptyIndex(), lambda: _NOW_NS)
    logs.decode(np.frombuffer(to_log_request(), np.uint8), "warm-up")
    TracesDecoder().decode(np.frombuffer(to_span_request(), np.uint8), "warm-up")
