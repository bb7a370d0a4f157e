"""Whole spans as OTLP's messages: every field, grouped by resource and scope."""

from __future__ import annotations

import math
import struct
from dataclasses import replace

import numpy as np
import pytest
from opentelemetry.proto.common.v1 import common_pb2

from swarmscope.api.traces.otlp import any_value, to_traces_data
from swarmscope.model.attributes import ValueKind
from swarmscope.model.contracts import ReadBudget
from swarmscope.model.labels import DEFAULT_TENANT
from swarmscope.model.spans import SpanRequest
from swarmscope.testing.memory_span_reader import MemorySpanReader
from swarmscope.testing.plain_spans import PlainEvent, PlainLink, PlainScope, PlainSpan, ids_of, span_id, trace_id


class _Unbounded:
    remaining_s = math.inf

    def check(self) -> None:
        """Never ends."""


FULL = PlainSpan(
    trace_id(1), span_id(2), "GET /", 1_000, 3_000, span_id(1), 2, 2, "no", {"code": 500, "ok": False, "f": 0.5},
    {"service.name": "web"}, PlainScope("lib", "1.0", {"x": b"\x01"}, "https://scope", 2),
    (PlainEvent(1_500, "boom", {"e": "f"}, 5),), (PlainLink(trace_id(9), span_id(9), "c=d", {"l": True}, 6, 7),),
    "a=b", 257, 1, 2, 3, "https://resource", 4,
)  # fmt: skip


def _rows(*spans: PlainSpan) -> tuple[MemorySpanReader, object]:
    reader = MemorySpanReader(spans)
    return reader, reader.find_traces(DEFAULT_TENANT, ids_of([trace_id(1)], 16), ReadBudget(_Unbounded(), 1000))


def _pairs(pairs) -> dict[str, common_pb2.AnyValue]:
    return {pair.key: pair.value for pair in pairs}


def test_every_field_of_a_span() -> None:
    reader, rows = _rows(FULL)
    (of_resource,) = to_traces_data(rows, reader.resources(), reader.scopes()).resource_spans
    assert (of_resource.schema_url, of_resource.resource.dropped_attributes_count) == ("https://resource", 4)
    assert _pairs(of_resource.resource.attributes)["service.name"].string_value == "web"
    (of_scope,) = of_resource.scope_spans
    scope = of_scope.scope
    assert (scope.name, scope.version, scope.dropped_attributes_count, of_scope.schema_url) == (
        "lib", "1.0", 2, "https://scope",
    )  # fmt: skip
    assert _pairs(scope.attributes)["x"].bytes_value == b"\x01"
    (span,) = of_scope.spans
    assert (span.trace_id, span.span_id, span.parent_span_id) == (trace_id(1), span_id(2), span_id(1))
    assert (span.name, span.kind, span.status.code, span.status.message) == ("GET /", 2, 2, "no")
    assert (span.start_time_unix_nano, span.end_time_unix_nano, span.trace_state, span.flags) == (
        1_000, 3_000, "a=b", 257,
    )  # fmt: skip
    counts = (span.dropped_attributes_count, span.dropped_events_count, span.dropped_links_count)
    assert counts == (1, 2, 3)
    values = _pairs(span.attributes)
    assert (values["code"].int_value, values["ok"].WhichOneof("value"), values["f"].double_value) == (
        500, "bool_value", 0.5,
    )  # fmt: skip
    (event,), (link,) = span.events, span.links
    assert (event.time_unix_nano, event.name, event.dropped_attributes_count) == (1_500, "boom", 5)
    assert _pairs(event.attributes)["e"].string_value == "f"
    assert (link.trace_id, link.span_id, link.trace_state) == (trace_id(9), span_id(9), "c=d")
    assert (_pairs(link.attributes)["l"].bool_value, link.dropped_attributes_count, link.flags) == (True, 6, 7)


def test_a_root_has_no_parent_id() -> None:
    reader, rows = _rows(replace(FULL, parent_id=bytes(8)))
    data = to_traces_data(rows, reader.resources(), reader.scopes())
    assert data.resource_spans[0].scope_spans[0].spans[0].parent_span_id == b""


def test_spans_stand_by_resource_and_scope_in_order_of_start() -> None:
    other = {"service.name": "db"}
    spans = [
        replace(FULL, span_id=span_id(1), start_ns=30),
        replace(FULL, span_id=span_id(2), start_ns=10, resource=other),
        replace(FULL, span_id=span_id(3), start_ns=20),
        replace(FULL, span_id=span_id(4), start_ns=5, scope=PlainScope("else")),
    ]
    reader, rows = _rows(*spans)
    data = to_traces_data(rows, reader.resources(), reader.scopes())
    found = [
        [[span.span_id[-1] for span in scope.spans] for scope in resource.scope_spans]
        for resource in data.resource_spans
    ]
    assert found == [[[3, 1], [4]], [[2]]]


@pytest.mark.parametrize(
    ("kind", "text", "expected"),
    [
        (ValueKind.STRING, b"a\xff", common_pb2.AnyValue(string_value="a\ufffd")),
        (ValueKind.DOUBLE, struct.pack("<d", -1.5), common_pb2.AnyValue(double_value=-1.5)),
        (ValueKind.EMPTY, b"", common_pb2.AnyValue()),
        (
            ValueKind.ARRAY,
            common_pb2.ArrayValue(values=[common_pb2.AnyValue(int_value=1)]).SerializeToString(),
            common_pb2.AnyValue(array_value=common_pb2.ArrayValue(values=[common_pb2.AnyValue(int_value=1)])),
        ),
        (
            ValueKind.MAP,
            common_pb2.KeyValueList(values=[common_pb2.KeyValue(key="k")]).SerializeToString(),
            common_pb2.AnyValue(kvlist_value=common_pb2.KeyValueList(values=[common_pb2.KeyValue(key="k")])),
        ),
    ],
)
def test_values_of_every_kind(kind: ValueKind, text: bytes, expected: common_pb2.AnyValue) -> None:
    assert any_value(kind, text) == expected


def test_rows_that_are_not_whole_are_refused() -> None:
    reader = MemorySpanReader([FULL])
    (rows,) = reader.scan_spans(DEFAULT_TENANT, SpanRequest(0, 10_000), ReadBudget(_Unbounded(), 1000))
    with pytest.raises(ValueError, match="not whole"):
        to_traces_data(rows, reader.resources(), reader.scopes())
    assert np.asarray(rows.start_ns).tolist() == [1_000]
