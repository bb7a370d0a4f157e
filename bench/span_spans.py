"""Synthetic traces in `SpanBatch`es: some 8 spans each, of 5 services, with 10 attributes of mixed kinds a span."""

from __future__ import annotations

import struct

import numpy as np
from numpy.typing import NDArray

from swarmscope.model.attributes import AttributeSets, ValueColumn, ValueKind, bytes_column
from swarmscope.model.labels import Utf8Column
from swarmscope.model.spans import Events, Links, Resources, Scopes, SpanBatch, SpanKind, SpanStatus

SPANS_PER_TRACE = 8
_SERVICES = ("gateway", "planner", "retriever", "model-proxy", "memory")
_N_OPERATIONS = 8  # a service
_ATTRIBUTES: dict[int, tuple[str, ...]] = {
    0: ("http.request.method", "http.route", "url.path", "http.response.status_code", "server.address", "server.port",
        "user_agent.original", "client.address", "network.protocol.version", "http.response.body.size"),
    1: ("agent.name", "agent.step", "task.id", "task.priority", "plan.score", "plan.tools", "retry.count",
        "code.function", "thread.id", "session.id"),
    2: ("db.system", "db.namespace", "db.operation.name", "db.collection.name", "db.response.returned_rows",
        "server.address", "server.port", "search.score", "cache.hit", "thread.id"),
    3: ("gen_ai.system", "gen_ai.request.model", "gen_ai.operation.name", "gen_ai.usage.input_tokens",
        "gen_ai.usage.output_tokens", "gen_ai.request.temperature", "gen_ai.response.id", "server.address",
        "http.response.status_code", "stream"),
    4: ("messaging.system", "messaging.destination.name", "messaging.message.id", "messaging.message.body.size",
        "peer.service", "rpc.system", "rpc.method", "rpc.grpc.status_code", "compressed", "shard"),
}  # fmt: skip


def _spelled(number: int) -> bytes:
    return number.to_bytes(8, "little")


def _values(name: str, rng: np.random.Generator, n: int) -> tuple[ValueKind, list[bytes]]:
    """n values of an attribute; what its name says decides of which kind and how varied."""
    if name.endswith((".id", "session.id")) and name != "thread.id":
        return ValueKind.STRING, [each.tobytes().hex()[:16].encode() for each in rng.integers(0, 1 << 63, n)]
    if name in ("cache.hit", "stream", "compressed"):
        return ValueKind.BOOL, [bytes([each]) for each in rng.integers(0, 2, n).tolist()]
    if name.endswith(("score", "temperature")):
        return ValueKind.DOUBLE, [struct.pack("<d", round(each, 3)) for each in rng.random(n).tolist()]
    if name == "http.response.status_code":
        return ValueKind.INT, [
            int(each).to_bytes(8, "little") for each in rng.choice([200, 200, 200, 201, 404, 500], n)
        ]
    if name.endswith(("size", "tokens", "rows")):
        return ValueKind.INT, [_spelled(int(each)) for each in rng.lognormal(7, 1, n)]
    if name.endswith(("port", "count", "priority", "step", "thread.id", "shard")):
        return ValueKind.INT, [_spelled(each) for each in rng.integers(0, 64, n).tolist()]
    if name == "url.path":
        return ValueKind.STRING, [f"/api/v1/tasks/{each}".encode() for each in rng.integers(0, 100_000, n).tolist()]
    if name == "client.address":
        return ValueKind.STRING, [
            f"10.0.{each >> 8}.{each & 255}".encode() for each in rng.integers(0, 1 << 14, n).tolist()
        ]
    return ValueKind.STRING, [f"{name.split('.')[-1]}-{each}".encode() for each in rng.integers(0, 12, n).tolist()]


