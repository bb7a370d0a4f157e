"""Bodies of logs that no good sender would send, from a seed; the ways to spoil them are `damaged_bodies`'."""

from __future__ import annotations

import base64
import json
import random
from typing import Any

import orjson
from google.protobuf import json_format
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest

from swarmscope.receivers.loki.schema import push_request_class
from tests.integration.damaged_bodies import LONG, MANY, T_MS

T_NS = T_MS * 1_000_000
UINT64_MAX = (1 << 64) - 1
EXTREME_TIMES_NS = (0, 1, T_NS, T_NS + 999_999_999, (1 << 63) - 1, 1 << 63, UINT64_MAX)
TEXTS = (
    "",
    "plain",
    "über 🚀",
    'level=error msg="x y" n=3',
    '{"level":"warn","a":{"b":[1,2]}}',
    "a\x00b\x7f\r\n\t",
    "\\",
)
LABEL_TEXTS = (
    '{app="a"}', '{app="b", env="li\\"ve"}', "{app=`raw\\`}", '{service_name="s",level="info"}', "{}", "", '{a="b"',
    '{a!="b"}', '{"quoted.name"="x"}', '{a="b",a="c"}', '{1a="b"}', '{a="é\\u00e9\\x41"}',
)  # fmt: skip


# ── well-formed, or nearly ──


def otlp_message(chance: random.Random) -> Any:
    request = ExportLogsServiceRequest()
    for _ in range(chance.choice((0, 1, 1, 1, 2))):
        group = request.resource_logs.add(schema_url="https://example.org/schema")
        group.resource.attributes.add(key="service.name").value.string_value = chance.choice(TEXTS)
        group.resource.attributes.add(key="k8s.pod.name").value.int_value = chance.choice((-(1 << 63), 7))
        group.resource.dropped_attributes_count = chance.choice((0, (1 << 32) - 1))
        scope = group.scope_logs.add()
        scope.scope.name, scope.scope.version = chance.choice(TEXTS), "1"
        for _ in range(chance.choice((1, 2, 3))):
            _fill_record(scope.log_records.add(), chance)
    return request


def _fill_record(record: Any, chance: random.Random) -> None:
    record.time_unix_nano = chance.choice(EXTREME_TIMES_NS)
    record.observed_time_unix_nano = chance.choice(EXTREME_TIMES_NS)
    record.severity_number = chance.choice((0, 1, 9, 17, 24, 25, -1, (1 << 31) - 1))
    record.severity_text = chance.choice(("", "INFO", "error", "nonsense"))
    fill_value(record.body, chance)
    for _ in range(chance.choice((0, 2, 5))):
        fill_value(record.attributes.add(key=chance.choice(("", "a", "http.method", "trace_id", "é"))).value, chance)
    record.flags, record.dropped_attributes_count = chance.choice((0, 1, (1 << 32) - 1)), chance.choice((0, 3))
    record.trace_id = chance.choice((b"", b"\1" * 16, bytes(16), b"\1" * 15, b"\1" * 300))
    record.span_id = chance.choice((b"", b"\2" * 8, bytes(8), b"\2" * 9))
    record.event_name = chance.choice(("", "device.app.start"))


def fill_value(value: Any, chance: random.Random) -> None:
    kind = chance.randrange(8)
    if kind == 0:
        value.int_value = chance.choice((-(1 << 63), 0, (1 << 63) - 1))
    elif kind == 1:
        value.double_value = chance.choice((float("nan"), float("-inf"), -0.0, 5e-324, 0.1))
    elif kind == 2:
        value.bool_value = chance.random() < 0.5
    elif kind == 3:
        value.bytes_value = chance.randbytes(chance.choice((0, 1, 7)))
    elif kind == 4:
        value.array_value.values.add().string_value = chance.choice(TEXTS)
        value.array_value.values.add()
    elif kind == 5:
        value.kvlist_value.values.add(key="k").value.kvlist_value.values.add(key="l").value.int_value = 3
    elif kind == 6:
        value.string_value = chance.choice(TEXTS)


