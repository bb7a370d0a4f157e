"""Tempo's answers as protobuf: https://github.com/grafana/tempo/blob/main/pkg/tempopb/tempo.proto.

An answer is made once, as the JSON that protobuf's mapping gives it, and read into its message where that is wanted.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from google.protobuf import json_format

from swarmscope.api.message_classes import Messages, declare_messages

_MESSAGES: Messages = {
    # opentelemetry.proto.common.v1: what results of queries have of it.
    "AnyValue": (
        (1, "string_value", "string", False), (2, "bool_value", "bool", False), (3, "int_value", "int64", False),
        (4, "double_value", "double", False),
    ),
    "KeyValue": ((1, "key", "string", False), (2, "value", "AnyValue", False)),
    # The trace is a message whose bytes are made elsewhere.
    "TraceByIDResponse": (
        (1, "trace", "bytes", False), (3, "status", "enum", False), (4, "message", "string", False),
    ),
    "SearchResponse": ((1, "traces", "TraceSearchMetadata", True), (2, "metrics", "SearchMetrics", False)),
    "TraceSearchMetadata": (
        (1, "traceID", "string", False), (2, "rootServiceName", "string", False),
        (3, "rootTraceName", "string", False), (4, "startTimeUnixNano", "uint64", False),
        (5, "durationMs", "uint32", False), (6, "spanSet", "SpanSet", False), (7, "spanSets", "SpanSet", True),
        (8, "serviceStats", "NamedServiceStats", True),
    ),
    "SpanSet": (
        (1, "spans", "Span", True), (2, "matched", "uint32", False), (3, "attributes", "KeyValue", True),
    ),
    "Span": (
        (1, "spanID", "string", False), (2, "name", "string", False), (3, "startTimeUnixNano", "uint64", False),
        (4, "durationNanos", "uint64", False), (5, "attributes", "KeyValue", True),
    ),
    # An entry of the map serviceStats is a message of its key and its value.
    "NamedServiceStats": ((1, "key", "string", False), (2, "value", "ServiceStats", False)),
    "ServiceStats": ((1, "spanCount", "uint32", False), (2, "errorCount", "uint32", False)),
    "SearchMetrics": ((1, "inspectedTraces", "uint32", False), (2, "inspectedBytes", "uint64", False)),
    "SearchTagsResponse": ((1, "tagNames", "string", True),),
    "SearchTagsV2Response": ((1, "scopes", "SearchTagsV2Scope", True),),
    "SearchTagsV2Scope": ((1, "name", "string", False), (2, "tags", "string", True)),
    "SearchTagValuesResponse": ((1, "tagValues", "string", True),),
    "SearchTagValuesV2Response": ((1, "tagValues", "TagValue", True),),
    "TagValue": ((1, "type", "string", False), (2, "value", "string", False)),
    "QueryRangeResponse": ((1, "series", "TimeSeries", True), (2, "metrics", "SearchMetrics", False)),
    "TimeSeries": (
        (1, "labels", "KeyValue", True), (2, "samples", "Sample", True), (3, "promLabels", "string", False),
        (4, "exemplars", "Exemplar", True),
    ),
    "Sample": ((1, "value", "double", False), (2, "timestampMs", "int64", False)),
    "Exemplar": (
        (1, "labels", "KeyValue", True), (2, "value", "double", False), (3, "timestampMs", "int64", False),
    ),
    "QueryInstantResponse": ((1, "series", "InstantSeries", True), (2, "metrics", "SearchMetrics", False)),
    "InstantSeries": (
        (1, "labels", "KeyValue", True), (2, "value", "double", False), (3, "promLabels", "string", False),
    ),
    "SpanMetricsSummaryResponse": ((1, "summaries", "SpanMetricsSummary", True),),
    "SpanMetricsSummary": (
        (1, "spanCount", "uint64", False), (2, "errorSpanCount", "uint64", False),
        (3, "series", "SummaryLabel", True), (4, "p99", "uint64", False), (5, "p95", "uint64", False),
        (6, "p90", "uint64", False), (7, "p50", "uint64", False),
    ),
    "SummaryLabel": ((1, "key", "string", False), (2, "value", "TraceQLStatic", False)),
    "TraceQLStatic": (
        (1, "type", "int32", False), (2, "n", "int64", False), (3, "f", "double", False), (4, "s", "string", False),
        (5, "b", "bool", False), (6, "d", "uint64", False), (7, "status", "int32", False),
        (8, "kind", "int32", False),
    ),
}  # fmt: skip
_ONE_OF = dict.fromkeys(("string_value", "bool_value", "int_value", "double_value"), "value")


@cache
def message_class(name: str) -> Any:
    """The class of one message."""
    return declare_messages("tempo", _MESSAGES, _ONE_OF)[name]


def to_message_bytes(name: str, found: dict[str, Any]) -> bytes:
    """An answer in JSON's form as the bytes of its message. # Slow path: clients read JSON"""
    for trace in found.get("traces", ()):
        if "serviceStats" in trace:
            trace["serviceStats"] = [{"key": key, "value": value} for key, value in trace["serviceStats"].items()]
    encoded: bytes = json_format.ParseDict(found, message_class(name)()).SerializeToString()
    return encoded
