"""Sends a span with OpenTelemetry's old Jaeger exporter: send_jaeger_exporter.py '{"url": URL}' or '{"port": PORT}'."""

from __future__ import annotations

import json
import sys
import warnings

from opentelemetry.exporter.jaeger.thrift import JaegerExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.trace import Link, SpanContext, SpanKind, Status, StatusCode

T_NS = 1_700_000_000_000_000_000
asked = json.loads(sys.argv[1])
warnings.simplefilter("ignore")
if "url" in asked:
    exporter = JaegerExporter(collector_endpoint=asked["url"])
else:
    exporter = JaegerExporter(agent_host_name="127.0.0.1", agent_port=asked["port"])
provider = TracerProvider(resource=Resource({"service.name": "shop", "cores": 8}))
provider.add_span_processor(SimpleSpanProcessor(exporter))
span = provider.get_tracer("orders", "1.4.0").start_span(
    "order", kind=SpanKind.PRODUCER, start_time=T_NS, links=[Link(SpanContext(7, 8, is_remote=False))],
    attributes={"n": 7, "ratio": 0.5, "late": True, "city": "Zürich 🚀"},
)  # fmt: skip
span.add_event("failed", {"code": 7}, T_NS + 1000)
span.set_status(Status(StatusCode.ERROR, "no stock"))
span.end(T_NS + 5000)
provider.shutdown()
