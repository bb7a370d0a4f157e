"""The messages of Prometheus remote write, as protobuf descriptors made from the published field numbers.

Sources: https://prometheus.io/docs/specs/prw/remote_write_spec/ (1.0, with the histograms, exemplars and metadata that
Prometheus adds) and https://prometheus.io/docs/specs/prw/remote_write_spec_2_0/ (2.0-rc.4; `created_timestamp` is where
earlier candidates had it). The scanner's schemas derive from these, and so do the tests' message classes.
"""

from __future__ import annotations

from google.protobuf import descriptor_pool, message_factory
from google.protobuf.descriptor import Descriptor
from google.protobuf.message import Message

from swarmscope.receivers.wire.declared_messages import describe_messages
from swarmscope.receivers.wire.message_schema import MessageSchema

V1 = "prometheus.WriteRequest"
V2 = "io.prometheus.write.v2.Request"

_SPAN = "offset sint32 1; length uint32 2"
_HISTOGRAM = (
    "count_int uint64/count 1; count_float double/count 2; sum double 3; schema sint32 4; zero_threshold double 5;"
    "zero_count_int uint64/zero_count 6; zero_count_float double/zero_count 7;"
    "negative_spans *BucketSpan 8; negative_deltas *sint64 9; negative_counts *double 10;"
    "positive_spans *BucketSpan 11; positive_deltas *sint64 12; positive_counts *double 13;"
    "reset_hint int32 14; timestamp int64 15; custom_values *double 16"
)
_V1_MESSAGES = {
    "Label": "name string 1; value string 2",
    "Sample": "value double 1; timestamp int64 2",
    "Exemplar": "labels *Label 1; value double 2; timestamp int64 3",
    "BucketSpan": _SPAN,
    "Histogram": _HISTOGRAM,
    "TimeSeries": "labels *Label 1; samples *Sample 2; exemplars *Exemplar 3; histograms *Histogram 4",
    "MetricMetadata": "type int32 1; metric_family_name string 2; help string 4; unit string 5",
    "WriteRequest": "timeseries *TimeSeries 1; metadata *MetricMetadata 3",
}
_V2_MESSAGES = {
    "Sample": "value double 1; timestamp int64 2; start_timestamp int64 3",
    "Exemplar": "labels_refs *uint32 1; value double 2; timestamp int64 3",
    "Metadata": "type int32 1; help_ref uint32 3; unit_ref uint32 4",
    "BucketSpan": _SPAN,
    "Histogram": _HISTOGRAM + "; start_timestamp int64 17",
    "TimeSeries": (
        "labels_refs *uint32 1; samples *Sample 2; histograms *Histogram 3; exemplars *Exemplar 4;"
        "metadata Metadata 5; created_timestamp int64 6"
    ),
    "Request": "symbols *string 4; timeseries *TimeSeries 5",
}

# Prometheus' types by number; the same in both versions.
METRIC_KINDS = ("unknown", "counter", "gauge", "histogram", "gaugehistogram", "summary", "info", "stateset")

_POOL = descriptor_pool.DescriptorPool()
describe_messages(_POOL, "prometheus", _V1_MESSAGES)
describe_messages(_POOL, "io.prometheus.write.v2", _V2_MESSAGES)


def _descriptor(name: str) -> Descriptor:
    found: Descriptor = _POOL.FindMessageTypeByName(name)
    return found


def message_class(name: str) -> type[Message]:
    """A protobuf message class by full name, for senders and tests. Raises KeyError."""
    return message_factory.GetMessageClass(_descriptor(name))


# What the fast walk over series leaves aside: everything but labels and float samples.
V1_EXTRAS = MessageSchema.from_descriptor(_descriptor(V1), {"TimeSeries": ("exemplars", "histograms")})
V2_EXTRAS = MessageSchema.from_descriptor(
    _descriptor(V2), {"Request": ("timeseries",), "TimeSeries": ("exemplars", "histograms")}
)
V1_LABELS = MessageSchema.from_descriptor(_descriptor("prometheus.TimeSeries"), {"TimeSeries": ("labels",)})
V2_LABELS = MessageSchema.from_descriptor(
    _descriptor("io.prometheus.write.v2.TimeSeries"), {"TimeSeries": ("labels_refs",)}
)
