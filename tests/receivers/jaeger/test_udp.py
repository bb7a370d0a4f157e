from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import struct
import threading
from collections.abc import Callable
from typing import Any

import anyio.to_thread
import pytest

from swarmscope.instrument.metrics import JAEGER_DATAGRAMS
from swarmscope.model.errors import MalformedInputError, UnavailableError
from swarmscope.receivers.jaeger.agent import DatagramDecoder, parse_head
from swarmscope.receivers.jaeger.settings import JaegerSettings
from swarmscope.receivers.jaeger.udp import serving_udp
from swarmscope.receivers.wire.decode_room import DecodeRoom
from swarmscope.testing.plain_spans import from_batch
from swarmscope.testing.sinks import RecordingSpanSink
from tests.receivers.jaeger.batches import Struct, batch, span
from tests.receivers.jaeger.thrift_writer import STRUCT, Field, binary, compact, varint

ONEWAY = 4
WAIT_S = 20


def call(struct_: Struct, *, is_compact: bool, method: bytes = b"emitBatch", kind: int = ONEWAY) -> bytes:
    arguments = [Field(1, STRUCT, struct_)]
    if is_compact:
        return b"\x82" + bytes([kind << 5 | 1]) + varint(300) + varint(len(method)) + method + compact(arguments)
    return struct.pack(">II", 0x80010000 | kind, len(method)) + method + bytes(4) + binary(arguments)


def counted(outcome: str) -> float:
    return float(JAEGER_DATAGRAMS.labels(outcome=outcome)._value.get())


async def run(work: Any, *arguments: Any) -> Any:
    return await anyio.to_thread.run_sync(work, *arguments)


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(WAIT_S):
        while not condition():
            await asyncio.sleep(0.01)


def send(port: int, *datagrams: bytes) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        for datagram in datagrams:
            sender.sendto(datagram, ("127.0.0.1", port))


BOTH_PORTS = JaegerSettings(udp_compact_port=0, udp_binary_port=0)


def test_both_protocols() -> None:
    sink = RecordingSpanSink()

    async def scenario() -> None:
        async with serving_udp(BOTH_PORTS, sink, run) as ports:
            for name in ("compact", "binary"):
                send(ports[name], call(batch([span(name=name)]), is_compact=name == "compact"))
            await until(lambda: len(sink.spans()) == 2)

    asyncio.run(scenario())
    assert sorted(found.name for found in sink.spans()) == ["binary", "compact"]
    assert {found.resource["service.name"] for found in sink.spans()} == {"shop"}


def test_only_what_is_asked_for_is_opened() -> None:
    async def scenario() -> dict[str, int]:
        async with serving_udp(JaegerSettings(), RecordingSpanSink(), run) as ports:
            return ports

    assert asyncio.run(scenario()) == {}


def test_a_port_that_is_taken() -> None:
    async def scenario(port: int) -> None:
        async with serving_udp(JaegerSettings(udp_compact_port=port), RecordingSpanSink(), run):
            pass

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 0))
        with pytest.raises(OSError, match="in use"):
            asyncio.run(scenario(taken.getsockname()[1]))


def test_bad_datagrams_are_counted_and_the_next_is_taken(caplog: pytest.LogCaptureFixture) -> None:
    sink = RecordingSpanSink()
    good = call(batch([span()]), is_compact=True)
    before = {outcome: counted(outcome) for outcome in ("malformed", "partial", "ok")}
    bad = [
        b"",
        b"x",
        b"\x82\x81",
        good[:-5],
        call([], is_compact=True, method=b"emitZipkinBatch"),
        b"\x82" + b"\xff" * 99,
    ]

    async def scenario() -> None:
        async with serving_udp(BOTH_PORTS, sink, run) as ports:
            send(ports["compact"], *bad, call(batch([span(number=0), span()]), is_compact=True), good)
            await until(lambda: len(sink.spans()) == 2)

    with caplog.at_level(logging.WARNING):
        asyncio.run(scenario())
    assert counted("malformed") - before["malformed"] == len(bad)
    # How many are decoded together is a matter of time; who shares with a span that is refused counts as partial.
    assert 1 <= counted("partial") - before["partial"] <= 2
    assert counted("ok") + counted("partial") - before["ok"] - before["partial"] == 2
    assert len(caplog.records) == 1  # now and then is enough


