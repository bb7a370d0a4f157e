"""Whole spans as Zipkin's JSON, version 2.

Shape: https://zipkin.io/zipkin-api/#/default/get_trace__traceId_. What is where: `zipkin_conventions`.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from typing import Any

from swarmscope.api.traces.span_views import Attribute, EventView, LinkView, SpanView
from swarmscope.api.traces.trace_ids import trace_id_text
from swarmscope.api.traces.value_text import json_text, json_value, value_text
from swarmscope.model.attributes import Scalar, ValueKind, to_scalar
from swarmscope.model.jaeger_conventions import (
    DROPPED_ATTRIBUTES,
    DROPPED_EVENTS,
    DROPPED_LINKS,
    ERROR,
    SCOPE_NAME,
    SCOPE_VERSION,
    SPAN_KIND,
    STATUS_CODE,
    STATUS_DESCRIPTION,
    TRACE_STATE,
)
from swarmscope.model.spans import SpanKind, SpanStatus
from swarmscope.model.zipkin_conventions import (
    DEBUG,
    LOCAL_IP,
    LOCAL_IPV6,
    LOCAL_PORT,
    NO_TIMESTAMP,
    REMOTE_IP,
    REMOTE_IPV6,
    REMOTE_PORT,
    REMOTE_SERVICE,
    SHARED,
)

_NS_PER_US = 1_000
_MAX_PORT = 65_535
_KINDS = {int(kind): kind.name for kind in (SpanKind.CLIENT, SpanKind.SERVER, SpanKind.PRODUCER, SpanKind.CONSUMER)}
_SCOPE_SCHEMA_URL, _SCOPE_PREFIX = "otel.scope.schema_url", "otel.scope."
# The text of one link, as OpenTelemetry's collector spells what Zipkin has no place for.
_LINK_PREFIX = "otlp.link."
Json = dict[str, Any]


def span_json(span: SpanView) -> Json:
    """One span; what it has not is left out."""
    left = {each.name: each for each in span.attributes}
    local = _endpoint(left, span.resource.service, (LOCAL_IP, LOCAL_IPV6, LOCAL_PORT))
    remote = _endpoint(left, _taken_text(left, REMOTE_SERVICE), (REMOTE_IP, REMOTE_IPV6, REMOTE_PORT))
    timed = not _taken_flag(left, NO_TIMESTAMP)
    found: Json = {
        "traceId": trace_id_text(span.trace_id),
        "id": span.span_id.hex(),
        "parentId": span.parent_id.hex() if span.parent_id.strip(b"\0") else None,
        "kind": _KINDS.get(span.kind),
        "name": span.name or None,
        "timestamp": span.start_ns // _NS_PER_US if timed else None,
        "duration": _duration_us(span) if timed else None,
        "localEndpoint": local or None,
        "remoteEndpoint": remote or None,
        "annotations": [_annotation(event) for event in span.events] or None,
        "shared": _taken_flag(left, SHARED) or None,
        "debug": _taken_flag(left, DEBUG) or None,
    }
    found["tags"] = _tags(span, left) or None
    return {name: value for name, value in found.items() if value is not None}


def _duration_us(span: SpanView) -> int | None:
    """Whole microseconds; Zipkin has nothing between none and one."""
    return max(span.duration_ns // _NS_PER_US, 1) if span.duration_ns > 0 else None


def _endpoint(left: dict[str, Attribute], service: str, names: tuple[str, str, str]) -> Json:
    """An endpoint of these attributes, which are taken away where they are what they should be."""
    first_ip, second_ip, port_name = names
    found: Json = {"serviceName": service} if service else {}
    for name in (first_ip, second_ip):
        address = _address(_scalar(left, name))
        if address is not None:
            found[f"ipv{address.version}"] = str(address)
            del left[name]
    port = _scalar(left, port_name)
    if isinstance(port, int) and not isinstance(port, bool) and 0 < port <= _MAX_PORT:
        found["port"] = port
        del left[port_name]
    return found


def _scalar(left: dict[str, Attribute], name: str) -> Scalar:
    attribute = left.get(name)
    return None if attribute is None else to_scalar(attribute.kind, attribute.text)


def _address(value: Scalar) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(value) if isinstance(value, str) else None
    except ValueError:
        return None


def _taken_text(left: dict[str, Attribute], name: str) -> str:
    value = _scalar(left, name)
    if not isinstance(value, str):
        return ""
    del left[name]
    return value


def _taken_flag(left: dict[str, Attribute], name: str) -> bool:
    attribute = left.get(name)
    if attribute is None or attribute.kind != ValueKind.BOOL:
        return False
    del left[name]
    return attribute.text != b"\0"


def _tags(span: SpanView, left: dict[str, Attribute]) -> dict[str, str]:
    """Texts by name: the span's own attributes win over those of its resource and over what columns tell."""
    tags = {each.name: value_text(each.kind, each.text) for each in span.resource.attributes}
    tags |= dict(_told(span, left.get(ERROR)))
    for number, link in enumerate(span.links):
        tags[f"{_LINK_PREFIX}{number}"] = _link_text(link)
    return tags | {each.name: value_text(each.kind, each.text) for each in left.values()}


def _told(span: SpanView, error: Attribute | None) -> Iterator[tuple[str, str]]:
    """What is no attribute."""
    scope = span.scope
    given = [(SCOPE_NAME, scope.name), (SCOPE_VERSION, scope.version), (_SCOPE_SCHEMA_URL, scope.schema_url),
             (TRACE_STATE, span.trace_state)]  # fmt: skip
    yield from (pair for pair in given if pair[1])
    yield from ((_SCOPE_PREFIX + name, value_text(kind, text)) for name, kind, text in scope.attributes)
    if span.kind == SpanKind.INTERNAL:
        yield SPAN_KIND, "internal"
    yield from _status(span, error)
    for name, count in zip((DROPPED_ATTRIBUTES, DROPPED_EVENTS, DROPPED_LINKS), span.dropped, strict=True):
        if count:
            yield name, str(count)


def _status(span: SpanView, error: Attribute | None) -> Iterator[tuple[str, str]]:
    """The status beside the tag `error`, which says it all where it came by Zipkin's protocol."""
    message, is_error = span.status_message, span.status == SpanStatus.ERROR
    if is_error and error is None:
        yield STATUS_CODE, "ERROR"
        yield ERROR, message
        return
    told = error is not None and message in ("", value_text(error.kind, error.text))
    if span.status != SpanStatus.UNSET and not (is_error and told):
        yield STATUS_CODE, "ERROR" if is_error else "OK"
    if message and not told:
        yield STATUS_DESCRIPTION, message


def _annotation(event: EventView) -> Json:
    attributes = {each.name: json_value(each.kind, each.text) for each in event.attributes}
    if event.dropped_attributes:
        attributes[DROPPED_ATTRIBUTES] = event.dropped_attributes
    text = json_text({event.name: attributes}) if attributes else event.name
    return {"timestamp": event.ts_ns // _NS_PER_US, "value": text}


def _link_text(link: LinkView) -> str:
    attributes = json_text({each.name: json_value(each.kind, each.text) for each in link.attributes})
    ids = f"{trace_id_text(link.trace_id)}|{link.span_id.hex()}"
    return f"{ids}|{link.trace_state}|{attributes}|{link.dropped_attributes}"
