"""Log lines of a pretended agent fleet as OTLP bodies: JSON of about 330 bytes, six attributes, one id of its own each.

Lines are templates with a few values filled in, as programs write them. Encoding costs Python some 30 µs a line, so a
base of bodies is encoded once, and every later round gets other times and other ids written into the same bytes.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord

RARE_WORD = "zeppelin"
SERVICES = ("planner", "researcher", "coder", "critic")
INSTANCES = 10
_LINE_BYTES = 330
_ID_DIGITS = 12
_ID_MARK = b'"request_id":"'
_TOOLS = ("web_search", "read_file", "run_tests", "vector_query", "send_message", "write_patch", "summarise")
_MODELS = ("reasoner-large", "reasoner-small", "coder-medium", "judge-small")
_LEVELS = (("DEBUG", 5), ("INFO", 9), ("INFO", 9), ("INFO", 9), ("INFO", 9), ("WARN", 13), ("ERROR", 17))
_EVENTS = (
    ("tool_call_started", "calling tool {tool} with {n} arguments, attempt {few} of 3"),
    ("tool_call_finished", "tool {tool} answered with {n} results after {ms} ms"),
    ("model_call_finished", "model {model} finished: {n} prompt tokens read from the cache, finish reason stop"),
    ("handoff_accepted", "handoff to {service}-{few} accepted, the conversation goes on with {n} tokens of context"),
    ("plan_step_done", "step {few} of the plan is done, {n} ms before its deadline, next is {tool}"),
    ("retry_scheduled", "upstream answered 429, retrying {tool} in {ms} ms with exponential backoff"),
    ("guard_checked", "the safety monitor passed the answer with score 0.{n} and no findings"),
    ("context_compacted", "context compacted from {n} to {few} messages, the objective is kept"),
)
_FILLER = "the agent keeps its objective and reports to the supervisor when the budget of the conversation is spent "


@dataclass(slots=True)
class LogBody:
    """One request of one agent instance; `time_at` and `id_at` say where each line's time and id begin."""

    payload: bytearray
    time_at: NDArray[np.int64]  # [n_lines]
    id_at: NDArray[np.int64]  # [n_lines]

    @property
    def n_records(self) -> int:
        """How many lines."""
        return len(self.time_at)

    @property
    def n_times(self) -> int:
        """Every line has its own."""
        return len(self.time_at)

    def rewrite(self, times_ns: NDArray[np.int64], generator: np.random.Generator) -> bytes:
        """The body with other times [n_lines] and other ids."""
        cells = np.frombuffer(self.payload, np.uint8)
        cells[self.time_at[:, None] + np.arange(8)] = times_ns.astype("<i8").view(np.uint8).reshape(-1, 8)
        digits = np.frombuffer(b"0123456789abcdef", np.uint8)[generator.integers(0, 16, (self.n_records, _ID_DIGITS))]
        cells[self.id_at[:, None] + np.arange(_ID_DIGITS)] = digits
        return bytes(self.payload)


def encode_log_bodies(n_bodies: int, lines_per_body: int, seed: int = 7) -> list[LogBody]:
    """Bodies of all agent instances in turn. The first line of the first body has the rare word."""
    source = random.Random(seed)
    return [_encode_body(number, lines_per_body, source) for number in range(n_bodies)]


def _encode_body(number: int, n_lines: int, source: random.Random) -> LogBody:
    agent = number % (len(SERVICES) * INSTANCES)
    service, instance = SERVICES[agent % len(SERVICES)], agent // len(SERVICES)
    resource = [
        _pair("service.name", service),
        _pair("service.instance.id", f"{service}-{instance}"),
        _pair("deployment.environment.name", "bench"),
    ]
    shell = ExportLogsServiceRequest()
    group = shell.resource_logs.add()
    group.resource.attributes.extend(resource)
    group.scope_logs.add().scope.name = "swarm.runtime"
    records = [_encode_record(service, source, rare=number == 0 and line == 0) for line in range(n_lines)]
    return _joined(records, group.resource.SerializeToString(), group.scope_logs[0].scope.SerializeToString())


def _pair(key: str, value: str) -> KeyValue:
    return KeyValue(key=key, value=AnyValue(string_value=value))


def _encode_record(service: str, source: random.Random, *, rare: bool) -> bytes:
    level, severity = source.choice(_LEVELS)
    event, template = source.choice(_EVENTS)
    tool, model = source.choice(_TOOLS), source.choice(_MODELS)
    text = template.format(
        tool=tool, model=model, service=source.choice(SERVICES), n=source.randrange(4000), few=source.randrange(1, 9),
        ms=source.randrange(2000),
    )  # fmt: skip
    status = source.choice((200, 200, 200, 200, 200, 429, 500))
    head = (
        f'{{"level":"{level.lower()}","event":"{event}","msg":"{text}","tool":"{tool}",'
        f'"conversation":"conv-{source.randrange(5000):05d}","duration_ms":{round(source.expovariate(1 / 300), 1)},'
        f'"tokens":{source.randrange(4000)},"status":{status},"request_id":"{"0" * _ID_DIGITS}","note":"'
    )
    note = (f"{RARE_WORD} " if rare else "") + _FILLER * 2
    line = head + note[: max(0, _LINE_BYTES - len(head) - 2)] + '"}'
    record = LogRecord(
        time_unix_nano=1,
        severity_number=severity,  # type: ignore[arg-type]
        severity_text=level,
        body=AnyValue(string_value=line),
    )
    record.attributes.extend(
        [
            _pair("agent.role", service),
            _pair("code.function.name", f"{service}.{event}"),
            _pair("thread.id", str(source.randrange(16))),
            _pair("session.id", f"s-{source.randrange(2000):04d}"),
            _pair("gen_ai.request.model", model),
            _pair("retry.count", str(source.randrange(3))),
        ]
    )
    return record.SerializeToString()


def _joined(records: list[bytes], resource: bytes, scope: bytes) -> LogBody:
    """The request around the records, and where their times and ids are in it."""
    framed = [b"\x12" + varint(len(record)) + record for record in records]
    scope_logs = b"\x0a" + varint(len(scope)) + scope + b"".join(framed)
    resource_logs = b"\x0a" + varint(len(resource)) + resource + b"\x12" + varint(len(scope_logs)) + scope_logs
    payload = b"\x0a" + varint(len(resource_logs)) + resource_logs
    ends = len(payload) - sum(map(len, framed)) + np.cumsum([len(frame) for frame in framed])
    starts = ends - [len(record) for record in records]
    # `time_unix_nano` is field 1, so it stands behind the record's first tag.
    ids = [record.index(_ID_MARK) + len(_ID_MARK) for record in records]
    return LogBody(bytearray(payload), starts + 1, starts + np.array(ids))


def varint(number: int) -> bytes:
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)
