from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from swarmscope.model.errors import LimitExceededError, MalformedInputError
from swarmscope.receivers.loki import decode
from swarmscope.receivers.loki.schema import push_request_class
from swarmscope.testing.sinks import RecordedLine
from tests.receivers.loki.conftest import T_NS, Pushes, Streams, as_json, as_protobuf

TRACE = "0af7651916cd43dd8448eb211c80319c"
BOTH = pytest.mark.parametrize(("pack", "in_json"), [(as_protobuf, False), (as_json, True)])
Pack = Callable[[Streams], bytes]


@BOTH
def test_lines_with_all_that_they_may_have(pushes: Pushes, pack: Pack, in_json: bool) -> None:
    metadata = {"user": 'say "hi"\\ ü', "trace_id": TRACE, "severity_number": "17", "detected_level": "error"}
    streams: Streams = [
        ({"app": "shop", "env": 'l"ive'}, [(T_NS, 'a "line"\n\tü €', metadata), (T_NS + 1, "", {})]),
        ({"job": "cron"}, [(T_NS - 5, "x", {"empty": "", "k": "v"})]),
    ]
    decoded = pushes.send(pack(streams), as_json=in_json)
    assert (decoded.n_streams, decoded.n_repaired, decoded.refused) == (2, 0, {})
    shop = {"app": "shop", "env": 'l"ive', "service_name": "shop"}
    nothing: dict[str, Any] = {"level": 0, "severity": 0, "observed_ns": 0, "trace_id": "", "span_id": ""}
    assert pushes.lines() == [
        RecordedLine("default", shop, T_NS, 'a "line"\n\tü €', {"user": 'say "hi"\\ ü'}, 5, 17, 0, TRACE, ""),
        RecordedLine("default", shop, T_NS + 1, "", {}, **nothing),
        RecordedLine("default", {"job": "cron", "service_name": "cron"}, T_NS - 5, "x", {"k": "v"}, **nothing),
    ]


@BOTH
def test_a_known_stream_is_not_read_again(pushes: Pushes, pack: Pack, in_json: bool) -> None:
    body = pack([({"a": "1"}, [(T_NS, "x", {})]), ({"a": "2"}, [(T_NS, "y", {})]), ({"a": "1"}, [(T_NS, "z", {})])])
    first, second = pushes.send(body, as_json=in_json), pushes.send(body, as_json=in_json)
    assert len(first.batch.new_labels) == 2
    assert len(second.batch.new_labels) == 0
    assert [line.labels["a"] for line in pushes.lines()] == ["1", "2", "1"] * 2


@pytest.mark.parametrize(
    ("labels", "service"),
    [
        ({"service_name": "own", "service": "s"}, "own"),
        ({"app": "a", "service": "s"}, "s"),
        ({"job": "j", "container": "c"}, "c"),
        ({"job": "j", "k8s_job_name": "k"}, "j"),
        ({"app_kubernetes_io_name": "n", "workload": "w"}, "n"),
        ({"env": "live"}, "unknown_service"),
    ],
)
def test_service_name_is_discovered(pushes: Pushes, labels: dict[str, str], service: str) -> None:
    pushes.send(as_json([(labels, [(T_NS, "x", {})])]), as_json=True)
    assert pushes.lines()[0].labels == labels | {"service_name": service}


def test_discovery_can_be_off(pushes: Pushes) -> None:
    pushes.send(as_json([({"app": "a"}, [(T_NS, "x", {})])]), as_json=True, discover=())
    assert pushes.lines()[0].labels == {"app": "a"}


@BOTH
def test_streams_without_labels_are_refused_and_the_rest_kept(pushes: Pushes, pack: Pack, in_json: bool) -> None:
    entries = [(T_NS, "x", {}), (T_NS, "y", {})]
    decoded = pushes.send(pack([({}, entries), ({"a": ""}, entries[:1]), ({"a": "b"}, entries)]), as_json=in_json)
    assert decoded.refused == {decode.NO_LABELS: 3}
    assert [line.line for line in pushes.lines()] == ["x", "y"]


