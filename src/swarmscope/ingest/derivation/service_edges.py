"""Who calls whom: requests seen from both sides, databases, and those who send no spans.

Names, labels and rules are those of Tempo's metrics-generator:
https://grafana.com/docs/tempo/latest/metrics-from-traces/service_graphs/
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from swarmscope.ingest.derivation.derivation_settings import ServiceGraphSettings
from swarmscope.ingest.derivation.derived_table import DerivedTable, Family, Labels
from swarmscope.ingest.derivation.duration_histograms import Durations
from swarmscope.ingest.derivation.span_operations import SERVICE_NAME, label_text
from swarmscope.ingest.derivation.waiting_sides import EDGE, NO_DURATION, NO_SERVICE, Edges, WaitingSides
from swarmscope.model.attributes import AttributeSets, ValueKind
from swarmscope.model.byte_hash import hash_bytes, mix
from swarmscope.model.interned_rows import InternedRows
from swarmscope.model.raw_memory import address_of
from swarmscope.model.spans import SpanBatch, SpanKind, SpanStatus

_PLAIN, _VIRTUAL, _MESSAGING, _DATABASE = range(4)
_CONNECTION_TYPES = ("", "virtual_node", "messaging_system", "database")
_UNKNOWN_CLIENT = "user"
_OVERFLOW_SERVICE = "overflow"
_DATABASE_SIGNS = ("db.namespace", "db.name", "db.system", "db.system.name")
# By precedence; the port of a network address is not part of the name here.
_DATABASE_NAMES = ("peer.service", "server.address", "network.peer.address", *_DATABASE_SIGNS)
_REQUESTS, _FAILED, _UNPAIRED, _DROPPED = range(4)
_COUNTERS = (
    Family("traces_service_graph_request_total", "Total count of requests between two nodes"),
    Family("traces_service_graph_request_failed_total", "Total count of failed requests between two nodes"),
    Family("traces_service_graph_unpaired_spans_total", "Total count of unpaired spans"),
    Family("traces_service_graph_dropped_spans_total", "Total count of dropped spans"),
)
_HISTOGRAMS = (
    Family("traces_service_graph_request_client_seconds", "Time for a request as seen from the client", "seconds"),
    Family("traces_service_graph_request_server_seconds", "Time for a request as seen from the server", "seconds"),
)
_NS_PER_MS = 1_000_000
_MS_PER_S = 1000
# Names of services and peers: each edge has two, and peers that wait have one.
_NAMES_PER_EDGE = 4


class ServiceEdges:
    """One tenant's service graph. Not thread-safe."""

    def __init__(self, settings: ServiceGraphSettings, seed: int) -> None:
        self._settings = settings
        self._seed = np.uint64(seed)
        self._wait_ms = round(settings.wait_s * _MS_PER_S)
        self._names: InternedRows[str] = InternedRows(_NAMES_PER_EDGE * settings.max_edges, _OVERFLOW_SERVICE)
        self.waiting = WaitingSides(settings.max_waiting)
        self.table = DerivedTable(_COUNTERS, _HISTOGRAMS, settings.bounds_s, settings.max_edges, seed)

    def observe(self, batch: SpanBatch, now_ms: int) -> None:
        """Pair the batch's spans with each other and with those that wait."""
        outgoing = (batch.kind == SpanKind.CLIENT) | (batch.kind == SpanKind.PRODUCER)
        incoming = (batch.kind == SpanKind.SERVER) | (batch.kind == SpanKind.CONSUMER)
        rows = np.flatnonzero(outgoing | incoming)
        if not len(rows):
            return
        sides, is_root = self._sides(batch, rows, outgoing[rows]), ~batch.parent_id[rows].any(axis=1)
        sides["expires_ms"] = now_ms + self._wait_ms
        attributes = batch.attributes.take(rows)
        database = self._databases(sides, attributes, batch.kind[rows] == SpanKind.CLIENT)
        sides["peer"] = self._first_name(attributes, self._settings.peer_attributes)
        external = is_root & incoming[rows]
        self._name_clients(sides, external)
        whole, refused = self.waiting.match(sides[~(database | external)])
        self._count(whole, now_ms)
        self._count(sides[database | external], now_ms)
        self._count_lost(refused, _DROPPED, now_ms)

    def expire(self, now_ms: int) -> None:
        """Settle what has waited long enough: a peer attribute names the other side, else the span is unpaired."""
        gone = self.waiting.expire(now_ms)
        virtual = (gone["server"] == NO_SERVICE) & (gone["peer"] != NO_SERVICE)
        met = gone[virtual]
        met["server"], met["kind"] = met["peer"], _VIRTUAL
        self._count(met, now_ms)
        self._count_lost(gone[~virtual], _UNPAIRED, now_ms)
        if self._names.is_full:
            self._forget_names()

    def _sides(self, batch: SpanBatch, rows: NDArray[np.int64], outgoing: NDArray[np.bool_]) -> Edges:
        sides = np.zeros(len(rows), EDGE)
        names = batch.resources.attributes.column(SERVICE_NAME)
        services = np.array([self._names.row_of(label_text(names, at)) for at in range(len(names))], np.int64)
        service = services[batch.resource[rows]]
        duration = np.maximum(batch.end_ns[rows] - batch.start_ns[rows], 0)
        trace = np.ascontiguousarray(batch.trace_id[rows]).view(np.uint64)
        span = np.ascontiguousarray(batch.span_id[rows]).view(np.uint64)[:, 0]
        parent = np.ascontiguousarray(batch.parent_id[rows]).view(np.uint64)[:, 0]
        caller = np.where(outgoing, span, parent)
        sides["key"] = _pair_keys(trace, caller, self._seed)
        sides["client"] = np.where(outgoing, service, NO_SERVICE)
        sides["server"] = np.where(outgoing, NO_SERVICE, service)
        sides["client_ns"] = np.where(outgoing, duration, NO_DURATION)
        sides["server_ns"] = np.where(outgoing, NO_DURATION, duration)
        sides["client_span"], sides["server_span"] = span, span
        messaging = (batch.kind[rows] == SpanKind.PRODUCER) | (batch.kind[rows] == SpanKind.CONSUMER)
        sides["kind"] = np.where(messaging, _MESSAGING, _PLAIN)
        sides["failed"] = batch.status[rows] == SpanStatus.ERROR
        sides["end_ms"] = batch.end_ns[rows] // _NS_PER_MS
        sides["trace0"], sides["trace1"] = trace[:, 0], trace[:, 1]
        return sides

    def _databases(self, sides: Edges, attributes: AttributeSets, client: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Calls of databases are whole at once, as databases send no spans."""
        database = np.zeros(len(sides), np.bool_)
        for name in _DATABASE_SIGNS:
            database |= attributes.column(name).kind == ValueKind.STRING
        database &= client
        found = np.flatnonzero(database)
        if len(found):
            names = self._first_name(attributes.take(found), _DATABASE_NAMES)
            database[found[names == NO_SERVICE]] = False
            sides["server"][found] = names
            sides["server_ns"][found] = sides["client_ns"][found]
            sides["kind"][database] = _DATABASE
        return database

    def _name_clients(self, sides: Edges, external: NDArray[np.bool_]) -> None:
        """Who begins a trace with a server's span sends none itself."""
        user = self._names.row_of(_UNKNOWN_CLIENT)
        peer = sides["peer"][external]
        sides["client"][external] = np.where(peer == NO_SERVICE, user, peer)
        sides["kind"][external] = _VIRTUAL

    def _first_name(self, attributes: AttributeSets, names: tuple[str, ...]) -> NDArray[np.int64]:
        """The number [n] of the first of some attributes that a set has as text, NO_SERVICE where it has none."""
        found = np.full(len(attributes), NO_SERVICE, np.int64)
        for name in names:
            column = attributes.column(name)
            rows = np.flatnonzero((found == NO_SERVICE) & (column.kind == ValueKind.STRING) & (column.text.length > 0))
            if len(rows):
                text = column.text.take(rows)
                keys = _text_keys(text.buffer, text.start, text.length, self._seed)
                found[rows] = self._names.rows_of(keys, text.text)
        return found

    def _rows(self, edges: Edges, now_ms: int) -> NDArray[np.int64]:
        def labels_of(at: int) -> Labels:
            edge = edges[at]
            labels = {
                "client": self._name(int(edge["client"])),
                "connection_type": _CONNECTION_TYPES[int(edge["kind"])],
                "server": self._name(int(edge["server"])),
            }
            return tuple((name, value) for name, value in labels.items() if value)

        return self.table.rows_of(
            _edge_keys(edges["client"], edges["server"], edges["kind"], self._seed), labels_of, now_ms
        )

    def _name(self, number: int) -> str:
        return "" if number == NO_SERVICE else self._names.values[number] or ""

    def _count(self, edges: Edges, now_ms: int) -> None:
        if not len(edges):
            return
        rows = self._rows(edges, now_ms)
        self.table.add(_REQUESTS, rows, np.ones(len(rows)))
        self.table.add(_FAILED, rows, edges["failed"].astype(np.float64))
        trace = np.stack([edges["trace0"], edges["trace1"]], axis=1)
        for position, side in enumerate(("client", "server")):
            seen = edges[side + "_ns"] != NO_DURATION
            self.table.histograms[position].observe(
                Durations(rows[seen], edges[side + "_ns"][seen], edges["end_ms"][seen], trace[seen],
                          edges[side + "_span"][seen])
            )  # fmt: skip

    def _count_lost(self, sides: Edges, counter: int, now_ms: int) -> None:
        if len(sides):
            self.table.add(counter, self._rows(sides, now_ms), np.ones(len(sides)))

    def _forget_names(self) -> None:
        """Names that nobody waits with make room; edges keep their labels, and are found by them again."""
        everything = np.arange(1, len(self._names))
        self._names.forget(everything[~np.isin(everything, self.waiting.services())])
        self.table.rows.forget_keys()


@njit(nogil=True, cache=True)
def _pair_keys(trace: NDArray[np.uint64], caller: NDArray[np.uint64], seed: np.uint64) -> NDArray[np.uint64]:
    keys = np.empty(len(caller), np.uint64)
    for i in range(len(caller)):
        keys[i] = mix(mix(mix(seed, trace[i, 0]), trace[i, 1]), caller[i])
    return keys


@njit(nogil=True, cache=True)
def _edge_keys(
    client: NDArray[np.int64], server: NDArray[np.int64], kind: NDArray[np.int64], seed: np.uint64
) -> NDArray[np.uint64]:
    keys = np.empty(len(client), np.uint64)
    for i in range(len(client)):
        keys[i] = mix(mix(mix(seed, client[i]), server[i]), kind[i])
    return keys


@njit(nogil=True, cache=True)
def _text_keys(
    buffer: NDArray[np.uint8], start: NDArray[np.int64], length: NDArray[np.int64], seed: np.uint64
) -> NDArray[np.uint64]:
    base = address_of(buffer)
    keys = np.empty(len(start), np.uint64)
    for i in range(len(start)):
        keys[i] = hash_bytes(base + start[i], length[i], seed)
    return keys
