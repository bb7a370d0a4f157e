"""Spans over OTLP, and all of them read back.

A span is known by protocol, the number of its trace and its own; everything else follows from these, so that a span
that comes back can be told from any other. The spans of a trace come through many requests, some of them late.
"""

from __future__ import annotations

import hashlib
import json
import random
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import httpx
from google.protobuf import json_format
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span, TracesData

from tests.integration import acknowledged_load
from tests.integration.acknowledged_load import GrpcRoute, HttpRoute, Ledger
from tests.integration.processes import SwarmscopeServer

PROTOCOLS = ("otlp_grpc", "otlp_http", "otlp_json")
EXPORT = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
_SPANS_PER_REQUEST = 6
_NS_PER_S = 1_000_000_000
_STEP_NS = 1_000_003
_LATE = 2  # spans of a request that belong to the trace before


class Key(NamedTuple):
    """What names one span; `number` counts through all of a sender's."""

    protocol: str
    trace: int
    number: int
    first_ns: int

    @property
    def trace_id(self) -> bytes:
        """Evenly spread, as sampling goes by it."""
        return hashlib.blake2b(f"{self.protocol} {self.trace} {self.first_ns}".encode(), digest_size=16).digest()

    @property
    def is_error(self) -> bool:
        """A trace in ten fails, and one of its spans says so."""
        return self.trace % 10 == 3 and self.number % _SPANS_PER_REQUEST == 1

    def to_span(self) -> Span:
        """All of it; attributes are sorted by name, as they come back."""
        start_ns = self.first_ns + self.number * _STEP_NS
        span = Span(
            trace_id=self.trace_id, span_id=(self.number + 1).to_bytes(8, "big"), name=f"work {self.number % 7} über",
            kind=self.number % 5 + 1, start_time_unix_nano=start_ns, end_time_unix_nano=start_ns + self.number % 1009,
            flags=0x101,
        )  # fmt: skip
        if self.number % 3:
            span.parent_span_id = self.number.to_bytes(8, "big")
        span.status.SetInParent()
        if self.is_error:
            span.status.code, span.status.message = 2, f"failed at {self.number}"
        # Six shapes, one of them without attributes.
        for n in range(self.number % 6):
            value = span.attributes.add(key=f"a{n}").value
            if n % 2:
                value.int_value = self.number * n
            else:
                value.string_value = f"{self.protocol} {self.number} 🚀"
        if self.number % 4 == 0:
            event = span.events.add(time_unix_nano=start_ns + 1, name="said")
            event.attributes.add(key="n").value.int_value = self.number
        if self.number % 5 == 0:
            span.links.add(trace_id=self.trace_id, span_id=b"\1" * 8, trace_state="a=b")
        return span


@dataclass(kw_only=True)
class Plan(acknowledged_load.Plan):
    """`trace` and `number` count through all rounds."""

    first_ns: int
    requests_per_trace: int = 10
    trace: int = 0
    number: int = 0
    n_requests: int = 0

    def key_of(self, trace: int) -> Key:
        """A key of one of the plan's traces."""
        return Key(self.protocol, trace, 0, self.first_ns)

    def next_keys(self) -> list[Key]:
        """Spans of the newest trace and of the one before, in no order."""
        self.trace = self.n_requests // self.requests_per_trace
        self.n_requests += 1
        keys = []
        for place in range(_SPANS_PER_REQUEST):
            trace = max(0, self.trace - (place < _LATE))
            keys.append(Key(self.protocol, trace, self.number, self.first_ns))
            self.number += 1
        self.chance.shuffle(keys)
        return keys

    def route(self, server: SwarmscopeServer) -> HttpRoute | GrpcRoute:
        """Where the server takes the plan's protocol."""
        if self.protocol == "otlp_grpc":
            return GrpcRoute(server.otlp_grpc_port, EXPORT, to_export)
        as_json = self.protocol == "otlp_json"
        headers = {"content-type": "application/json" if as_json else "application/x-protobuf"}
        return HttpRoute(server.otlp_http_port, "/v1/traces", headers, to_json if as_json else to_export)


def make_plans(seed: int, **shape: Any) -> list[Plan]:
    """A sender for each protocol."""
    now_ns = int(time.time()) * _NS_PER_S
    return [Plan(protocol, random.Random(f"{seed} {protocol}"), first_ns=now_ns, **shape) for protocol in PROTOCOLS]


