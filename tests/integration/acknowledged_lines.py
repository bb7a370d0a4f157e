"""Lines of logs in every protocol, and all of them read back.

A line is known by protocol, stream and time; its text and metadata follow from these, so that a line that comes back
can be told from any other.
"""

from __future__ import annotations

import json
import random
import time
from collections import Counter
from dataclasses import dataclass
from typing import NamedTuple

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest

from tests.integration import acknowledged_load
from tests.integration.acknowledged_load import GrpcRoute, HttpRoute, Ledger
from tests.integration.acknowledged_samples import snappy
from tests.integration.damaged_log_bodies import push
from tests.integration.log_reading import ReadLine, get, read_lines
from tests.integration.processes import SwarmscopeServer

PROTOCOLS = ("push", "push_json", "otlp_grpc", "otlp_http")
EXPORT = "/opentelemetry.proto.collector.logs.v1.LogsService/Export"
# A check asks for every stream at once.
SETTINGS = {"QUERY__MAX_LOG_SERIES": "100000"}
_NS_PER_MS = 1_000_000
_RANGE_NS = 7_200_000 * _NS_PER_MS
_STREAMS_PER_REQUEST = 4
_LINES_PER_STREAM = 3
_NEW_STREAM = 0.25  # of the requests bring one that nobody has seen
_STEP_NS = 1_000_003
_LATE_NS = 600_000 * _NS_PER_MS
_LEVELS = ("info", "warn", "error", "debug")
_WORDS = ("connect", "timeout", "order", "über", "{}", '"', "\\", "🚀")


class Key(NamedTuple):
    """What names one line."""

    protocol: str
    stream: int
    ts_ns: int

    @property
    def line(self) -> str:
        """Text of some words, and the key's own numbers."""
        chance = random.Random(str(self))
        words = " ".join(chance.choices(_WORDS, k=chance.choice((1, 5, 40))))
        return f"{self.protocol} {self.stream} {self.ts_ns} level={self.level} {words}"

    @property
    def level(self) -> str:
        return _LEVELS[self.ts_ns % 4]

    @property
    def metadata(self) -> dict[str, str]:
        """One pair, two, or none: several shapes."""
        return {f"m{number}": f"{self.ts_ns % 1009} {number}" for number in range(self.ts_ns % 3)}


@dataclass(kw_only=True)
class Plan(acknowledged_load.Plan):
    """`stream` counts through all rounds, times ascend from `first_ns`."""

    first_ns: int
    stream: int = 0
    n_requests: int = 0

    def next_keys(self) -> list[Key]:
        """Lines of a few streams, a third of them some minutes late, in no order."""
        self.n_requests += 1
        if self.n_requests == 1 or self.chance.random() < _NEW_STREAM:
            self.stream += 1
        oldest = max(1, self.stream - _STREAMS_PER_REQUEST + 1)
        keys = []
        for stream in range(oldest, self.stream + 1):
            for number in range(_LINES_PER_STREAM):
                ts_ns = self.first_ns + (self.n_requests * _LINES_PER_STREAM + number) * _STEP_NS
                keys.append(Key(self.protocol, stream, ts_ns - (number == 0) * _LATE_NS))
        self.chance.shuffle(keys)
        return keys

    def route(self, server: SwarmscopeServer) -> HttpRoute | GrpcRoute:
        """Where the server takes the plan's protocol."""
        protobuf = {"content-type": "application/x-protobuf"}
        if self.protocol == "otlp_grpc":
            return GrpcRoute(server.otlp_grpc_port, EXPORT, to_export)
        if self.protocol == "otlp_http":
            return HttpRoute(server.otlp_http_port, "/v1/logs", protobuf, to_export)
        if self.protocol == "push_json":
            return HttpRoute(server.port, "/loki/api/v1/push", {"content-type": "application/json"}, to_push_json)
        return HttpRoute(server.port, "/loki/api/v1/push", protobuf | {"content-encoding": "snappy"}, to_push)


