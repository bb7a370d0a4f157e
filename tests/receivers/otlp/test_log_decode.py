from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest

from swarmscope.model.errors import LimitExceededError, MalformedInputError
from swarmscope.receivers.otlp import log_decode
from swarmscope.receivers.otlp.log_decode import DecodedLogs, LogsDecoder
from swarmscope.receivers.otlp.settings import OtlpSettings
from swarmscope.receivers.wire import log_pairs
from swarmscope.testing.sinks import RecordedLine, RecordingLogSink

T_NS = 1_700_000_000_000_000_000
NOW_NS = 1_800_000_000_000_000_000


class Exchange:
    """A decoder, a sink that records, and a request with one resource and scope to fill."""

    def __init__(self, **settings: Any) -> None:
        self.sink = RecordingLogSink()
        self.decoder = LogsDecoder(OtlpSettings(**settings), self.sink.index, lambda: NOW_NS)
        self.request: Any = ExportLogsServiceRequest()

    def add(self, resource: dict[str, Any] | None = None) -> Any:
        """A new resource's scope."""
        group = self.request.resource_logs.add()
        attribute_all(group.resource.attributes, resource or {})
        return group.scope_logs.add()

    def send(self, body: bytes | None = None) -> DecodedLogs:
        data = self.request.SerializeToString() if body is None else body
        decoded = self.decoder.decode(np.frombuffer(data, np.uint8), "default")
        self.sink.write_logs(decoded.batch)
        self.request.Clear()
        return decoded

    def only(self, fill: Callable[[Any], Any]) -> RecordedLine:
        """The line that one record makes."""
        fill(self.add({"service.name": "s"}).log_records.add(time_unix_nano=T_NS))
        self.send()
        return self.sink.lines()[-1]


def attribute_all(attributes: Any, values: dict[str, Any]) -> None:
    for key, value in values.items():
        set_value(attributes.add(key=key).value, value)


def set_value(target: Any, value: Any) -> None:
    if isinstance(value, dict):
        target.kvlist_value.SetInParent()
        attribute_all(target.kvlist_value.values, value)
    elif isinstance(value, list):
        target.array_value.SetInParent()
        for item in value:
            set_value(target.array_value.values.add(), item)
    elif value is not None:
        kind = {str: "string_value", bool: "bool_value", int: "int_value", float: "double_value", bytes: "bytes_value"}
        setattr(target, kind[type(value)], value)


@pytest.fixture
def exchange() -> Exchange:
    return Exchange()


def test_a_record_with_every_field(exchange: Exchange) -> None:
    scope = exchange.add({"service.name": "shop", "host.name": "h1"})
    exchange.request.resource_logs[0].resource.dropped_attributes_count = 3
    scope.scope.name, scope.scope.version, scope.scope.dropped_attributes_count = "lib", "1.2", 4
    attribute_all(scope.scope.attributes, {"scope.key": "v"})
    record = scope.log_records.add(
        time_unix_nano=T_NS, observed_time_unix_nano=T_NS + 7, severity_number=17, severity_text="ERROR",
        dropped_attributes_count=5, flags=257, trace_id=bytes(range(16)), span_id=bytes(range(1, 9)),
        event_name="order.failed",
    )  # fmt: skip
    record.body.string_value = "line\nüber"
    attribute_all(record.attributes, {"http.method": "GET", "n": -12, "ok": True, "no": False, "took": 0.25})
    assert exchange.send().n_repaired == 0
    assert exchange.sink.lines() == [
        RecordedLine(
            tenant="default",
            labels={"service_name": "shop"},
            ts_ns=T_NS,
            line="line\nüber",
            metadata={
                "host.name": "h1", "resource_dropped_attributes_count": "3",
                "scope.key": "v", "scope_name": "lib", "scope_version": "1.2", "scope_dropped_attributes_count": "4",
                "http.method": "GET", "n": "-12", "ok": "true", "no": "false", "took": "0.25",
                "dropped_attributes_count": "5", "flags": "257", "event_name": "order.failed",
                "severity_text": "ERROR",
            },
            level=0,
            severity=17,
            observed_ns=T_NS + 7,
            trace_id="000102030405060708090a0b0c0d0e0f",
            span_id="0102030405060708",
        )
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("body", "line"),
    [
        ("text", "text"),
        ("", ""),
        (None, ""),
        (True, "true"),
        (-5, "-5"),
        (-(1 << 63), "-9223372036854775808"),
        (2.0, "2"),
        (1e21, "1e+21"),
        (1e16, "10000000000000000"),
        (0.000001, "0.000001"),
        (b"\x00\xff", "AP8="),
        ([1, "a", None], '[1,"a",null]'),
        ({"b": {"c": "d"}, "a": [True]}, '{"a":[true],"b":{"c":"d"}}'),
        ({}, "{}"),
    ],
)
def test_bodies(exchange: Exchange, body: Any, line: str) -> None:
    assert exchange.only(lambda record: set_value(record.body, body)).line == line