def span_batch(rng: np.random.Generator, n_traces: int, start_ns: int, span_ns: int = 100_000) -> SpanBatch:
    """A request with so many traces, which begin `span_ns * SPANS_PER_TRACE` apart from `start_ns` on."""
    n = n_traces * SPANS_PER_TRACE
    place = np.tile(np.arange(SPANS_PER_TRACE), n_traces)
    service = place % len(_SERVICES)
    operation = rng.integers(0, _N_OPERATIONS, n)
    span_id = rng.integers(1, 1 << 63, n).view(np.uint8).reshape(n, 8)
    parent = span_id[np.maximum(np.arange(n) - 1 - rng.integers(0, 2, n) * (place > 1), 0)].copy()
    parent[place == 0] = 0
    trace_id = np.repeat(rng.integers(1, 1 << 63, (n_traces, 2)), SPANS_PER_TRACE, axis=0).view(np.uint8)
    begin = start_ns + np.arange(n) * span_ns + rng.integers(0, span_ns, n)
    duration = rng.lognormal(15, 1.5, n).astype(np.int64)
    status = np.where(rng.random(n) < 0.02, SpanStatus.ERROR, SpanStatus.UNSET).astype(np.uint8)
    kinds = np.array([SpanKind.SERVER, SpanKind.INTERNAL, SpanKind.CLIENT, SpanKind.CLIENT, SpanKind.PRODUCER])
    names = [f"{_SERVICES[a]}.operation-{b}" for a in range(len(_SERVICES)) for b in range(_N_OPERATIONS)]
    none = np.zeros(n, np.uint32)
    return SpanBatch(
        resources=_resources(), scopes=_scopes(), resource=service.astype(np.int64), scope=service.astype(np.int64),
        trace_id=trace_id, span_id=span_id, parent_id=parent, start_ns=begin, end_ns=begin + duration,
        kind=kinds[service].astype(np.uint8), status=status, flags=np.full(n, 0x101, np.uint32),
        dropped_attributes=none, dropped_events=none, dropped_links=none,
        name=Utf8Column.from_strings(names).take(service * _N_OPERATIONS + operation),
        status_message=Utf8Column.from_strings(["", "deadline exceeded"]).take((status // 2).astype(np.int64)),
        trace_state=Utf8Column.from_strings([""]).take(np.zeros(n, np.int64)), attributes=_attributes(rng, service),
        events=_events(status, begin + duration), links=Links.empty(n),
        keep=np.zeros(n, np.uint8), share=np.ones(n, np.float32),
    )  # fmt: skip


def _resources() -> Resources:
    sets = [
        {
            "service.name": name,
            "service.version": "1.4.2",
            "host.name": f"node-{index}",
            "telemetry.sdk.language": "python",
        }
        for index, name in enumerate(_SERVICES)
    ]
    n = len(sets)
    return Resources(AttributeSets.from_dicts(sets), Utf8Column.from_strings([""] * n), np.zeros(n, np.uint32))


def _scopes() -> Scopes:
    names = Utf8Column.from_strings([f"instrumentation.{name}" for name in _SERVICES])
    n = len(_SERVICES)
    texts = Utf8Column.from_strings(["0.55b1"] * n)
    return Scopes(names, texts, AttributeSets.empty(n), Utf8Column.from_strings([""] * n), np.zeros(n, np.uint32))


def _attributes(rng: np.random.Generator, service: NDArray[np.int64]) -> AttributeSets:
    n, width = len(service), 10
    row = np.zeros((n, width), np.int64)  # of the pair in the columns below
    kinds: list[NDArray[np.uint8]] = []
    texts: list[bytes] = []
    for number, names in _ATTRIBUTES.items():
        mine = np.flatnonzero(service == number)
        for slot, name in enumerate(names):
            kind, drawn = _values(name, rng, len(mine))
            row[mine, slot] = len(texts) + np.arange(len(mine))
            texts += drawn
            kinds.append(np.full(len(mine), kind, np.uint8))
    every = [name for names in _ATTRIBUTES.values() for name in names]
    named = Utf8Column.from_strings(every).take((service[:, None] * width + np.arange(width)).reshape(-1))
    values = ValueColumn(np.concatenate(kinds), bytes_column(texts)).take(row.reshape(-1))
    return AttributeSets(np.arange(n + 1) * width, named, values)


def _events(status: NDArray[np.uint8], ts_ns: NDArray[np.int64]) -> Events:
    failed = np.flatnonzero(status == SpanStatus.ERROR)
    offsets = np.concatenate([[0], np.cumsum(status == SpanStatus.ERROR)]).astype(np.int64)
    sets = [{"exception.type": "TimeoutError", "exception.message": "deadline exceeded"}] * len(failed)
    names = Utf8Column.from_strings(["exception"]).take(np.zeros(len(failed), np.int64))
    return Events(offsets, ts_ns[failed], names, AttributeSets.from_dicts(sets), np.zeros(len(failed), np.uint32))