def make_plans(seed: int) -> list[Plan]:
    """A sender for each protocol."""
    now_ns = int(time.time()) * 1000 * _NS_PER_MS
    return [Plan(protocol, random.Random(f"{seed} {protocol}"), first_ns=now_ns) for protocol in PROTOCOLS]


def _labels(key: Key) -> dict[str, str]:
    return {"service_name": "load", "protocol": key.protocol, "stream": str(key.stream)}


def to_push(keys: list[Key]) -> bytes:
    """Loki's PushRequest, in snappy."""
    streams: dict[int, list[tuple[int, str, dict[str, str]]]] = {}
    for key in keys:
        streams.setdefault(key.stream, []).append((key.ts_ns, key.line, key.metadata))
    protocol = keys[0].protocol
    body = push(
        [
            (f'{{service_name="load", protocol="{protocol}", stream="{stream}"}}', entries)
            for stream, entries in streams.items()
        ]
    )
    return snappy(body)


def to_push_json(keys: list[Key]) -> bytes:
    """The same in JSON."""
    streams = [{"stream": _labels(key), "values": [[str(key.ts_ns), key.line, key.metadata]]} for key in keys]
    return json.dumps({"streams": streams}).encode()


def to_export(keys: list[Key]) -> bytes:
    """An ExportLogsServiceRequest; what the store makes stream labels of stands in the resource."""
    request = ExportLogsServiceRequest()
    for key in keys:
        group = request.resource_logs.add()
        for name, value in (
            ("service.name", "load"), ("service.namespace", key.protocol), ("k8s.pod.name", str(key.stream)),
        ):  # fmt: skip
            group.resource.attributes.add(key=name).value.string_value = value
        record = group.scope_logs.add().log_records.add(time_unix_nano=key.ts_ns)
        record.body.string_value = key.line
        for name, value in key.metadata.items():
            record.attributes.add(key=name).value.string_value = value
    return request.SerializeToString()


def stream_selector(protocol: str) -> str:
    """OTLP's streams have the labels that resource attributes give them."""
    if protocol.startswith("otlp"):
        return f'{{service_name="load",service_namespace="{protocol}"}}'
    return f'{{service_name="load",protocol="{protocol}"}}'


def to_key(protocol: str, line: ReadLine) -> Key:
    return Key(protocol, int(line.labels["k8s_pod_name" if protocol.startswith("otlp") else "stream"]), line.ts_ns)


def read_counts(server: SwarmscopeServer, protocol: str, end_ns: int) -> Counter[tuple[int, str]]:
    """Lines by stream and level, as metric queries count them (without a filter: from the table of counts)."""
    label = "k8s_pod_name" if protocol.startswith("otlp") else "stream"
    query = f"sum by ({label}, detected_level) (count_over_time({stream_selector(protocol)}[2h]))"
    found = get(server, "query", query=query, time=end_ns)["result"]
    return Counter(
        {(int(each["metric"][label]), each["metric"]["detected_level"]): int(each["value"][1]) for each in found}
    )


def check(server: SwarmscopeServer, ledger: Ledger, earlier: set[Key]) -> set[Key]:
    """Fail unless all that was acknowledged, and all that was seen before, is there once; returns what is seen."""
    assert not ledger.failures, ledger.failures
    end_ns = max(key.ts_ns for key in ledger.sent) + 1
    seen: set[Key] = set()
    for protocol in PROTOCOLS:
        lines = read_lines(server, stream_selector(protocol), (end_ns - _RANGE_NS, end_ns))
        keys = ledger.compare(protocol, [to_key(protocol, line) for line in lines], earlier)
        for line in lines:
            key = to_key(protocol, line)
            assert (line.line, line.metadata) == (key.line, {**key.metadata, "detected_level": key.level}), line
        counted = Counter((key.stream, key.level) for key in keys)
        assert read_counts(server, protocol, end_ns) == counted
        seen |= keys
    return seen
