"""Sends a span with OpenTelemetry's Zipkin exporter: send_zipkin_exporter.py '{"url": URL}'."""

from __future__ import annotations

import json
import sys

from opentelemetry.exporter.zipkin.json import ZipkinExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.trace import SpanKind, Status, StatusCode

T_NS = 1_700_000_000_000_000_000
provider = TracerProvider(resource=Resource({"service.name": "shop", "cores": 8}))
provider.add_span_processor(SimpleSpanProcessor(ZipkinExporter(endpoint=json.loads(sys.argv[1])["url"])))
span = provider.get_tracer("orders", "1.4.0").start_span(
    "order", kind=SpanKind.CLIENT, start_time=T_NS, attributes={"n": 7, "retried": True, "peer.service": "stock"}
)
span.add_event("failed", {"code": 7, "why": "none left"}, T_NS + 1000)
span.add_event("plain", timestamp=T_NS + 2000)
span.set_status(Status(StatusCode.ERROR, "no stock"))
span.end(T_NS + 5000)
provider.shutdown()
