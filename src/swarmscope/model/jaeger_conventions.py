"""How Jaeger's model is told in OpenTelemetry's, for both directions: the receiver writes it, the query API reads it.

Sources: https://opentelemetry.io/docs/specs/otel/trace/sdk_exporters/jaeger/,
https://opentelemetry.io/docs/specs/otel/common/mapping-to-non-otlp/ and
https://github.com/jaegertracing/jaeger-idl/blob/main/thrift/jaeger.thrift.

| Jaeger | here | and back |
|---|---|---|
| Process.serviceName | resource attribute `service.name` | the same |
| Process.tags | resource attributes, typed | the other resource attributes |
| Span.tags | span attributes, typed | the same |
| tag `span.kind` | the kind, where it is one of SPAN_KINDS | the tag, but for UNSPECIFIED |
| tag `otel.status_code` (OK, ERROR) | the status | the tag, but for UNSET |
| tag `error` = true (bool) | status ERROR; the tag is gone | the tag, where the status is ERROR |
| tag `error` = "true" or another text but "false" | status ERROR; the attribute stays | it, and `error` = true first |
| tag `otel.status_description` | the status message | the tag |
| tags `otel.scope.name`, `otel.scope.version`, `otel.library.*` | the scope | `otel.scope.*` |
| tag `w3c.tracestate` | the trace state | the tag |
| tags `otel.dropped_…_count` | the dropped counts | the tags, where not 0 |
| Span.parentSpanId, else the first CHILD_OF of the same trace | the parent | a CHILD_OF, unless a link leads there |
| other references | links with REF_TYPE | references; links without REF_TYPE are FOLLOWS_FROM |
| Log.fields `event` | the event's name | the field, where EVENT_MESSAGE does not hold the name |
| Log.fields `message`, without `event` | the event's name, and the attribute stays | the attribute alone |
| Span.flags | the flags' SAMPLED; all of them in FLAGS where there are more | FLAGS, else SAMPLED |
"""

from __future__ import annotations

from swarmscope.model.spans import SpanKind

SPAN_KIND = "span.kind"
SPAN_KINDS = {
    "internal": SpanKind.INTERNAL,
    "server": SpanKind.SERVER,
    "client": SpanKind.CLIENT,
    "producer": SpanKind.PRODUCER,
    "consumer": SpanKind.CONSUMER,
}
ERROR = "error"
STATUS_CODE, STATUS_DESCRIPTION = "otel.status_code", "otel.status_description"
SCOPE_NAME, SCOPE_VERSION = "otel.scope.name", "otel.scope.version"
LIBRARY_NAME, LIBRARY_VERSION = "otel.library.name", "otel.library.version"  # what the scope was called before
TRACE_STATE = "w3c.tracestate"
DROPPED_ATTRIBUTES = "otel.dropped_attributes_count"
DROPPED_EVENTS = "otel.dropped_events_count"
DROPPED_LINKS = "otel.dropped_links_count"
SERVICE_NAME = "service.name"

REF_TYPE = "opentracing.ref_type"  # of a link
CHILD_OF, FOLLOWS_FROM = "child_of", "follows_from"

EVENT_NAME, EVENT_MESSAGE = "event", "message"

FLAGS = "jaeger.flags"  # a span attribute, an integer
SAMPLED, DEBUG = 1, 2
