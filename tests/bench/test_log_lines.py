"""The log bodies are what OpenTelemetry's own classes read, before and after times and ids are written anew."""

from __future__ import annotations

import json

import numpy as np
from bench.log_lines import RARE_WORD, encode_log_bodies
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest


def _records(payload: bytes) -> list[tuple[int, dict[str, object]]]:
    request = ExportLogsServiceRequest.FromString(payload)
    (group,) = request.resource_logs
    (scope,) = group.scope_logs
    return [(record.time_unix_nano, json.loads(record.body.string_value)) for record in scope.log_records]


def test_times_and_ids_are_replaced_and_nothing_else() -> None:
    (body,) = encode_log_bodies(1, 50)
    before = _records(bytes(body.payload))
    times = np.arange(50, dtype=np.int64) + 1_700_000_000_000_000_000
    after = _records(body.rewrite(times, np.random.default_rng(1)))
    assert [at for at, _ in after] == times.tolist()
    assert len({str(line["request_id"]) for _, line in after}) == 50
    for (_, old), (_, new) in zip(before, after, strict=True):
        assert {**old, "request_id": ""} == {**new, "request_id": ""}


def test_lines_have_the_size_and_attributes_that_are_promised() -> None:
    bodies = encode_log_bodies(2, 200)
    request = ExportLogsServiceRequest.FromString(bytes(bodies[1].payload))
    records = request.resource_logs[0].scope_logs[0].log_records
    sizes = [len(record.body.string_value) for record in records]
    assert abs(np.mean(sizes) - 330) < 5
    assert {len(record.attributes) for record in records} == {6}


def test_the_rare_word_stands_once() -> None:
    bodies = encode_log_bodies(3, 100)
    assert sum(bytes(body.payload).count(RARE_WORD.encode()) for body in bodies) == 1