def otlp(chance: random.Random) -> bytes:
    body: bytes = otlp_message(chance).SerializeToString()
    return body


def otlp_json(chance: random.Random) -> bytes:
    document = json_format.MessageToDict(otlp_message(chance), use_integers_for_enums=True)
    if chance.random() < 0.9:  # else Base64, which OTLP has not
        _respell_ids(document)
    body = orjson.dumps(document)
    return retyped(body, chance) if chance.random() < 0.3 else body


def _respell_ids(document: dict[str, Any]) -> None:
    """Trace and span ids are hex in OTLP/JSON."""
    for group in document.get("resourceLogs", []):
        for record in (record for scope in group["scopeLogs"] for record in scope["logRecords"]):
            for name in record.keys() & {"traceId", "spanId"}:
                record[name] = base64.b64decode(record[name]).hex()


def loki(chance: random.Random) -> bytes:
    request: Any = push_request_class()()
    for _ in range(chance.choice((1, 1, 2))):
        labels = LABEL_TEXTS[0] if chance.random() < 0.6 else chance.choice(LABEL_TEXTS)
        stream = request.streams.add(labels=labels, hash=chance.choice((0, UINT64_MAX)))
        for _ in range(chance.choice((0, 1, 3))):
            entry = stream.entries.add(line=chance.choice(TEXTS))
            entry.timestamp.seconds, entry.timestamp.nanos = divmod(T_NS + 999_999_999, 10**9)
            if chance.random() < 0.1:
                entry.timestamp.seconds = chance.choice((0, -1, 1 << 33, (1 << 63) - 1, -(1 << 63)))
                entry.timestamp.nanos = chance.choice((0, 1_000_000_000, -1, (1 << 31) - 1))
            for _ in range(chance.choice((0, 0, 2))):
                entry.structuredMetadata.add(
                    name=chance.choice(("", "a", "trace_id", "é.x")), value=chance.choice(TEXTS)
                )
    body: bytes = request.SerializeToString()
    return body


LABELS = ({}, {"a.b": "c"}, {"é": "x"}, {"a": ""}, {"app": "b"}, {"app": "b", "level": "error"})
BAD_STAMPS = ("0", "-1", str(UINT64_MAX), "1e18", "", " 5", T_NS)


def loki_json(chance: random.Random) -> bytes:
    streams = []
    for _ in range(chance.choice((1, 1, 2))):
        labels = {"app": "a", "env": 'li"ve'} if chance.random() < 0.7 else chance.choice(LABELS)
        values: list[list[Any]] = []
        for _ in range(chance.choice((0, 1, 3))):
            ts: Any = str(T_NS) if chance.random() < 0.9 else chance.choice(BAD_STAMPS)
            values.append([ts, chance.choice(TEXTS)])
            if chance.random() < 0.3:
                values[-1].append({chance.choice(("a", "", "span_id", "é.x")): chance.choice(TEXTS)})
        streams.append({"stream": labels, "values": values})
    body = orjson.dumps({"streams": streams})
    return retyped(body, chance) if chance.random() < 0.3 else body


WRONG_VALUES = (None, True, -1, 1e300, "", "x", [], {}, [[]], {"a": {}}, ["1", "2", "3", "4"], {"stringValue": 3})


def retyped(body: bytes, chance: random.Random) -> bytes:
    """JSON in which one value, or its name, is another."""
    document = json.loads(body)
    holders: list[Any] = []

    def visit(node: Any) -> None:
        if isinstance(node, dict | list) and node:
            holders.append(node)
            for child in node.values() if isinstance(node, dict) else node:
                visit(child)

    visit(document)
    if not holders:
        return body
    holder = chance.choice(holders)
    if isinstance(holder, list):
        holder[chance.randrange(len(holder))] = chance.choice(WRONG_VALUES)
    else:
        name = chance.choice(list(holder))
        taken = holder.pop(name)
        if chance.random() < 0.5:
            holder[chance.choice((name.swapcase(), f"{name} ", "values", "é"))] = taken
        else:
            holder[name] = chance.choice(WRONG_VALUES)
    return json.dumps(document, ensure_ascii=chance.random() < 0.5).encode(errors="surrogatepass")


