"""Zipkin's v2 protobuf: the messages of ListOfSpans to spans.

Source: https://github.com/openzipkin/zipkin-api/blob/master/zipkin.proto (package zipkin.proto3).
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from google.protobuf import descriptor_pool
from numpy.typing import NDArray

from swarmscope.model.errors import MalformedInputError
from swarmscope.model.labels import Utf8Column
from swarmscope.model.logs import SPAN_ID_BYTES, TRACE_ID_BYTES
from swarmscope.model.spans import SpanKind
from swarmscope.receivers.wire.declared_messages import describe_messages
from swarmscope.receivers.wire.message_schema import MessageSchema
from swarmscope.receivers.wire.scanner import Children, MessageTable, Scan, scan_message
from swarmscope.receivers.zipkin.span_rows import SpanRows
from swarmscope.receivers.zipkin.zipkin_span import (
    BAD_PARENT_ID,
    BAD_SPAN_ID,
    BAD_TRACE_ID,
    MAX_US,
    NO_ID,
    NOWHERE,
    Endpoint,
    ZipkinSpan,
)

MESSAGES = {
    "Endpoint": "service_name string 1; ipv4 bytes 2; ipv6 bytes 3; port int32 4",
    "Annotation": "timestamp fixed64 1; value string 2",
    "TagsEntry": "key string 1; value string 2",  # a map's entries are such messages on the wire
    "Span": (
        "trace_id bytes 1; parent_id bytes 2; id bytes 3; kind int32 4; name string 5; timestamp fixed64 6; "
        "duration uint64 7; local_endpoint Endpoint 8; remote_endpoint Endpoint 9; annotations *Annotation 10; "
        "tags *TagsEntry 11; debug bool 12; shared bool 13"
    ),
    "ListOfSpans": "spans *Span 1",
}
_POOL = descriptor_pool.DescriptorPool()
describe_messages(_POOL, "zipkin.proto3", MESSAGES)
SCHEMA = MessageSchema.from_descriptor(_POOL.FindMessageTypeByName("zipkin.proto3.ListOfSpans"))
# By Span.Kind.
_KINDS = (SpanKind.UNSPECIFIED, SpanKind.CLIENT, SpanKind.SERVER, SpanKind.PRODUCER, SpanKind.CONSUMER)
_IPV4_BYTES, _IPV6_BYTES = 4, 16


class _Texts:
    """Texts of a column as bytes objects."""

    def __init__(self, data: bytes, column: Utf8Column) -> None:
        self._data = data
        self._start = column.start.tolist()
        self._end = (column.start + column.length).tolist()

    def __getitem__(self, row: int) -> bytes:
        return self._data[self._start[row] : self._end[row]]


class _Entries(NamedTuple):
    """Rows of children by span."""

    rows: list[int]
    offsets: list[int]

    def of(self, span: int) -> list[int]:
        return self.rows[self.offsets[span] : self.offsets[span + 1]]


def _entries(children: Children) -> _Entries:
    return _Entries(children.rows.tolist(), children.offsets.tolist())


def read_proto(body: NDArray[np.uint8], rows: SpanRows, claim: Callable[[int, int], object]) -> None:
    """Read a ListOfSpans into `rows`. Raises MalformedInputError, which names message, field and byte.

    `claim` is told how many spans, and how many tags and annotations there are, and may raise.
    """
    scan = scan_message(SCHEMA, body)
    claim(scan.count("Span"), scan.count("TagsEntry") + scan.count("Annotation"))
    _Reader(scan, body.tobytes()).read_into(rows)


class _Reader:
    def __init__(self, scan: Scan, data: bytes) -> None:
        self._spans = scan.table("Span")
        tags, annotations = scan.table("TagsEntry"), scan.table("Annotation")
        self._ids = [_Texts(data, self._spans.texts(name)) for name in ("trace_id", "id", "parent_id")]
        self._names = _Texts(data, self._spans.texts("name"))
        self._tags, self._annotations = (_entries(scan.children("Span", name)) for name in ("tags", "annotations"))
        self._keys, self._values = _Texts(data, tags.texts("key")), _Texts(data, tags.texts("value"))
        self._events = _Texts(data, annotations.texts("value"))
        self._event_us = _times(annotations, "timestamp")
        self._endpoints = _read_endpoints(scan.table("Endpoint"), data)

    def read_into(self, rows: SpanRows) -> None:
        spans = self._spans
        start_us, duration_us = _times(spans, "timestamp"), _times(spans, "duration")
        kinds = spans.ints("kind").tolist()
        local, remote = (spans.child(name).tolist() for name in ("local_endpoint", "remote_endpoint"))
        shared, debug = (spans.ints(name).tolist() for name in ("shared", "debug"))
        for row in range(len(spans)):
            ids = self._ids_of(row, rows)
            if ids is None:
                continue
            tags = self._tags.of(row)
            rows.add(
                ZipkinSpan(
                    *ids,
                    self._names[row],
                    _KINDS[kinds[row]] if 0 <= kinds[row] < len(_KINDS) else SpanKind.UNSPECIFIED,
                    start_us[row],
                    duration_us[row],
                    self._endpoints[local[row]] if local[row] >= 0 else NOWHERE,
                    self._endpoints[remote[row]] if remote[row] >= 0 else NOWHERE,
                    [self._keys[tag] for tag in tags],
                    [self._values[tag] for tag in tags],
                    self._annotations_of(row),
                    shared[row] != 0,
                    debug[row] != 0,
                )
            )

    def _annotations_of(self, row: int) -> list[tuple[int, str]]:
        return [(self._event_us[at], self._events[at].decode(errors="replace")) for at in self._annotations.of(row)]

    def _ids_of(self, row: int, rows: SpanRows) -> tuple[bytes, bytes, bytes] | None:
        """The ids, None (and the span refused) where they are not valid."""
        trace, span, parent = (texts[row] for texts in self._ids)
        reason = None
        if len(trace) not in (SPAN_ID_BYTES, TRACE_ID_BYTES) or not any(trace):
            reason = BAD_TRACE_ID
        elif len(span) != SPAN_ID_BYTES or span == NO_ID:
            reason = BAD_SPAN_ID
        elif len(parent) not in (0, SPAN_ID_BYTES):
            reason = BAD_PARENT_ID
        if reason is not None:
            rows.refuse(reason)
            return None
        return trace.rjust(TRACE_ID_BYTES, b"\0"), span, NO_ID if parent == span or not parent else parent


def _times(table: MessageTable, name: str) -> list[int]:
    found: list[int] = np.minimum(table.uints(name), np.uint64(MAX_US)).tolist()
    return found


def _read_endpoints(table: MessageTable, data: bytes) -> list[Endpoint]:
    """Endpoints [n]; equal ones are one object."""
    names, ipv4, ipv6 = (_Texts(data, table.texts(name)) for name in ("service_name", "ipv4", "ipv6"))
    ports, starts = table.ints("port").tolist(), table.start.tolist()
    known: dict[tuple[bytes, bytes, bytes, int], Endpoint] = {}
    found = []
    for row in range(len(table)):
        key = names[row], ipv4[row], ipv6[row], ports[row]
        if key not in known:
            place = f"Endpoint at byte {starts[row]}"
            addresses = _to_address(key[1], _IPV4_BYTES, place), _to_address(key[2], _IPV6_BYTES, place)
            endpoint = Endpoint(key[0].decode(errors="replace"), *addresses, key[3] & 0xFFFF)
            known[key] = NOWHERE if endpoint == NOWHERE else endpoint
        found.append(known[key])
    return found


def _to_address(packed: bytes, n_bytes: int, place: str) -> str:
    if not packed:
        return ""
    if len(packed) != n_bytes:
        raise MalformedInputError(f"{place}: an address has {len(packed)} bytes, not {n_bytes}")
    return str(ipaddress.ip_address(packed))
