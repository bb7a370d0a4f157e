"""Damaged pushes: only clean errors, and nothing that is not well-formed reaches the sink."""

from __future__ import annotations

import random
from collections.abc import Callable

import numpy as np
import pytest

from swarmscope.model.errors import LimitExceededError, MalformedInputError
from swarmscope.receivers.loki.decode import PushContext, decode_push
from swarmscope.testing.sinks import RecordingLogSink
from tests.receivers.loki.conftest import T_NS, Streams, as_json, as_protobuf
from tests.receivers.wire.log_batches import check_log_batch

N = 2000
STREAMS: Streams = [
    ({"app": "shop", "env": "li\\ve"}, [(T_NS, 'a "line" ü', {"trace_id": "0af7651916cd43dd8448eb211c80319c"})]),
    ({"job": "x"}, [(T_NS, "second", {"k": "v", "detected_level": "error"}), (T_NS + 1, "", {})]),
]


def flip(body: bytes, chance: random.Random) -> bytes:
    damaged = bytearray(body)
    for _ in range(chance.randint(1, 4)):
        damaged[chance.randrange(len(damaged))] ^= 1 << chance.randrange(8)
    return bytes(damaged)


def cut(body: bytes, chance: random.Random) -> bytes:
    return body[: chance.randrange(len(body))]


def splice(body: bytes, chance: random.Random) -> bytes:
    begin, end = sorted(chance.sample(range(len(body)), 2))
    at = chance.randrange(len(body))
    return body[:at] + body[begin:end] + body[at:]


@pytest.mark.parametrize("damage", [flip, cut, splice])
@pytest.mark.parametrize(("pack", "in_json"), [(as_protobuf, False), (as_json, True)])
def test_damage(
    damage: Callable[[bytes, random.Random], bytes], pack: Callable[[Streams], bytes], in_json: bool
) -> None:
    chance, sink, body = random.Random(3), RecordingLogSink(), pack(STREAMS)
    n_refused, messages = 0, set()
    for _ in range(N):
        raw = np.frombuffer(damage(body, chance), np.uint8)
        try:
            decoded = decode_push(raw, PushContext(sink.index, "default"), as_json=in_json)
        except (MalformedInputError, LimitExceededError) as error:
            n_refused += 1
            messages.add(str(error))
            continue
        check_log_batch(decoded.batch)
        sink.write_logs(decoded.batch)
        sink.batches.clear()
    assert n_refused
    assert all(messages)