def test_maps_among_attributes_are_flattened(exchange: Exchange) -> None:
    nested = {"before": "1", "http": {"request": {"method": "PUT", "empty": ""}, "size": 3}, "gone": {}, "list": [1, 2]}
    found = exchange.only(lambda record: attribute_all(record.attributes, nested))
    assert found.metadata == {"before": "1", "http.request.method": "PUT", "http.size": "3", "list": "[1,2]"}


def test_a_resources_maps_are_flattened_too(exchange: Exchange) -> None:
    exchange.add({"service": {"name": "s"}, "process": {"pid": 7}}).log_records.add(time_unix_nano=T_NS)
    exchange.send()
    line = exchange.sink.lines()[0]
    assert (line.labels, line.metadata) == ({"service_name": "s"}, {"process.pid": "7"})


def test_the_last_of_a_name_counts_and_empty_values_are_dropped(exchange: Exchange) -> None:
    def fill(record: Any) -> None:
        for value in ("first", "last"):
            attribute_all(record.attributes, {"twice": value})
        attribute_all(record.attributes, {"gone": "x", "empty": "", "": "nameless"})
        attribute_all(record.attributes, {"gone": ""})

    assert exchange.only(fill).metadata == {"twice": "last"}


def test_a_records_own_wins_over_scope_and_resource(exchange: Exchange) -> None:
    scope = exchange.add({"a": "resource", "b": "resource", "c": "resource"})
    attribute_all(scope.scope.attributes, {"b": "scope", "c": "scope"})
    record = scope.log_records.add(severity_text="INFO")
    attribute_all(record.attributes, {"c": "record", "severity_text": "attribute"})
    exchange.send()
    assert exchange.sink.lines()[0].metadata == {"a": "resource", "b": "scope", "c": "record", "severity_text": "INFO"}


def test_repeated_and_typed_names_alternate_with_clean_ones(exchange: Exchange) -> None:
    # A verdict on names is remembered by their hash: what is remembered must be of the same names.
    scope = exchange.add({})
    wanted = []
    for number in range(600):
        record = scope.log_records.add()
        kind = number % 3
        attribute_all(record.attributes, {"x": "1", f"k{number % 7}": str(number)})
        if kind == 1:
            attribute_all(record.attributes, {"x": "2"})
        if kind == 2:
            attribute_all(record.attributes, {"trace_id": f"{number:032x}"})
        wanted.append(({"x": "2" if kind == 1 else "1", f"k{number % 7}": str(number)}, number if kind == 2 else 0))
    exchange.send()
    found = [(line.metadata, int(line.trace_id or "0", 16)) for line in exchange.sink.lines()]
    assert found == wanted


@pytest.mark.parametrize(
    ("name", "text", "column", "value"),
    [
        ("trace_id", "0AF7651916CD43DD8448EB211C80319C", "trace_id", "0af7651916cd43dd8448eb211c80319c"),
        ("span_id", "b7ad6b7169203331", "span_id", "b7ad6b7169203331"),
        ("severity_number", "9", "severity", 9),
        ("observed_timestamp", "1700000000000000001", "observed_ns", 1_700_000_000_000_000_001),
        ("detected_level", "warn", "level", 4),
    ],
)
def test_attributes_with_a_typed_column(exchange: Exchange, name: str, text: str, column: str, value: Any) -> None:
    line = exchange.only(lambda record: attribute_all(record.attributes, {name: text}))
    assert (getattr(line, column), line.metadata) == (value, {})


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("trace_id", "0af7651916cd43dd8448eb211c80319"),
        ("trace_id", "0af7651916cd43dd8448eb211c80319g"),
        ("trace_id", "0" * 32),
        ("span_id", "b7ad6b716920333"),
        ("severity_number", "25"),
        ("severity_number", "x"),
        ("observed_timestamp", "99999999999999999999"),
        ("detected_level", "loud"),
    ],
)
def test_what_a_typed_column_cannot_hold_stays_metadata(exchange: Exchange, name: str, text: str) -> None:
    line = exchange.only(lambda record: attribute_all(record.attributes, {name: text}))
    assert line.metadata == {name: text}
    assert (line.trace_id, line.span_id, line.severity, line.observed_ns, line.level) == ("", "", 0, 0, 0)