def test_what_the_sink_raises_is_counted() -> None:
    sink = RecordingSpanSink(error=UnavailableError("later", retry_after_s=1))
    before = counted("refused"), counted("failed")

    async def scenario() -> None:
        async with serving_udp(BOTH_PORTS, sink, run) as ports:
            send(ports["compact"], call(batch([span()]), is_compact=True))
            await until(lambda: counted("refused") > before[0])
            sink.error = RuntimeError("a bug")
            send(ports["compact"], call(batch([span()]), is_compact=True))
            await until(lambda: counted("failed") > before[1])

    asyncio.run(scenario())


def test_more_than_there_is_room_for_is_dropped() -> None:
    sink = RecordingSpanSink()
    leave = threading.Event()
    before = counted("dropped")

    async def slow(work: Any, *arguments: Any) -> Any:
        await anyio.to_thread.run_sync(leave.wait, WAIT_S)
        return await anyio.to_thread.run_sync(work, *arguments)

    async def scenario() -> None:
        settings = JaegerSettings(udp_compact_port=0, max_waiting_datagrams=3)
        async with serving_udp(settings, sink, slow) as ports:
            send(ports["compact"], *[call(batch([span()]), is_compact=True)] * 20)
            await until(lambda: counted("dropped") - before >= 15)
            leave.set()
        # What waited is decoded before the end: the queue's and what the two workers had taken from it.
        assert 3 <= len(sink.spans()) <= 5

    asyncio.run(scenario())
    assert counted("dropped") - before + len(sink.spans()) == 20


@pytest.mark.parametrize("is_compact", [True, False])
def test_many_datagrams_become_one_batch(is_compact: bool) -> None:
    datagrams = [
        call(batch([span(number=number, tags={"n": number})], f"shop-{number}"), is_compact=is_compact)
        for number in range(1, 6)
    ]
    datagrams[2:2] = [b"noise", datagrams[0][:-3]]
    with DecodeRoom().taken() as share:
        pushed, faults = DatagramDecoder(compact=is_compact).decode(datagrams, "t", share)
    assert pushed is not None
    found = from_batch(pushed.batch)
    assert [one.resource for one in found] == [{"service.name": f"shop-{number}"} for number in range(1, 6)]
    assert [one.attributes for one in found] == [{"n": number} for number in range(1, 6)]
    assert len(faults) == 2


@pytest.mark.parametrize("is_compact", [True, False])
def test_heads(is_compact: bool) -> None:
    data = call([], is_compact=is_compact, method=b"emitZipkinBatch", kind=1)
    head = parse_head(data, compact=is_compact)
    assert (head.method, head.kind) == ("emitZipkinBatch", 1)
    assert head.end == data.index(b"emitZipkinBatch") + 15 + (0 if is_compact else 4)


def test_the_older_binary_head() -> None:
    # A name, a type and a number, without a version.
    assert parse_head(b"\0\0\0\x09emitBatch\x04\0\0\0\0", compact=False) == ("emitBatch", 4, 18)


@pytest.mark.parametrize(
    ("data", "is_compact", "text"),
    [
        (b"", True, "ends inside its head"),
        (b"\x80\x01", True, "no message of Thrift's compact protocol"),
        (b"\x82\x22", True, "no message of Thrift's compact protocol"),
        (b"\x82\x81" + b"\xff" * 9, True, "a varint that is too long"),
        (b"\x82\x81\0\xff\x7f", True, "this is no call of the agent"),
        (b"\x80\x02\0\1", False, "no message of Thrift's binary protocol"),
        (b"\x80\x01\0\x04\0\0\0\x09emit", False, "ends inside its head"),
    ],
)
def test_heads_that_are_none(data: bytes, is_compact: bool, text: str) -> None:
    with pytest.raises(MalformedInputError, match=text):
        parse_head(data, compact=is_compact)


def test_a_flood_of_noise_crashes_nothing() -> None:
    sink = RecordingSpanSink()

    async def scenario() -> None:
        async with serving_udp(BOTH_PORTS, sink, run) as ports:
            with contextlib.suppress(OSError):
                send(ports["binary"], *[bytes([number % 256]) * (number % 700) for number in range(500)])
            await until(lambda: ask(ports["binary"]))

    def ask(port: int) -> bool:
        send(port, call(batch([span()]), is_compact=False))
        return bool(sink.spans())

    asyncio.run(scenario())
