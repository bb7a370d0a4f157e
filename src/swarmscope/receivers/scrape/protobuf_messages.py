"""Prometheus' protobuf exposition messages, declared here and built at import; no generated code.

Field numbers: io/prometheus/client/metrics.proto of https://github.com/prometheus/client_model (proto2).
"""

from __future__ import annotations

from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory, timestamp_pb2

_PACKAGE = "swarmscope.exposition"
_Proto = descriptor_pb2.FieldDescriptorProto
_SCALARS = {
    "double": _Proto.TYPE_DOUBLE,
    "int64": _Proto.TYPE_INT64,
    "uint64": _Proto.TYPE_UINT64,
    "uint32": _Proto.TYPE_UINT32,
    "int32": _Proto.TYPE_INT32,
    "sint32": _Proto.TYPE_SINT32,
    "sint64": _Proto.TYPE_SINT64,
    "bytes": _Proto.TYPE_BYTES,
}
# message -> {number: "name type"}; "*" repeats; strings are bytes here, so that bad UTF-8 is reported by our own words.
_MESSAGES: dict[str, dict[int, str]] = {
    "LabelPair": {1: "name bytes", 2: "value bytes"},
    "Gauge": {1: "value double"},
    "Exemplar": {1: "label *LabelPair", 2: "value double", 3: "timestamp Timestamp"},
    "Counter": {1: "value double", 2: "exemplar Exemplar", 3: "created_timestamp Timestamp"},
    "Quantile": {1: "quantile double", 2: "value double"},
    "Summary": {
        1: "sample_count uint64", 2: "sample_sum double", 3: "quantile *Quantile", 4: "created_timestamp Timestamp",
    },
    "Untyped": {1: "value double"},
    "Bucket": {
        1: "cumulative_count uint64", 2: "upper_bound double", 3: "exemplar Exemplar",
        4: "cumulative_count_float double",
    },
    "BucketSpan": {1: "offset sint32", 2: "length uint32"},
    "Histogram": {
        1: "sample_count uint64", 2: "sample_sum double", 3: "bucket *Bucket", 4: "sample_count_float double",
        5: "schema sint32", 6: "zero_threshold double", 7: "zero_count uint64", 8: "zero_count_float double",
        9: "negative_span *BucketSpan", 10: "negative_delta *sint64", 11: "negative_count *double",
        12: "positive_span *BucketSpan", 13: "positive_delta *sint64", 14: "positive_count *double",
        15: "created_timestamp Timestamp", 16: "exemplars *Exemplar",
    },
    "Metric": {
        1: "label *LabelPair", 2: "gauge Gauge", 3: "counter Counter", 4: "summary Summary", 5: "untyped Untyped",
        6: "timestamp_ms int64", 7: "histogram Histogram",
    },
    "MetricFamily": {1: "name bytes", 2: "help bytes", 3: "type int32", 4: "metric *Metric", 5: "unit bytes"},
}  # fmt: skip


def _field(message: Any, number: int, text: str) -> None:
    name, kind = text.split(" ")
    field = message.field.add(name=name, number=number, label=_Proto.LABEL_OPTIONAL)
    if kind.startswith("*"):
        field.label, kind = _Proto.LABEL_REPEATED, kind[1:]
    if kind in _SCALARS:
        field.type = _SCALARS[kind]
        return
    field.type = _Proto.TYPE_MESSAGE
    field.type_name = ".google.protobuf.Timestamp" if kind == "Timestamp" else f".{_PACKAGE}.{kind}"


def _build() -> Any:
    file = descriptor_pb2.FileDescriptorProto(name="swarmscope/exposition.proto", package=_PACKAGE, syntax="proto2")
    file.dependency.append(timestamp_pb2.DESCRIPTOR.name)
    for name, fields in _MESSAGES.items():
        message = file.message_type.add(name=name)
        for number, text in fields.items():
            _field(message, number, text)
    pool = descriptor_pool.Default()
    pool.AddSerializedFile(file.SerializeToString())
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{_PACKAGE}.MetricFamily"))


MetricFamily: Any = _build()
KINDS = ("counter", "gauge", "summary", "unknown", "histogram", "gaugehistogram")