def test_a_records_trace_wins_over_an_attribute(exchange: Exchange) -> None:
    def fill(record: Any) -> None:
        record.trace_id = b"\x11" * 16
        attribute_all(record.attributes, {"trace_id": "22" * 16})

    line = exchange.only(fill)
    assert (line.trace_id, line.metadata) == ("11" * 16, {})


def test_times(exchange: Exchange) -> None:
    scope = exchange.add({})
    for event_ns, observed_ns in ((5, 6), (0, 6), (0, 0), ((1 << 64) - 1, 0)):
        scope.log_records.add(time_unix_nano=event_ns, observed_time_unix_nano=observed_ns)
    exchange.send()
    assert [line.ts_ns for line in exchange.sink.lines()] == [5, 6, NOW_NS, (1 << 63) - 1]


@pytest.mark.parametrize("number", [25, -1, 1 << 31])
def test_severities_that_do_not_exist(exchange: Exchange, number: int) -> None:
    # Enums are open on the wire: field 2 as a varint.
    varint = exchange.only(lambda record: None)
    assert varint.severity == 0
    raw = encode_varint(number & (1 << 64) - 1)
    record = b"\x10" + raw
    exchange.send(wrap(record))
    assert exchange.sink.lines()[-1].severity == 0


def encode_varint(number: int) -> bytes:
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*out, number])


def wrap(*records: bytes) -> bytes:
    """Records' bytes as a request."""
    inside = b"".join(b"\x12" + encode_varint(len(record)) + record for record in records)
    scope = b"\x12" + encode_varint(len(inside)) + inside
    return b"\x0a" + encode_varint(len(scope)) + scope


def test_ids_of_a_wrong_length_are_none(exchange: Exchange) -> None:
    line = exchange.only(
        lambda record: (setattr(record, "trace_id", b"\x01" * 15), setattr(record, "span_id", b"\x01"))
    )
    assert (line.trace_id, line.span_id, line.metadata) == ("", "", {})


def test_text_that_is_not_utf8_is_repaired(exchange: Exchange) -> None:
    body = b"\x2a\x05\x0a\x03a\xffb"  # body: "a\xffb"
    attribute = b"\x32\x0b\x0a\x02k\xff\x12\x05\x0a\x03\xc3(\xfe"  # attribute "k\xff" with value "\xc3(\xfe"
    severity = b"\x1a\x02\xffS"
    nested = b"\x32\x0f\x0a\x01m\x12\x0a\x32\x08\x0a\x06\x12\x04\x0a\x02x\xff"
    decoded = exchange.send(wrap(body + attribute + severity + nested))
    assert decoded.n_repaired == 4
    line = exchange.sink.lines()[0]
    assert line.line == "a\ufffdb"
    assert line.metadata == {"k\ufffd": "\ufffd(\ufffd", "severity_text": "\ufffdS", "m.": "x\ufffd"}


def test_streams_are_named_by_lokis_default_attributes(exchange: Exchange) -> None:
    index = {
        "service.name": "s", "service.namespace": "ns", "service.instance.id": "1", "deployment.environment": "live",
        "deployment.environment.name": "live2", "cloud.region": "eu", "cloud.availability_zone": "eu-1",
        "k8s.cluster.name": "c", "k8s.namespace.name": "n", "k8s.pod.name": "p", "k8s.container.name": "co",
        "container.name": "con", "k8s.replicaset.name": "r", "k8s.deployment.name": "d", "k8s.statefulset.name": "st",
        "k8s.daemonset.name": "da", "k8s.cronjob.name": "cr", "k8s.job.name": "j",
    }  # fmt: skip
    exchange.add({**index, "host.name": "h", "service.version": "1"}).log_records.add()
    exchange.send()
    line = exchange.sink.lines()[0]
    assert line.labels == {name.replace(".", "_"): value for name, value in index.items()}
    assert line.metadata == {"host.name": "h", "service.version": "1"}


