"""Traces of a pretended agent fleet as OTLP bodies: eight spans each, of five services, ten attributes a span.

As for lines, a base of bodies is encoded once; every later round gets other times and ids written into the same bytes.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, InstrumentationScope, KeyValue
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from bench.log_lines import varint

SPANS_PER_TRACE = 8
SERVICES = ("gateway", "planner", "retriever", "model-proxy", "memory")
# Whose span each is, whose child, of what kind (Span.SpanKind), and when it begins and ends in 1/100 of the trace.
_TREE = (
    (0, -1, 2, 0, 100), (1, 0, 2, 2, 95), (2, 1, 3, 5, 30), (2, 2, 1, 8, 28), (3, 1, 3, 32, 80), (3, 4, 1, 35, 75),
    (4, 1, 4, 82, 90), (4, 6, 5, 85, 89),
)  # fmt: skip
_IDS = b"\x11" * 16
_TRACE_AT, _SPAN_AT, _PARENT_AT = 2, 20, 30  # the fields 1, 2 and 4 of a span, with one byte of tag and one of length
_MODELS = ("reasoner-large", "reasoner-small", "coder-medium", "judge-small")
_SLOW_NS = 400_000_000.0


@dataclass(slots=True)
class SpanBody:
    """One request. Positions [n_spans] say where each span's fields begin."""

    payload: bytearray
    span_id_at: NDArray[np.int64]
    parent_at: NDArray[np.int64]  # -1 for a root
    parent: NDArray[np.int64]  # [n_spans] row, -1 for a root
    start_at: NDArray[np.int64]  # the end stands nine bytes behind
    trace: NDArray[np.int64]  # [n_spans] number of the trace
    part: NDArray[np.float64]  # [n_spans, 2] of the trace's duration
    trace_ids: NDArray[np.uint8]  # [n_traces, 16] those of the last round

    @property
    def n_records(self) -> int:
        """How many spans."""
        return len(self.start_at)

    @property
    def n_times(self) -> int:
        """One a trace."""
        return len(self.trace_ids)

    def rewrite(self, times_ns: NDArray[np.int64], generator: np.random.Generator) -> bytes:
        """The body with other times [n_traces] and other ids."""
        cells = np.frombuffer(self.payload, np.uint8)
        self.trace_ids = generator.integers(0, 256, (self.n_times, 16), np.uint8)
        span_ids = generator.integers(0, 256, (self.n_records, 8), np.uint8)
        cells[(self.span_id_at - _SPAN_AT + _TRACE_AT)[:, None] + np.arange(16)] = self.trace_ids[self.trace]
        cells[self.span_id_at[:, None] + np.arange(8)] = span_ids
        inner = np.flatnonzero(self.parent >= 0)
        cells[self.parent_at[inner][:, None] + np.arange(8)] = span_ids[self.parent[inner]]
        lasts_ns = generator.exponential(_SLOW_NS, self.n_times) + 1e6
        for column, shift in ((0, 0), (1, 9)):
            moments = times_ns[self.trace] + (self.part[:, column] * lasts_ns[self.trace]).astype(np.int64)
            cells[(self.start_at + shift)[:, None] + np.arange(8)] = moments.view(np.uint8).reshape(-1, 8)
        return bytes(self.payload)


def encode_span_bodies(n_bodies: int, traces_per_body: int, seed: int = 11) -> list[SpanBody]:
    """Bodies in which each service's spans stand below its own resource."""
    source = random.Random(seed)
    return [_encode_body(traces_per_body, source) for _ in range(n_bodies)]


def _encode_body(n_traces: int, source: random.Random) -> SpanBody:
    payload = bytearray()
    starts = np.zeros(n_traces * SPANS_PER_TRACE, np.int64)  # where each span's message begins
    name_lengths = np.zeros_like(starts)
    for number, service in enumerate(SERVICES):
        rows = [row for row in range(len(starts)) if _TREE[row % SPANS_PER_TRACE][0] == number]
        spans = [_encode_span(row % SPANS_PER_TRACE, service, source) for row in rows]
        name_lengths[rows] = [length for _, length in spans]
        framed = [b"\x12" + varint(len(record)) + record for record, _ in spans]
        scope = InstrumentationScope(name=f"swarm.{service}", version="1.4.0").SerializeToString()
        of_scope = b"\x0a" + varint(len(scope)) + scope + b"".join(framed)
        resource = _resource(service).SerializeToString()
        of_resource = b"\x0a" + varint(len(resource)) + resource + b"\x12" + varint(len(of_scope)) + of_scope
        payload += b"\x0a" + varint(len(of_resource)) + of_resource
        ends = len(payload) - sum(map(len, framed)) + np.cumsum([len(frame) for frame in framed])
        starts[rows] = ends - [len(record) for record, _ in spans]
    tree = np.tile(np.array(_TREE, np.int64), (n_traces, 1))
    trace = np.repeat(np.arange(n_traces), SPANS_PER_TRACE)
    parent = np.where(tree[:, 1] < 0, -1, trace * SPANS_PER_TRACE + tree[:, 1])
    behind_ids = np.where(parent < 0, _PARENT_AT - 2, _PARENT_AT + 8)
    # Name with its tag and length, kind with its tag, the tag of the start.
    start_at = starts + behind_ids + 2 + name_lengths + 2 + 1
    return SpanBody(
        payload, starts + _SPAN_AT, np.where(parent < 0, -1, starts + _PARENT_AT), parent, start_at, trace,
        tree[:, 3:] / 100, np.zeros((n_traces, 16), np.uint8),
    )  # fmt: skip


