"""Zipkin's spans collected, and turned into a batch at once."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from swarmscope.model import zipkin_conventions as conventions
from swarmscope.model.attributes import NUMBER_BYTES, AttributeSets, ValueColumn, ValueKind, bytes_column
from swarmscope.model.errors import MalformedInputError
from swarmscope.model.labels import Utf8Column
from swarmscope.model.logs import SPAN_ID_BYTES, TRACE_ID_BYTES
from swarmscope.model.spans import Events, Links, Resources, SpanBatch
from swarmscope.receivers.wire.attribute_names import settle_names
from swarmscope.receivers.wire.key_hash import derive_secrets
from swarmscope.receivers.wire.span_push import PushedSpans
from swarmscope.receivers.wire.span_tags import read_tags
from swarmscope.receivers.wire.utf8 import invalid_utf8, repair_spans
from swarmscope.receivers.zipkin.annotations import parse_event, spell_json
from swarmscope.receivers.zipkin.zipkin_span import MAX_US, NOWHERE, Endpoint, ZipkinSpan

_NAME_PURPOSE = 15  # of the hash of tags' names
_NS_PER_US = 1000
_STRING, _TRUE = bytes([ValueKind.STRING]), (bytes([ValueKind.BOOL]), b"\1")


class _Pairs(NamedTuple):
    """Attributes that an endpoint stands for."""

    names: list[bytes]
    kinds: bytes
    values: list[bytes]


class _PairLists:
    """Attributes of many sets, one behind the other."""

    def __init__(self) -> None:
        self.names: list[bytes] = []
        self.values: list[bytes] = []
        self.kinds = bytearray()
        self.ends = [0]

    def add(self, names: list[bytes], kinds: bytes, values: list[bytes]) -> None:
        """More of the set that is being made."""
        self.names += names
        self.kinds += kinds
        self.values += values

    def end_set(self) -> None:
        """The next attributes are the next set's."""
        self.ends.append(len(self.names))

    def to_sets(self) -> tuple[AttributeSets, int]:
        """The sets, their texts mended, and how many were."""
        kinds = np.frombuffer(bytes(self.kinds), np.uint8)
        names, n_names = mend_column(bytes_column(self.names))
        values, n_values = mend_column(bytes_column(self.values), kinds == ValueKind.STRING)
        return AttributeSets(np.array(self.ends, np.int64), names, ValueColumn(kinds, values)), n_names + n_values


def mend_column(column: Utf8Column, which: NDArray[np.bool_] | None = None) -> tuple[Utf8Column, int]:
    """The texts (of `which` [n] alone) as UTF-8, and how many were not."""
    invalid = invalid_utf8(column)
    rows = np.flatnonzero(invalid if which is None else invalid & which)
    if not len(rows):  # Fast path
        return column, 0
    text, starts, lengths = repair_spans(column.buffer, column.start[rows], column.length[rows])
    start, length = column.start.copy(), column.length.copy()
    start[rows], length[rows] = len(column.buffer) + starts, lengths
    # Read-only, as what needed no mending is: kernels are compiled for one kind of buffer only.
    buffer = np.concatenate((column.buffer, text))
    buffer.flags.writeable = False
    return Utf8Column(buffer, start, length), len(rows)


def _spell_endpoint(endpoint: Endpoint, names: tuple[str, str, str, str]) -> _Pairs:
    """Attributes `names`: of service, address, second address and port; "" for none."""
    service, address, second, port = names
    first_ip, second_ip = (endpoint.ipv4, endpoint.ipv6) if endpoint.ipv4 else (endpoint.ipv6, "")
    told = [(service, endpoint.service), (address, first_ip), (second, second_ip)]
    given = [(name.encode(), text.encode()) for name, text in told if name and text]
    kinds = _STRING * len(given)
    if endpoint.port:
        given.append((port.encode(), endpoint.port.to_bytes(NUMBER_BYTES, "little", signed=True)))
        kinds += bytes([ValueKind.INT])
    return _Pairs([name for name, _ in given], kinds, [value for _, value in given])


_LOCAL_NAMES = ("", conventions.LOCAL_IP, conventions.LOCAL_IPV6, conventions.LOCAL_PORT)
_REMOTE_NAMES = (
    conventions.REMOTE_SERVICE,
    conventions.REMOTE_IP,
    conventions.REMOTE_IPV6,
    conventions.REMOTE_PORT,
)
_SHARED, _DEBUG, _NO_TIMESTAMP = (
    [name.encode()] for name in (conventions.SHARED, conventions.DEBUG, conventions.NO_TIMESTAMP)
)


