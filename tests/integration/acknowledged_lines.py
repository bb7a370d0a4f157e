"""Senders of logs over every protocol that note each line before it leaves, and whether it was acknowledged.

A line is known by protocol, stream and time; its text and metadata follow from these, so that a line that comes back
can be told from any other. What a killed process has not answered is sent again first of all to its successor, as
every real agent does, and now and then something that was answered is sent twice.
"""

from __future__ import annotations

import http.client
import json
import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

import cramjam
import grpc
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest

from tests.integration.damaged_log_bodies import push
from tests.integration.processes import SwarmscopeServer

PROTOCOLS = ("push", "push_json", "otlp_grpc", "otlp_http")
EXPORT = "/opentelemetry.proto.collector.logs.v1.LogsService/Export"
_NS_PER_MS = 1_000_000
_STREAMS_PER_REQUEST = 4
_LINES_PER_STREAM = 3
_TIMEOUT_S = 30
_PAUSE_S = 0.1
_PACE_S = 0.003  # a kill wants requests under way, and a check wants to end
_STEP_NS = 1_000_003
_LATE_NS = 600_000 * _NS_PER_MS
_TWICE = 0.1
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


@dataclass
class Ledger:
    """What left, and what of it was acknowledged; thread-safe, as sets are changed whole."""

    sent: set[Key] = field(default_factory=set)
    acknowledged: set[Key] = field(default_factory=set)
    failures: list[str] = field(default_factory=list)
    sent_again: int = 0


@dataclass
class Plan:
    """The next requests of one sender: `stream` counts through all rounds, times ascend from `now_ns`."""

    protocol: str
    first_ns: int
    chance: random.Random
    stream: int = 0
    n_requests: int = 0
    unanswered: list[Key] = field(default_factory=list)  # of the last request, to be sent again
    answered: list[Key] = field(default_factory=list)  # the last request that was

    def next_keys(self) -> list[Key]:
        """Lines of a few streams, a third of them some minutes late, in no order."""
        self.n_requests += 1
        if self.n_requests % 4 == 1:
            self.stream += 1  # a quarter of the requests bring a stream that nobody has seen
        oldest = max(1, self.stream - _STREAMS_PER_REQUEST + 1)
        keys = []
        for stream in range(oldest, self.stream + 1):
            for number in range(_LINES_PER_STREAM):
                ts_ns = self.first_ns + (self.n_requests * _LINES_PER_STREAM + number) * _STEP_NS
                keys.append(Key(self.protocol, stream, ts_ns - (number == 0) * _LATE_NS))
        self.chance.shuffle(keys)
        return keys


def make_plans(seed: int, senders_per_protocol: int = 2) -> list[Plan]:
    """Senders of one protocol share neither streams nor times."""
    now_ns = int(time.time()) * 1000 * _NS_PER_MS
    return [
        Plan(protocol, now_ns, random.Random(f"{seed} {protocol} {number}"), stream=number * 1_000_000)
        for protocol in PROTOCOLS
        for number in range(senders_per_protocol)
    ]


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
    return bytes(cramjam.snappy.compress_raw(body))


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


class _HttpSender:
    def __init__(self, port: int, path: str, headers: dict[str, str], encode: Callable[[list[Key]], bytes]) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_TIMEOUT_S)
        self._path, self._headers, self._encode = path, headers, encode

    def send(self, keys: list[Key]) -> bool:
        self._connection.request("POST", self._path, self._encode(keys), self._headers)
        answer = self._connection.getresponse()
        text = answer.read()
        if answer.status in (429, 503):
            time.sleep(_PAUSE_S)
            return False
        # An OTLP answer that is not empty tells of a partial success.
        assert answer.status in (200, 204), f"{answer.status} {text!r}"
        assert not text, text
        return True

    def close(self) -> None:
        self._connection.close()


class _GrpcSender:
    def __init__(self, port: int) -> None:
        self._channel = grpc.insecure_channel(f"127.0.0.1:{port}")
        self._export = self._channel.unary_unary(EXPORT)

    def send(self, keys: list[Key]) -> bool:
        try:
            answer = self._export(to_export(keys), timeout=_TIMEOUT_S, wait_for_ready=False)
        except grpc.RpcError as error:
            retryable = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.RESOURCE_EXHAUSTED, grpc.StatusCode.CANCELLED)
            if error.code() not in retryable:
                raise
            time.sleep(_PAUSE_S)
            return False
        assert not answer, answer
        return True

    def close(self) -> None:
        self._channel.close()


def open_sender(protocol: str, server: SwarmscopeServer) -> _HttpSender | _GrpcSender:
    """A connection that sends keys by one protocol."""
    if protocol == "otlp_grpc":
        return _GrpcSender(server.otlp_grpc_port)
    if protocol == "otlp_http":
        return _HttpSender(server.otlp_http_port, "/v1/logs", {"content-type": "application/x-protobuf"}, to_export)
    encode, headers = (to_push_json, {"content-type": "application/json"}) if protocol == "push_json" else (
        to_push, {"content-type": "application/x-protobuf", "content-encoding": "snappy"},
    )  # fmt: skip
    return _HttpSender(server.port, "/loki/api/v1/push", headers, encode)


class Load:
    """One thread for each plan, until the server is gone or `stop` is called."""

    def __init__(self, server: SwarmscopeServer, plans: list[Plan], ledger: Ledger) -> None:
        self._server = server
        self._ledger = ledger
        self._stopping = threading.Event()
        self._threads = [threading.Thread(target=self._run, args=(plan,)) for plan in plans]
        for thread in self._threads:
            thread.start()

    def _run(self, plan: Plan) -> None:
        sender = open_sender(plan.protocol, self._server)
        try:
            while not self._stopping.is_set():
                self._send_next(plan, sender)
                time.sleep(_PACE_S)
        except (OSError, http.client.HTTPException):
            return  # the server is gone; what was in flight is not acknowledged
        except Exception as error:
            self._ledger.failures.append(f"{plan.protocol}: {error!r}")
        finally:
            sender.close()

    def _send_next(self, plan: Plan, sender: _HttpSender | _GrpcSender) -> None:
        again = plan.unanswered or (plan.answered if plan.chance.random() < _TWICE else [])
        keys = again or plan.next_keys()
        self._ledger.sent_again += bool(again)
        plan.unanswered = keys
        self._ledger.sent.update(keys)
        if sender.send(keys):
            plan.unanswered, plan.answered = [], keys
            self._ledger.acknowledged.update(keys)

    def stop(self) -> None:
        """End all threads."""
        self._stopping.set()
        for thread in self._threads:
            thread.join(_TIMEOUT_S)
            assert not thread.is_alive()
