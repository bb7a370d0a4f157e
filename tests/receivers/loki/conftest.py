from __future__ import annotations

from typing import Any

import numpy as np
import orjson
import pytest

from swarmscope.receivers.loki.decode import DecodedPush, PushContext, decode_push
from swarmscope.receivers.loki.schema import push_request_class
from swarmscope.testing.sinks import RecordedLine, RecordingLogSink

T_NS = 1_700_000_000_123_456_789


class Pushes:
    """A sink that records, and pushes decoded into it."""

    def __init__(self) -> None:
        self.sink = RecordingLogSink()

    def send(self, body: bytes, *, as_json: bool, **context: Any) -> DecodedPush:
        told = PushContext(self.sink.index, "default", **context)
        decoded = decode_push(np.frombuffer(body, np.uint8), told, as_json=as_json)
        self.sink.write_logs(decoded.batch)
        return decoded

    def lines(self) -> list[RecordedLine]:
        return self.sink.lines()


Streams = list[tuple[dict[str, str], list[tuple[int, str, dict[str, str]]]]]


def as_protobuf(streams: Streams) -> bytes:
    request: Any = push_request_class()()
    for labels, entries in streams:
        text = ", ".join(f"{name}={orjson.dumps(value).decode()}" for name, value in labels.items())
        stream = request.streams.add(labels=f"{{{text}}}")
        for ts_ns, line, metadata in entries:
            entry = stream.entries.add(line=line)
            entry.timestamp.seconds, entry.timestamp.nanos = divmod(ts_ns, 10**9)
            for name, value in metadata.items():
                entry.structuredMetadata.add(name=name, value=value)
    body: bytes = request.SerializeToString()
    return body


def as_json(streams: Streams) -> bytes:
    found = []
    for labels, entries in streams:
        values = [[str(ts_ns), line, metadata] if metadata else [str(ts_ns), line] for ts_ns, line, metadata in entries]
        found.append({"stream": labels, "values": values})
    return orjson.dumps({"streams": found})


@pytest.fixture
def pushes() -> Pushes:
    return Pushes()
