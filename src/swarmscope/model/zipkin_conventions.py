"""How Zipkin's model is told in OpenTelemetry's, for both directions: the receiver writes it, the query API reads it.

Sources: https://opentelemetry.io/docs/specs/otel/trace/sdk_exporters/zipkin/ and https://zipkin.io/zipkin-api/. What
tags say about kind, status, scope, trace state and dropped counts is as in `jaeger_conventions`, but for `error`.

| Zipkin | here | and back |
|---|---|---|
| traceId of 64 bits | 128 bits, the upper ones zero | 16 digits where the upper ones are zero |
| localEndpoint.serviceName | resource attribute `service.name` | the same |
| localEndpoint.ipv4, or ipv6 where there is no ipv4; port | span attributes LOCAL_IP, LOCAL_PORT | the same |
| localEndpoint.ipv6 beside ipv4 | LOCAL_IPV6 | the same |
| remoteEndpoint | REMOTE_SERVICE, REMOTE_IP, REMOTE_IPV6, REMOTE_PORT | the same |
| kind | the kind; without one UNSPECIFIED, or INTERNAL by the tag `span.kind` | the same |
| tag `error` beside `otel.status_code` = ERROR | the status message; the tag is gone | `error` and `otel.status_code` |
| tag `error` alone, not "false" | status ERROR; the attribute stays | the tag alone |
| an annotation | an event of that name | the name |
| an annotation `{"name": {"key": value}}` or `name: {…}` | an event with attributes | `{"name": {…}}` |
| shared, debug | span attributes SHARED, DEBUG (true) | the same |
| no timestamp | the first annotation's, or the time of arrival, and NO_TIMESTAMP (true) | none |
| no duration | the end is the start | none |

The attributes named here are no tags on the way back. A tag that has one of their names is kept, and counts.
"""

from __future__ import annotations

SERVICE_NAME = "service.name"
LOCAL_IP, LOCAL_IPV6, LOCAL_PORT = "net.host.ip", "zipkin.local.ipv6", "net.host.port"
REMOTE_SERVICE, REMOTE_IP, REMOTE_IPV6, REMOTE_PORT = (
    "peer.service", "net.peer.ip", "zipkin.remote.ipv6", "net.peer.port"
)  # fmt: skip
SHARED, DEBUG = "zipkin.shared", "zipkin.debug"
NO_TIMESTAMP = "zipkin.no_timestamp"