def test_service_name_is_discovered_or_unknown(exchange: Exchange) -> None:
    exchange.add({"k8s.job.name": "job", "k8s.container.name": "box"}).log_records.add()
    exchange.add({"host.name": "h"}).log_records.add()
    exchange.request.resource_logs.add().scope_logs.add().log_records.add()
    exchange.send()
    assert [line.labels for line in exchange.sink.lines()] == [
        {"k8s_job_name": "job", "k8s_container_name": "box", "service_name": "box"},
        {"service_name": "unknown_service"},
        {"service_name": "unknown_service"},
    ]
    assert len(exchange.sink.labels) == 2


def test_settings_choose_labels() -> None:
    exchange = Exchange(log_stream_attributes=("team", "1st"), discover_service_name=())
    exchange.add({"team": "a", "1st": "b", "service.name": "s"}).log_records.add()
    exchange.add({"service.name": "s"}).log_records.add()
    decoded = exchange.send()
    assert [(line.labels, line.metadata) for line in exchange.sink.lines()] == [
        ({"team": "a", "_1st": "b"}, {"service.name": "s"})
    ]
    assert list(decoded.refused.values()) == [1]


def test_resources_with_the_same_labels_are_one_stream(exchange: Exchange) -> None:
    for host in ("a", "b", "a"):
        exchange.add({"service.name": "s", "host.name": host}).log_records.add()
    batch = exchange.send().batch
    assert (len(batch.stream_key), batch.stream.tolist()) == (1, [0, 0, 0])
    assert [line.metadata["host.name"] for line in exchange.sink.lines()] == ["a", "b", "a"]
    exchange.add({"host.name": "c", "service.name": "s"}).log_records.add()
    assert exchange.send().batch.new_labels.to_dicts() == []


def test_scopes_of_several_resources_keep_apart(exchange: Exchange) -> None:
    for service in ("a", "b"):
        group = exchange.request.resource_logs.add()
        attribute_all(group.resource.attributes, {"service.name": service, "of": service})
        for name in ("x", "y", "x"):
            scope = group.scope_logs.add()
            scope.scope.name = name
            scope.log_records.add().body.string_value = f"{service}{name}"
    exchange.send()
    found = [(line.line, line.labels["service_name"], line.metadata) for line in exchange.sink.lines()]
    assert found == [
        (f"{service}{name}", service, {"of": service, "scope_name": name}) for service in "ab" for name in "xyx"
    ]


def test_many_attributes_need_a_second_walk(exchange: Exchange) -> None:
    record = exchange.add({}).log_records.add()
    wanted = {f"{n:x}": "1" for n in range(2000)}  # some 13 bytes a pair, fewer than the guess
    attribute_all(record.attributes, wanted)
    exchange.send()
    assert exchange.sink.lines()[0].metadata == wanted


def test_an_empty_request(exchange: Exchange) -> None:
    assert len(exchange.send(b"").batch) == 0


@pytest.mark.parametrize(
    ("record", "told"),
    [
        (b"\x09\x00", "LogRecord.time_unix_nano at byte 6: the bytes end inside a field"),
        (b"\x0a\x00", "another wire type"),
        (b"\x2a\x02\x0a\x05", "beyond the enclosing message"),
        (b"\x32\x04\x12\x02\x08\x01", "another wire type"),
        (b"\x23", "groups are not supported"),
        (b"\x10" + b"\xff" * 10 + b"\x01", "longer than 64 bits"),
        (b"\x32\x06\x0a\x01m\x12\x01\x32", "the bytes end"),
    ],
)
def test_malformed_records_are_named(exchange: Exchange, record: bytes, told: str) -> None:
    with pytest.raises(MalformedInputError, match=told):
        exchange.send(wrap(record))


def test_requests_are_bounded_in_lines_and_pairs(exchange: Exchange, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_pairs, "MAX_PAIRS", 50)
    scope = exchange.add({f"a{n}": "x" for n in range(10)})
    for _ in range(6):
        scope.log_records.add()
    with pytest.raises(LimitExceededError, match="60 metadata pairs") as caught:
        exchange.send()
    assert caught.value.too_large
    monkeypatch.setattr(log_decode, "MAX_LINES", 5)
    with pytest.raises(LimitExceededError, match="6 log records"):
        exchange.send()


def test_memory_is_claimed_before_it_is_taken(exchange: Exchange) -> None:
    claims: list[int] = []
    attribute_all(exchange.add({"host.name": "h"}).log_records.add().attributes, {"k": "v"})
    body = np.frombuffer(exchange.request.SerializeToString(), np.uint8)
    exchange.decoder.decode(body, "default", claims.append)
    assert len(claims) == 2
    assert claims[1] > claims[0] > len(body)