# ── large ones ──


def nested_field(number: int, data: bytes) -> bytes:
    """A field of a protobuf message that holds bytes."""
    length, size = len(data), bytearray()
    while length > 0x7F:
        size.append(length & 0x7F | 0x80)
        length >>= 7
    size.append(length)
    return bytes([number << 3 | 2]) + bytes(size) + data


def nested_list(depth: int) -> bytes:
    """An AnyValue: a list in a list in a list …"""
    value = b"\x0a\x01x"
    for _ in range(depth):
        value = nested_field(5, nested_field(1, value))  # AnyValue.array_value, ArrayValue.values
    return value


def deep_body(depth: int) -> bytes:
    """A record whose body is such a list."""
    record = nested_field(5, nested_list(depth))  # LogRecord.body
    return nested_field(1, nested_field(2, nested_field(2, record)))


def deep_map(depth: int) -> bytes:
    """A record with an attribute that is a map in a map in a map …"""
    value = b"\x0a\x01x"
    for _ in range(depth):
        value = nested_field(
            6, nested_field(1, nested_field(1, b"k") + nested_field(2, value))
        )  # AnyValue.kvlist_value, values
    return nested_field(
        1, nested_field(2, nested_field(2, nested_field(6, nested_field(1, b"a") + nested_field(2, value))))
    )


def deep_json(depth: int) -> bytes:
    value = '{"arrayValue":{"values":[' * depth + '{"stringValue":"x"}' + "]}}" * depth
    return f'{{"resourceLogs":[{{"scopeLogs":[{{"logRecords":[{{"body":{value}}}]}}]}}]}}'.encode()


def deep_push(depth: int) -> bytes:
    """A push in which something nobody reads is deep."""
    entry = f'{{"stream":{{"app":"deep"}},"values":[["{T_NS}","x"]]}}'
    return f'{{"other":{"[" * depth}{"]" * depth},"streams":[{entry}]}}'.encode()


def push(streams: list[tuple[str, list[tuple[int, str, dict[str, str]]]]]) -> bytes:
    """A PushRequest: (labels' text, [(ts_ns, line, metadata)])."""
    request: Any = push_request_class()()
    for labels, entries in streams:
        stream = request.streams.add(labels=labels)
        for ts_ns, line, metadata in entries:
            entry = stream.entries.add(line=line)
            entry.timestamp.seconds, entry.timestamp.nanos = divmod(ts_ns, 10**9)
            for name, value in metadata.items():
                entry.structuredMetadata.add(name=name, value=value)
    body: bytes = request.SerializeToString()
    return body


def large_pushes(ts_ns: int) -> list[bytes]:
    """One very long or broad thing each, beside a good line."""
    good = ('{app="good"}', [(ts_ns, "beside", {})])
    many = {f"m{number}": "v" for number in range(MANY)}
    labels = ", ".join(f'l{number}="v"' for number in range(MANY))
    bad: list[tuple[str, list[tuple[int, str, dict[str, str]]]]] = [
        ('{app="long"}', [(ts_ns, "x" * LONG, {})]),
        ('{app="many"}', [(ts_ns, "x", many)]),
        ('{app="value"}', [(ts_ns, "x", {"m": "v" * LONG})]),
        ('{app="name"}', [(ts_ns, "x", {"n" * LONG: "v"})]),
        (f"{{{labels}}}", [(ts_ns, "x", {})]),
        (f'{{app="{"v" * LONG}"}}', [(ts_ns, "x", {})]),
        (f'{{{"n" * LONG}="v"}}', [(ts_ns, "x", {})]),
    ]
    return [push([good, each]) for each in bad]