def test_labels_that_cannot_be_parsed_are_named_with_the_place(pushes: Pushes) -> None:
    request: Any = push_request_class()()
    for labels in ('{a="1"', '{a="1"', "{b-c='1'}", '{ok="1"}'):
        request.streams.add(labels=labels).entries.add(line=labels)
    decoded = pushes.send(request.SerializeToString(), as_json=False)
    assert decoded.refused == {
        "error parsing labels '{a=\"1\"' with error: 1:7: unexpected the end, expected '}'": 2,
        "error parsing labels '{b-c='1'}' with error: 1:3: unexpected '-', expected '='": 1,
    }
    assert [line.line for line in pushes.lines()] == ['{ok="1"}']


def test_label_names_in_json_are_checked(pushes: Pushes) -> None:
    decoded = pushes.send(as_json([({"b-c": "1"}, [(T_NS, "x", {})])]), as_json=True)
    assert decoded.refused == {"error parsing labels '{b-c=\"1\"}' with error: 'b-c' is not a label name": 1}


def test_text_that_is_not_utf8_is_repaired(pushes: Pushes) -> None:
    body = b'{"streams":[{"stream":{"a":"b"},"values":[["1","x\xff\xfey",{"k\xff":"v\xc3"}],["2","good"]]}]}'
    decoded = pushes.send(body, as_json=True)
    assert decoded.n_repaired == 3
    assert [(line.line, line.metadata) for line in pushes.lines()] == [
        ("x\ufffdy", {"k\ufffd": "v\ufffd"}),
        ("good", {}),
    ]


def test_times_beyond_what_fits_end_at_the_border(pushes: Pushes) -> None:
    request: Any = push_request_class()()
    stream = request.streams.add(labels='{a="b"}')
    for seconds, nanos in ((1 << 62, 5), (-(1 << 62), 5), (-1, 999_999_999), (0, 0)):
        entry = stream.entries.add()
        entry.timestamp.seconds, entry.timestamp.nanos = seconds, nanos
    pushes.send(request.SerializeToString(), as_json=False)
    far = 9_000_000_000 * 10**9
    assert [line.ts_ns for line in pushes.lines()] == [far, -far, -1, 0]


def test_pairs_of_which_more_come_than_guessed(pushes: Pushes) -> None:
    metadata = {f"{n:x}": "1" for n in range(3000)}
    for pack, in_json in ((as_protobuf, False), (as_json, True)):
        pushes.send(pack([({"a": "b"}, [(T_NS, "x", metadata)])]), as_json=in_json)
    assert [line.metadata for line in pushes.lines()] == [metadata, metadata]


def test_many_short_entries_in_json(pushes: Pushes) -> None:
    streams: Streams = [({"a": str(n % 5)}, [(n, "", {})]) for n in range(2000)]
    pushes.send(as_json(streams), as_json=True)
    assert [(line.ts_ns, line.labels["a"]) for line in pushes.lines()] == [(n, str(n % 5)) for n in range(2000)]


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (b"\x0a\x02\x12\x05", "beyond the enclosing message"),
        (b"\x0a\x04\x12\x02\x10\x01", "EntryAdapter.line at byte 4: "),
        (b"\x0a\x05\x12\x03\x0a\x01\x08", "EntryAdapter.timestamp at byte 4: the bytes end"),
        (b"\x0a\x06\x12\x04\x1a\x02\x0a\x07", "EntryAdapter.structuredMetadata at byte 4: "),
        (b"\x08\x01", "another wire type"),
    ],
)
def test_malformed_protobuf_is_named(pushes: Pushes, body: bytes, told: str) -> None:
    with pytest.raises(MalformedInputError, match=told):
        pushes.send(body, as_json=False)


@BOTH
def test_requests_are_bounded(pushes: Pushes, pack: Pack, in_json: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decode, "MAX_LINES", 2)
    monkeypatch.setattr("swarmscope.receivers.loki.json_decode.MAX_LINES", 2)
    with pytest.raises(LimitExceededError, match="one request holds 3 lines") as caught:
        pushes.send(pack([({"a": "b"}, [(T_NS, "x", {})] * 3)]), as_json=in_json)
    assert caught.value.too_large


@BOTH
def test_memory_is_claimed(pushes: Pushes, pack: Pack, in_json: bool) -> None:
    claims: list[int] = []
    body = pack([({"a": "b"}, [(T_NS, "x", {"k": "v"})])])
    pushes.send(body, as_json=in_json, claim=claims.append)
    assert len(claims) == 2
    assert min(claims) > len(body)
