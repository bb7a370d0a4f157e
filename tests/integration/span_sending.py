"""Spans by number, as OTLP's messages, and a way to send them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import httpx
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Status

from tests.integration.processes import SwarmscopeServer
from tests.integration.trace_reading import CLIENT

EXPORT = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
_NO_ATTRIBUTES: Mapping[str, str | int] = {}


class SentSpan(NamedTuple):
    """A span; ids are numbers, parent 0 is none."""

    trace: int
    number: int
    start_ns: int
    parent: int = 0
    kind: int = 1
    service: str = "shop"
    name: str = "work"
    duration_ns: int = 1_000_000
    is_error: bool = False
    attributes: Mapping[str, str | int] = _NO_ATTRIBUTES


def export_request(spans: Sequence[SentSpan]) -> ExportTraceServiceRequest:
    """One request; each service is a resource."""
    request = ExportTraceServiceRequest()
    scopes = {}
    for sent in spans:
        if sent.service not in scopes:
            group = request.resource_spans.add()
            group.resource.attributes.add(key="service.name").value.string_value = sent.service
            scopes[sent.service] = group.scope_spans.add()
        span = scopes[sent.service].spans.add(
            trace_id=sent.trace.to_bytes(16, "big"), span_id=sent.number.to_bytes(8, "big"), name=sent.name,
            parent_span_id=sent.parent.to_bytes(8, "big") if sent.parent else b"", kind=sent.kind,
            start_time_unix_nano=sent.start_ns, end_time_unix_nano=sent.start_ns + sent.duration_ns,
        )  # fmt: skip
        if sent.is_error:
            span.status.code = Status.STATUS_CODE_ERROR
        for name, value in sent.attributes.items():
            attribute = span.attributes.add(key=name).value
            if isinstance(value, str):
                attribute.string_value = value
            else:
                attribute.int_value = value
    return request


def send_export(
    server: SwarmscopeServer, spans: Sequence[SentSpan] | ExportTraceServiceRequest, tenant: str
) -> httpx.Response:
    """Send a request in protobuf over HTTP."""
    request = spans if isinstance(spans, ExportTraceServiceRequest) else export_request(spans)
    headers = {"content-type": "application/x-protobuf", "x-scope-orgid": tenant}
    body = request.SerializeToString()
    return CLIENT.post(f"{server.address}/v1/traces", content=body, headers=headers)
