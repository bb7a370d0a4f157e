"""Metric families as delimited protobuf, the one exposition format that native histograms have.

Source of the messages: prometheus/client_model, io/prometheus/client/metrics.proto; each family stands behind its
length as an unsigned varint.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from swarmscope.api.message_classes import Messages, declare_messages
from swarmscope.api.remote_read.histogram_spans import HistogramRow
from swarmscope.model.uvarint import to_uvarint

MESSAGE_TYPE = "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited"
# MetricType
UNTYPED, HISTOGRAM, GAUGE_HISTOGRAM = 3, 4, 5

_MESSAGES: Messages = {
    "LabelPair": ((1, "name", "string", False), (2, "value", "string", False)),
    "Untyped": ((1, "value", "double", False),),
    "BucketSpan": ((1, "offset", "sint32", False), (2, "length", "uint32", False)),
    "Histogram": (
        (2, "sample_sum", "double", False),
        (4, "sample_count_float", "double", False),
        (5, "schema", "sint32", False),
        (6, "zero_threshold", "double", False),
        (8, "zero_count_float", "double", False),
        (9, "negative_span", "BucketSpan", True),
        (11, "negative_count", "double", True),
        (12, "positive_span", "BucketSpan", True),
        (14, "positive_count", "double", True),
    ),
    "Metric": (
        (1, "label", "LabelPair", True),
        (5, "untyped", "Untyped", False),
        (6, "timestamp_ms", "int64", False),
        (7, "histogram", "Histogram", False),
    ),
    "MetricFamily": ((1, "name", "string", False), (3, "type", "enum", False), (4, "metric", "Metric", True)),
}
_CLASSES = declare_messages("families", _MESSAGES, {})


def takes_messages(accept: str) -> bool:
    """Whether the client prefers delimited protobuf to text: which of the two its Accept header gives more weight.

    Of equal weights the one that stands first wins, as in Prometheus' own negotiation.
    """
    best_weight, messages = 0.0, False
    for offer in accept.split(","):
        kind, *parameters = (part.strip() for part in offer.lower().split(";"))
        given = dict(part.partition("=")[::2] for part in parameters)
        wanted = (
            kind == "application/vnd.google.protobuf"
            and given.get("proto") == "io.prometheus.client.metricfamily"
            and given.get("encoding", "delimited") == "delimited"
        )
        if not wanted and kind not in ("text/plain", "text/*", "*/*"):
            continue
        try:
            weight = float(given.get("q", "1"))
        except ValueError:
            continue
        if weight > best_weight:
            best_weight, messages = weight, wanted
    return messages


def untyped_metric(labels: Mapping[str, str], ts_ms: int, value: float) -> Any:
    """A float sample of a series."""
    return _CLASSES["Metric"](label=_pairs(labels), untyped={"value": value}, timestamp_ms=ts_ms)


def histogram_metric(labels: Mapping[str, str], row: HistogramRow) -> Any:
    """A native histogram of a series, its populations as floats whatever they were, as federation has it."""
    histogram = {
        "sample_count_float": row.observations,
        "sample_sum": row.total,
        "schema": row.schema,
        "zero_threshold": row.zero_threshold,
        "zero_count_float": row.zero_count,
        "positive_span": [{"offset": offset, "length": length} for offset, length in row.positive_spans],
        "positive_count": row.positive_counts,
        "negative_span": [{"offset": offset, "length": length} for offset, length in row.negative_spans],
        "negative_count": row.negative_counts,
    }
    return _CLASSES["Metric"](label=_pairs(labels), histogram=histogram, timestamp_ms=row.ts_ms)


def delimited_family(name: str, kind: int, metrics: Sequence[Any]) -> bytes:
    """All metrics of one name and type."""
    message: bytes = _CLASSES["MetricFamily"](name=name, type=kind, metric=metrics).SerializeToString()
    return to_uvarint(len(message)) + message


def _pairs(labels: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"name": name, "value": value} for name, value in sorted(labels.items())]
