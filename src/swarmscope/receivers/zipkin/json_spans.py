"""Zipkin's v2 JSON: objects to spans.

Source: https://zipkin.io/zipkin-api/zipkin2-api.yaml.
"""

from __future__ import annotations

from typing import Any

from swarmscope.model.errors import MalformedInputError
from swarmscope.model.spans import SpanKind
from swarmscope.receivers.zipkin.span_rows import to_us
from swarmscope.receivers.zipkin.zipkin_span import NOWHERE, Endpoint, ZipkinSpan, to_ids

Object = dict[str, Any]

KINDS = {
    "CLIENT": int(SpanKind.CLIENT),
    "SERVER": int(SpanKind.SERVER),
    "PRODUCER": int(SpanKind.PRODUCER),
    "CONSUMER": int(SpanKind.CONSUMER),
}
_MAX_PORT = 65535
_MAX_PORT_DIGITS = 20  # with leading zeros


class ObjectReader:
    """Reads spans; endpoints that stand in a request again and again are made once."""

    def __init__(self) -> None:
        self._endpoints: dict[tuple[object, ...], Endpoint] = {}

    def read(self, span: Object, place: str) -> ZipkinSpan:
        """One span. Raises MalformedInputError, which names `place`, and RefusedSpanError for ids."""
        ids = to_ids(span.get("traceId"), span.get("id"), span.get("parentId"))
        tags = span.get("tags")
        if not tags:
            names, values = [], []
        elif isinstance(tags, dict):
            names = [name.encode() for name in tags]
            try:
                values = [value.encode() for value in tags.values()]
            except AttributeError:  # Slow path: numbers and truth values are no tags, and still are sent
                values = [to_text(value, f"{place}: tags").encode() for value in tags.values()]
        else:
            raise MalformedInputError(f"{place}: tags is no object")
        name, annotations = span.get("name"), span.get("annotations")
        if name is not None and type(name) is not str:
            raise MalformedInputError(f"{place}: name is no string")
        return ZipkinSpan(
            *ids,
            name.encode() if name else b"",
            read_kind(span.get("kind"), place),
            to_us(span.get("timestamp"), place),
            to_us(span.get("duration"), place),
            self.endpoint(span.get("localEndpoint"), place),
            self.endpoint(span.get("remoteEndpoint"), place),
            names,
            values,
            _read_annotations(annotations, place) if annotations else [],
            span.get("shared") is True,
            span.get("debug") is True,
        )

    def endpoint(self, told: object, place: str) -> Endpoint:
        """An endpoint. Raises MalformedInputError, which names `place`."""
        if not told:
            return NOWHERE
        if not isinstance(told, dict):
            raise MalformedInputError(f"{place}: an endpoint is no object")
        key = (told.get("serviceName"), told.get("ipv4"), told.get("ipv6"), told.get("port"))
        try:
            known = self._endpoints.get(key)
        except TypeError as error:
            raise MalformedInputError(f"{place}: an endpoint has lists or objects as values") from error
        if known is None:
            known = self._endpoints[key] = _read_endpoint(key, place)
        return known


def _read_endpoint(key: tuple[object, ...], place: str) -> Endpoint:
    service, ipv4, ipv6 = ("" if part is None else part for part in key[:3])
    port = key[3] or 0
    if not (isinstance(service, str) and isinstance(ipv4, str) and isinstance(ipv6, str)):
        raise MalformedInputError(f"{place}: name or address of an endpoint is no string")
    digits = str(port) if isinstance(port, int | str) else ""
    if not digits.isdecimal() or len(digits) > _MAX_PORT_DIGITS or int(digits) > _MAX_PORT:
        raise MalformedInputError(f"{place}: {str(port)[:40]!r} is no port")
    return Endpoint(service, ipv4, ipv6, int(digits)) if service or ipv4 or ipv6 or int(digits) else NOWHERE


def read_kind(kind: object, place: str) -> int:
    """A SpanKind. Raises MalformedInputError, which names `place`."""
    if kind is None:
        return int(SpanKind.UNSPECIFIED)
    known = KINDS.get(kind.upper()) if isinstance(kind, str) else None
    if known is None:
        raise MalformedInputError(f"{place}: {str(kind)[:40]!r} is none of {', '.join(KINDS)}")
    return known


def _read_annotations(annotations: object, place: str) -> list[tuple[int, str]]:
    if not isinstance(annotations, list):
        raise MalformedInputError(f"{place}: annotations is no list")
    found = []
    for one in annotations:
        value = one.get("value") if isinstance(one, dict) else None
        if type(value) is not str:
            raise MalformedInputError(f"{place}: an annotation has no value")
        found.append((to_us(one.get("timestamp"), place), value))
    return found


def to_text(value: object, place: str) -> str:
    """A scalar as a tag has it. Raises MalformedInputError, which names `place`, for lists and objects."""
    match value:
        case str():
            return value
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case int() | float():
            return str(value)
        case _:
            raise MalformedInputError(f"{place}: a value is no string")