def to_message(keys: list[Key]) -> ExportTraceServiceRequest:
    """One resource and one scope for each protocol."""
    request = ExportTraceServiceRequest()
    group = request.resource_spans.add()
    for name, value in (("service.name", "load"), ("service.namespace", keys[0].protocol)):
        group.resource.attributes.add(key=name).value.string_value = value
    scope = group.scope_spans.add()
    scope.scope.name = "acknowledged"
    scope.spans.extend(key.to_span() for key in keys)
    return request


def to_export(keys: list[Key]) -> bytes:
    """An ExportTraceServiceRequest."""
    return to_message(keys).SerializeToString()


def to_json(keys: list[Key]) -> bytes:
    """The same in OTLP's JSON, in which ids are hexadecimal."""
    document = json_format.MessageToDict(to_message(keys), use_integers_for_enums=True)
    for key, span in zip(keys, document["resourceSpans"][0]["scopeSpans"][0]["spans"], strict=True):
        message = key.to_span()
        span["traceId"], span["spanId"] = message.trace_id.hex(), message.span_id.hex()
        if message.parent_span_id:
            span["parentSpanId"] = message.parent_span_id.hex()
        for link, sent in zip(span.get("links", []), message.links, strict=True):
            link["traceId"], link["spanId"] = sent.trace_id.hex(), sent.span_id.hex()
    return json.dumps(document).encode()


def read_trace(client: httpx.Client, server: SwarmscopeServer, trace_id: bytes) -> Iterator[Span]:
    """The spans of one trace over Tempo's API, none where it is not there."""
    answer = client.get(
        f"{server.address}/tempo/api/traces/{trace_id.hex()}", headers={"accept": "application/protobuf"}
    )
    if answer.status_code == 404:
        return
    assert answer.status_code == 200, answer.text
    for group in TracesData.FromString(answer.content).resource_spans:
        attributes = {each.key: each.value.string_value for each in group.resource.attributes}
        assert attributes["service.name"] == "load", attributes
        for scope in group.scope_spans:
            assert scope.scope.name == "acknowledged", scope
            yield from scope.spans


def read_spans(server: SwarmscopeServer, wanted: set[Key]) -> list[Key]:
    """Which of the spans are there, as often as they are; fails on any whose content is another's."""
    known = {(key.trace_id, (key.number + 1).to_bytes(8, "big")): key for key in wanted}
    found = []
    with httpx.Client(timeout=60) as client:
        for trace_id in {trace_id for trace_id, _ in known}:
            for span in read_trace(client, server, trace_id):
                key = known.get((span.trace_id, span.span_id))
                assert key is not None, f"a span that nobody sent: {span}"
                assert span == key.to_span(), f"{span}\nis not\n{key.to_span()}"
                found.append(key)
    return found


def count_spans(server: SwarmscopeServer, protocol: str, range_ns: tuple[int, int]) -> int:
    """Spans that a metrics query of TraceQL counts."""
    start_s, end_s = range_ns[0] // _NS_PER_S - 60, range_ns[1] // _NS_PER_S + 120
    parameters = {
        "q": f'{{ resource.service.namespace = "{protocol}" }} | count_over_time()', "start": str(start_s),
        "end": str(end_s), "step": "60s",
    }  # fmt: skip
    answer = httpx.get(f"{server.address}/tempo/api/metrics/query_range", params=parameters, timeout=60)
    assert answer.status_code == 200, answer.text
    return sum(int(sample.get("value", 0)) for series in answer.json()["series"] for sample in series["samples"])


def check(server: SwarmscopeServer, ledger: Ledger, earlier: set[Key]) -> set[Key]:
    """Fail unless all that was acknowledged, and all that was seen before, is there once; returns what is seen."""
    assert not ledger.failures, ledger.failures
    seen: set[Key] = set()
    for protocol in PROTOCOLS:
        sent = {key for key in ledger.sent if key.protocol == protocol}
        keys = ledger.compare(protocol, read_spans(server, sent), earlier)
        times = [key.first_ns + key.number * _STEP_NS for key in sent]
        assert count_spans(server, protocol, (min(times), max(times))) == len(keys)
        seen |= keys
    return seen
