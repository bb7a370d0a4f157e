"""Zipkin's v1 JSON: what annotations like `cs` and `sr`, and binary annotations, say in the words of v2.

A v1 span may hold both sides of a call; it becomes two, of which the server's is shared. Sources: the thrift of v1,
https://github.com/openzipkin/zipkin-api/blob/master/thrift/zipkinCore.thrift, and
https://zipkin.io/pages/data_model.html.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, NamedTuple

from swarmscope.model.errors import MalformedInputError
from swarmscope.model.spans import SpanKind
from swarmscope.receivers.zipkin.json_spans import Object, ObjectReader, to_text
from swarmscope.receivers.zipkin.span_rows import to_us
from swarmscope.receivers.zipkin.zipkin_span import NOWHERE, Endpoint, ZipkinSpan, to_ids

_BEGINS = {"cs": SpanKind.CLIENT, "sr": SpanKind.SERVER, "ms": SpanKind.PRODUCER, "mr": SpanKind.CONSUMER}
_ENDS = {"cr": SpanKind.CLIENT, "ss": SpanKind.SERVER}
# Binary annotations that tell the address of the other side, and whose other side it is.
_ADDRESSES = {
    "sa": (SpanKind.CLIENT,),
    "ca": (SpanKind.SERVER,),
    "ma": (SpanKind.PRODUCER, SpanKind.CONSUMER),
}
_LOCAL_COMPONENT = "lc"
_ADDRESS_VALUES = (True, "true", "\x01", "AQ==", 1)


@dataclass(slots=True)
class _Side:
    """One side of a span."""

    kind: SpanKind
    begin_us: int = 0
    end_us: int = 0
    local: Endpoint = NOWHERE
    remote: Endpoint = NOWHERE
    tags: dict[str, str] = field(default_factory=dict)
    annotations: list[tuple[int, str]] = field(default_factory=list)


class _Annotation(NamedTuple):
    at_us: int
    value: str
    endpoint: Endpoint


def is_v1(span: Object, *, by_path: bool) -> bool:
    """Whether a span has the shape of v1; where the shape tells nothing the path does."""
    if "binaryAnnotations" in span:
        return True
    if "localEndpoint" in span or "tags" in span or "kind" in span or "remoteEndpoint" in span or "shared" in span:
        return False
    annotations = span.get("annotations")
    if isinstance(annotations, list) and annotations and isinstance(annotations[0], dict):
        return by_path or "endpoint" in annotations[0]
    return by_path


def _objects(span: Object, name: str, place: str) -> list[Object]:
    found = span.get(name) or []
    if not isinstance(found, list) or not all(isinstance(one, dict) for one in found):
        raise MalformedInputError(f"{place}: {name} is no list of objects")
    return found


def read_v1(span: Object, reader: ObjectReader, place: str) -> list[ZipkinSpan]:
    """The spans that a v1 span is. Raises MalformedInputError, which names `place`, and RefusedSpanError."""
    ids = to_ids(span.get("traceId"), span.get("id"), span.get("parentId"))
    name = to_text(span.get("name"), f"{place}: name").encode()
    annotations = []
    for one in _objects(span, "annotations", place):
        value = to_text(one.get("value"), f"{place}: an annotation")
        annotations.append(
            _Annotation(to_us(one.get("timestamp"), place), value, reader.endpoint(one.get("endpoint"), place))
        )
    binary = [
        (one.get("key"), one.get("value"), reader.endpoint(one.get("endpoint"), place))
        for one in _objects(span, "binaryAnnotations", place)
    ]
    sides = _find_sides(annotations)
    if not sides:
        told = [endpoint for *_, endpoint in [*annotations, *binary] if endpoint is not NOWHERE]
        own = [endpoint for key, _, endpoint in binary if key == _LOCAL_COMPONENT and endpoint is not NOWHERE]
        others = {endpoint for key, _, endpoint in binary if key in _ADDRESSES}
        local = [*own, *(endpoint for endpoint in told if endpoint not in others), NOWHERE]
        sides = [_Side(SpanKind.UNSPECIFIED, local=local[0])]
    for at_us, value, endpoint in annotations:
        if value not in _BEGINS and value not in _ENDS:
            _side_of(sides, endpoint).annotations.append((at_us, value))
    for key, told_value, endpoint in binary:
        _take_binary(sides, key, told_value, endpoint, place)
    times = to_us(span.get("timestamp"), place), to_us(span.get("duration"), place)
    debug = span.get("debug") is True
    return [_to_span(side, (*ids, name), times, shared=side is not sides[0], debug=debug) for side in sides]


def _find_sides(annotations: list[_Annotation]) -> list[_Side]:
    """The sides that core annotations tell, the one that began the call first."""
    sides: dict[SpanKind, _Side] = {}
    for at_us, value, endpoint in annotations:
        begins, ends = _BEGINS.get(value), _ENDS.get(value)
        kind = begins or ends
        if kind is None:
            continue
        side = sides.setdefault(kind, _Side(kind))
        if begins:
            side.begin_us = at_us
        else:
            side.end_us = at_us
        if side.local is NOWHERE:
            side.local = endpoint
    order = (SpanKind.CLIENT, SpanKind.PRODUCER, SpanKind.SERVER, SpanKind.CONSUMER)
    return sorted(sides.values(), key=lambda side: order.index(side.kind))


def _side_of(sides: list[_Side], endpoint: Endpoint) -> _Side:
    """The side that was recorded there; the first one where that tells nothing."""
    for side in sides:
        if side.local == endpoint:
            return side
    return sides[0]


def _take_binary(sides: list[_Side], key: Any, value: Any, endpoint: Endpoint, place: str) -> None:
    if not isinstance(key, str):
        raise MalformedInputError(f"{place}: a binary annotation has no key")
    if key in _ADDRESSES and endpoint is not NOWHERE and value in _ADDRESS_VALUES:
        whose = [side for side in sides if side.kind in _ADDRESSES[key] or side.kind == SpanKind.UNSPECIFIED]
        for side in whose:
            side.remote = endpoint
        if not whose and sides[0].local is NOWHERE:
            sides[0].local = endpoint  # a client that tells its own address
        return
    text = to_text(value, f"{place}: binary annotation {key[:40]!r}")
    if key != _LOCAL_COMPONENT or text:
        _side_of(sides, endpoint).tags[key] = text


def _to_span(
    side: _Side, head: tuple[bytes, bytes, bytes, bytes], times: tuple[int, int], *, shared: bool, debug: bool
) -> ZipkinSpan:
    """`times` are the span's own; `shared`: they are the other side's."""
    timestamp_us, duration_us = (0, 0) if shared else times
    if side.kind is SpanKind.SERVER and not timestamp_us:
        shared = True  # in v1 only who began a span tells its time
    if not duration_us and side.begin_us and side.end_us > side.begin_us:
        duration_us = side.end_us - side.begin_us
    tags = side.tags
    return ZipkinSpan(
        *head,
        int(side.kind),
        timestamp_us or side.begin_us,
        duration_us,
        side.local,
        side.remote,
        [key.encode() for key in tags],
        [text.encode() for text in tags.values()],
        side.annotations,
        shared,
        debug,
    )