def _resource(service: str) -> Resource:
    return Resource(
        attributes=[
            _pair("service.name", service), _pair("service.namespace", "swarm"), _pair("service.version", "2.3.1"),
            _pair("deployment.environment.name", "bench"), _pair("host.name", f"node-{len(service)}"),
        ]
    )  # fmt: skip


def _pair(key: str, value: str | int | float | bool) -> KeyValue:
    match value:
        case bool():
            return KeyValue(key=key, value=AnyValue(bool_value=value))
        case int():
            return KeyValue(key=key, value=AnyValue(int_value=value))
        case float():
            return KeyValue(key=key, value=AnyValue(double_value=value))
    return KeyValue(key=key, value=AnyValue(string_value=value))


def _encode_span(place: int, service: str, source: random.Random) -> tuple[bytes, int]:
    """The span's message, and how long its name is."""
    _, above, kind, _, _ = _TREE[place]
    name = f"{service}.operation-{source.randrange(8)}"
    is_error = source.random() < 0.02
    span = Span(
        trace_id=_IDS, span_id=_IDS[:8], parent_span_id=b"" if above < 0 else _IDS[:8], name=name, flags=0x101,
        kind=kind, start_time_unix_nano=1, end_time_unix_nano=1,  # type: ignore[arg-type]
        attributes=[_pair(key, value) for key, value in _attributes(service, source).items()],
    )  # fmt: skip
    if is_error:
        span.status.CopyFrom(Status(code=Status.STATUS_CODE_ERROR, message="deadline exceeded"))
    return span.SerializeToString(deterministic=True), len(name)


def _attributes(service: str, source: random.Random) -> dict[str, str | int | float | bool]:
    """Ten of them, as instrumentations of such a service write them."""
    common: dict[str, str | int | float | bool] = {
        "agent.name": f"agent-{source.randrange(60):02d}",
        "session.id": f"{source.getrandbits(48):012x}",
        "thread.id": source.randrange(32),
    }
    own: dict[str, dict[str, str | int | float | bool]] = {
        "gateway": {
            "http.request.method": source.choice(("GET", "POST")), "http.route": f"/v1/{source.choice('abcdef')}",
            "http.response.status_code": source.choice((200, 200, 200, 200, 404, 500)), "server.port": 443,
            "client.address": f"10.0.{source.randrange(64)}.{source.randrange(256)}",
            "user_agent.original": "swarm-client/1.4", "http.response.body.size": source.randrange(100_000),
        },
        "planner": {
            "plan.step": source.randrange(12), "plan.score": round(source.random(), 3), "plan.tools": "search,read",
            "task.id": f"task-{source.randrange(100_000)}", "task.priority": source.randrange(5),
            "code.function.name": f"plan_{source.randrange(8)}", "retry.count": source.randrange(3),
        },
        "retriever": {
            "db.system.name": "qdrant", "db.namespace": "papers", "db.operation.name": "search",
            "db.response.returned_rows": source.randrange(200), "search.score": round(source.random(), 4),
            "cache.hit": source.random() < 0.3, "server.address": f"shard-{source.randrange(8)}",
        },
        "model-proxy": {
            "gen_ai.operation.name": "chat", "gen_ai.provider.name": "example",
            "gen_ai.request.model": source.choice(_MODELS), "gen_ai.usage.input_tokens": source.randrange(12_000),
            "gen_ai.usage.output_tokens": source.randrange(2_000), "gen_ai.request.temperature": 0.2,
            "stream": source.random() < 0.5,
        },
        "memory": {
            "messaging.system": "kafka", "messaging.destination.name": f"memories-{source.randrange(4)}",
            "messaging.message.body.size": source.randrange(20_000), "peer.service": "memory",
            "messaging.operation.name": "send", "compressed": True, "shard": source.randrange(16),
        },
    }  # fmt: skip
    return {**common, **own[service]}
