"""The protobuf messages of remote read, declared from their published field numbers.

Source: prometheus/prometheus, prompb/remote.proto and prompb/types.proto.
"""

from __future__ import annotations

from swarmscope.api.message_classes import Messages, declare_messages

_MESSAGES: Messages = {
    "Label": ((1, "name", "string", False), (2, "value", "string", False)),
    "Sample": ((1, "value", "double", False), (2, "timestamp", "int64", False)),
    "LabelMatcher": ((1, "type", "enum", False), (2, "name", "string", False), (3, "value", "string", False)),
    "BucketSpan": ((1, "offset", "sint32", False), (2, "length", "uint32", False)),
    "Histogram": (
        (1, "count_int", "uint64", False),
        (2, "count_float", "double", False),
        (3, "sum", "double", False),
        (4, "schema", "sint32", False),
        (5, "zero_threshold", "double", False),
        (6, "zero_count_int", "uint64", False),
        (7, "zero_count_float", "double", False),
        (8, "negative_spans", "BucketSpan", True),
        (9, "negative_deltas", "sint64", True),
        (10, "negative_counts", "double", True),
        (11, "positive_spans", "BucketSpan", True),
        (12, "positive_deltas", "sint64", True),
        (13, "positive_counts", "double", True),
        (14, "reset_hint", "enum", False),
        (15, "timestamp", "int64", False),
        (16, "custom_values", "double", True),
    ),
    "TimeSeries": (
        (1, "labels", "Label", True),
        (2, "samples", "Sample", True),
        (4, "histograms", "Histogram", True),
    ),
    "Query": (
        (1, "start_timestamp_ms", "int64", False),
        (2, "end_timestamp_ms", "int64", False),
        (3, "matchers", "LabelMatcher", True),
    ),
    "ReadRequest": ((1, "queries", "Query", True), (2, "accepted_response_types", "enum", True)),
    "QueryResult": ((1, "timeseries", "TimeSeries", True),),
    "ReadResponse": ((1, "results", "QueryResult", True),),
    "Chunk": (
        (1, "min_time_ms", "int64", False),
        (2, "max_time_ms", "int64", False),
        (3, "type", "enum", False),
        (4, "data", "bytes", False),
    ),
    "ChunkedSeries": ((1, "labels", "Label", True), (2, "chunks", "Chunk", True)),
    "ChunkedReadResponse": ((1, "chunked_series", "ChunkedSeries", True), (2, "query_index", "int64", False)),
}
# Fields of a oneof: their presence says which of the two forms a histogram has.
_ONE_OF = {"count_int": "count", "count_float": "count", "zero_count_int": "zero", "zero_count_float": "zero"}

MESSAGES = declare_messages("remote_read", _MESSAGES, _ONE_OF)
SAMPLES = 0
STREAMED_XOR_CHUNKS = 1
