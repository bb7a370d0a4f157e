"""OpenTelemetry's SDK as all scripts here set it up: every span over OTLP/HTTP to one address."""

from __future__ import annotations

from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from story import Asked


def start_exporting(asked: Asked) -> TracerProvider:
    """The global provider; its `shutdown` sends what is left."""
    provider = TracerProvider(resource=Resource({"service.name": asked.service}))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(asked.url)))
    trace.set_tracer_provider(provider)
    return provider
