"""Damaged bodies of logs: only clean errors, and nothing that is not well-formed reaches the sink."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from swarmscope.model.errors import LimitExceededError, MalformedInputError
from swarmscope.receivers.otlp.log_export import OtlpLogs
from swarmscope.receivers.otlp.settings import OtlpSettings
from swarmscope.receivers.otlp.warm_up import to_log_request
from swarmscope.testing.sinks import RecordingLogSink
from tests.portion import portion
from tests.receivers.otlp.test_fuzz import cut, flip, noise
from tests.receivers.wire.log_batches import check_log_batch

N = portion(1500, 500)


class CheckingSink(RecordingLogSink):
    def write_logs(self, batch: Any) -> Any:
        check_log_batch(batch)
        receipt = super().write_logs(batch)
        self.batches.clear()
        return receipt


@pytest.mark.parametrize("damage", [flip, cut, noise])
def test_protobuf(damage: Callable[[bytes, random.Random], bytes]) -> None:
    chance, sink = random.Random(7), CheckingSink()
    logs, body = OtlpLogs(OtlpSettings(), sink, sink.index), to_log_request()
    outcomes, messages = set(), set()
    for _ in range(N):
        try:
            result = logs.export(np.frombuffer(damage(body, chance), np.uint8), "default")
            outcomes.add(type(result).__name__)
        except (MalformedInputError, LimitExceededError) as error:
            outcomes.add(type(error).__name__)
            messages.add(str(error))
    assert "MalformedInputError" in outcomes
    assert all(messages)
    assert logs.room.held_bytes == 0


def test_bytes_in_the_middle_of_texts() -> None:
    # Only texts are damaged, so every body is taken, and every text comes out as UTF-8.
    chance, sink = random.Random(9), CheckingSink()
    logs, body = OtlpLogs(OtlpSettings(), sink, sink.index), to_log_request()
    places = [body.index(text) + k for text in (b"warm-up", b"a line", b"key of text", b"text value") for k in range(5)]
    for _ in range(N):
        damaged = bytearray(body)
        for place in chance.choices(places, k=3):
            damaged[place] = chance.randrange(256)
        assert logs.export(np.frombuffer(bytes(damaged), np.uint8), "default").rejected == 0


def test_json() -> None:
    chance, sink = random.Random(8), CheckingSink()
    logs = OtlpLogs(OtlpSettings(), sink, sink.index)
    body = (
        b'{"resourceLogs":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"a"}}]},'
        b'"scopeLogs":[{"logRecords":[{"timeUnixNano":"1700000000000000000","body":{"stringValue":"x"},"traceId":'
        b'"5B8EFFF798038103D269B633813FC60C","attributes":[{"key":"k","value":{"intValue":"3"}}]}]}]}]}'
    )
    messages = set()
    for round_number in range(N):
        damaged = (flip if round_number % 2 else cut)(body, chance)
        try:
            logs.export_json(np.frombuffer(damaged, np.uint8), "default")
        except (MalformedInputError, LimitExceededError) as error:
            messages.add(str(error))
    assert all(messages)