class SpanRows:
    """Collects the spans of one request."""

    def __init__(self, now_ns: Callable[[], int]) -> None:
        self.refused: dict[str, int] = {}
        self._now_ns = now_ns
        self._ids: tuple[list[bytes], list[bytes], list[bytes]] = ([], [], [])
        self._names: list[bytes] = []
        self._kinds = bytearray()
        self._start_us: list[int] = []
        self._end_us: list[int] = []
        self._services: dict[str, int] = {}
        self._resource: list[int] = []
        self._attributes = _PairLists()
        self._event_us: list[int] = []
        self._event_names: list[bytes] = []
        self._event_dropped: list[int] = []
        self._event_attributes = _PairLists()
        self._event_ends = [0]
        self._locals: dict[Endpoint, _Pairs] = {}
        self._remotes: dict[Endpoint, _Pairs] = {}

    def refuse(self, reason: str) -> None:
        """One span is not taken."""
        self.refused[reason] = self.refused.get(reason, 0) + 1

    def add(self, span: ZipkinSpan) -> None:
        """One more span."""
        for ids, one in zip(self._ids, (span.trace_id, span.span_id, span.parent_id), strict=True):
            ids.append(one)
        self._names.append(span.name)
        self._kinds.append(span.kind)
        service = span.local.service
        number = self._services.get(service)
        if number is None:
            number = self._services[service] = len(self._services)
        self._resource.append(number)
        self._add_endpoint(self._locals, span.local, _LOCAL_NAMES)
        self._add_endpoint(self._remotes, span.remote, _REMOTE_NAMES)
        start_us = span.timestamp_us
        if not start_us:
            start_us = self._missing_start(span)
        self._start_us.append(start_us)
        self._end_us.append(min(start_us + span.duration_us, MAX_US))
        for told, name in ((span.shared, _SHARED), (span.debug, _DEBUG)):
            if told:
                self._attributes.add(name, *_as_true())
        # Behind what the span itself tells: of a name that stands twice the last one counts.
        self._attributes.add(span.tag_names, _STRING * len(span.tag_names), span.tag_values)
        self._attributes.end_set()
        for at_us, text in span.annotations:
            self._add_event(at_us, text)
        self._event_ends.append(len(self._event_us))

    def _add_endpoint(
        self, known: dict[Endpoint, _Pairs], endpoint: Endpoint, names: tuple[str, str, str, str]
    ) -> None:
        if endpoint is NOWHERE:
            return
        pairs = known.get(endpoint)
        if pairs is None:
            pairs = known[endpoint] = _spell_endpoint(endpoint, names)
        self._attributes.add(*pairs)

    def _missing_start(self, span: ZipkinSpan) -> int:
        self._attributes.add(_NO_TIMESTAMP, *_as_true())
        times = [at_us for at_us, _ in span.annotations if at_us]
        return min(times) if times else self._now_ns() // _NS_PER_US

    def _add_event(self, at_us: int, text: str) -> None:
        self._event_us.append(at_us)
        event = parse_event(text) if text[-1:] == "}" or "|" in text else None
        if event is None:
            self._event_names.append(text.encode(errors="replace"))
            self._event_dropped.append(0)
        else:  # Slow path
            self._event_names.append(event.name.encode(errors="replace"))
            self._event_dropped.append(event.dropped)
            spelled = [spell_json(value) for value in event.attributes.values()]
            names = [name.encode(errors="replace") for name in event.attributes]
            self._event_attributes.add(names, bytes(kind for kind, _ in spelled), [value for _, value in spelled])
        self._event_attributes.end_set()

    def to_pushed(self, tenant: str, seed: int) -> PushedSpans:
        """The batch, and what is not in it."""
        secrets = derive_secrets(seed, _NAME_PURPOSE)
        n = len(self._names)
        sets, n_repaired = self._attributes.to_sets()
        name, n_names = mend_column(bytes_column(self._names))
        told = read_tags(
            settle_names(sets, secrets), np.frombuffer(bytearray(self._kinds), np.uint8), seed,
            error_holds_message=True, internal_only=True,
        )  # fmt: skip
        events, n_events = self._to_events(secrets)
        # Whoever owns a batch may change it: what lies on bytes could not be.
        trace_id, span_id, parent_id = (
            np.frombuffer(bytearray().join(ids), np.uint8).reshape(n, width)
            for ids, width in zip(self._ids, (TRACE_ID_BYTES, SPAN_ID_BYTES, SPAN_ID_BYTES), strict=True)
        )
        batch = SpanBatch(
            resources=self._to_resources(),
            scopes=told.scopes,
            resource=np.array(self._resource, np.int64),
            scope=told.scope,
            trace_id=trace_id,
            span_id=span_id,
            parent_id=parent_id,
            start_ns=np.array(self._start_us, np.int64) * _NS_PER_US,
            end_ns=np.array(self._end_us, np.int64) * _NS_PER_US,
            kind=told.kind,
            status=told.status,
            flags=np.zeros(n, np.uint32),
            dropped_attributes=told.dropped_attributes,
            dropped_events=told.dropped_events,
            dropped_links=told.dropped_links,
            name=name,
            status_message=told.status_message,
            trace_state=told.trace_state,
            attributes=told.attributes,
            events=events,
            links=Links.empty(n),
            keep=np.zeros(n, np.uint8),
            share=np.ones(n, np.float32),
            tenant=tenant,
        )
        return PushedSpans(batch, n_repaired + n_names + n_events, self.refused)

    def _to_resources(self) -> Resources:
        n = len(self._services)
        sets = AttributeSets.from_dicts({conventions.SERVICE_NAME: name} if name else {} for name in self._services)
        return Resources(sets, Utf8Column.from_strings([""] * n), np.zeros(n, np.uint32))

    def _to_events(self, secrets: NDArray[np.uint64]) -> tuple[Events, int]:
        sets, n_repaired = self._event_attributes.to_sets()
        name, n_names = mend_column(bytes_column(self._event_names))
        ts_ns = np.array(self._event_us, np.int64) * _NS_PER_US
        dropped = np.array(self._event_dropped, np.uint32)
        offsets = np.array(self._event_ends, np.int64)
        return Events(offsets, ts_ns, name, settle_names(sets, secrets), dropped), n_repaired + n_names


def _as_true() -> tuple[bytes, list[bytes]]:
    kind, value = _TRUE
    return kind, [value]


def to_us(value: object, place: str) -> int:
    """A time or duration in microseconds, within what nanoseconds hold; 0 where there is none.

    Raises MalformedInputError, which names the place.
    """
    if value is None:
        return 0
    if type(value) is not int:
        try:
            value = int(value) if isinstance(value, int | float) else int(str(value))
        except (ValueError, OverflowError) as error:
            raise MalformedInputError(f"{place}: {str(value)[:40]!r} is no number of microseconds") from error
    return min(max(value, 0), MAX_US)
