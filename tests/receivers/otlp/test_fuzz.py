"""Damaged bodies: only clean errors, and nothing that is not well-formed reaches the sink."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from swarmscope.model.errors import LimitExceededError, MalformedInputError
from swarmscope.model.metrics import UNKNOWN_SERIES, MetricBatch
from swarmscope.receivers.otlp.export import OtlpMetrics
from swarmscope.receivers.otlp.settings import OtlpSettings
from swarmscope.receivers.otlp.warm_up import _to_request
from swarmscope.testing.sinks import RecordingSink
from tests.portion import portion

N = portion(1500, 500)


def check(batch: MetricBatch) -> None:
    n = batch.n_series
    assert len(batch.series_ref) == n
    assert len(batch.new_labels) == np.count_nonzero(batch.series_ref == UNKNOWN_SERIES)
    assert len(batch.sample_series) == len(batch.ts_ms) == len(batch.value)
    histograms = batch.histograms
    for series in (batch.sample_series, histograms.series):
        assert not len(series) or (series.min() >= 0 and series.max() < n)
    for buckets in (histograms.positive, histograms.negative):
        assert len(buckets.offsets) == len(histograms) + 1
        assert buckets.offsets[-1] == len(buckets.index) == len(buckets.count)
    for labels in batch.new_labels.to_dicts():
        assert labels["__name__"]
        assert all(labels.values())
    if batch.exemplars is not None:
        assert len(batch.exemplars.labels) == len(batch.exemplars.value)
        assert batch.exemplars.series.max() < n


class CheckingSink(RecordingSink):
    def write_metrics(self, batch: MetricBatch) -> Any:
        check(batch)
        receipt = super().write_metrics(batch)
        self.batches.clear()
        return receipt


def flip(body: bytes, chance: random.Random) -> bytes:
    damaged = bytearray(body)
    for _ in range(chance.randint(1, 4)):
        damaged[chance.randrange(len(damaged))] ^= 1 << chance.randrange(8)
    return bytes(damaged)


def cut(body: bytes, chance: random.Random) -> bytes:
    return body[: chance.randrange(len(body))]


def noise(body: bytes, chance: random.Random) -> bytes:
    return chance.randbytes(chance.randrange(1, 200))


@pytest.mark.parametrize("damage", [flip, cut, noise])
@pytest.mark.parametrize("as_native", [False, True])
def test_protobuf(damage: Callable[[bytes, random.Random], bytes], as_native: bool) -> None:
    chance, sink = random.Random(7), CheckingSink()
    metrics = OtlpMetrics(OtlpSettings(convert_histograms_to_nhcb=as_native), sink, sink.index)
    body = _to_request()
    outcomes, messages = set(), set()
    for _ in range(N):
        damaged = damage(body, chance)
        try:
            outcomes.add(type(metrics.export(np.frombuffer(damaged, np.uint8), "default")).__name__)
        except (MalformedInputError, LimitExceededError) as error:
            outcomes.add(type(error).__name__)
            messages.add(str(error))
    assert "MalformedInputError" in outcomes
    assert all(messages)


def test_json() -> None:
    chance, sink = random.Random(8), CheckingSink()
    metrics = OtlpMetrics(OtlpSettings(), sink, sink.index)
    body = (
        b'{"resourceMetrics":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"a"}}]},'
        b'"scopeMetrics":[{"metrics":[{"name":"h","histogram":{"aggregationTemporality":1,"dataPoints":[{"count":"3",'
        b'"sum":1.5,"bucketCounts":["1","2"],"explicitBounds":[2],"timeUnixNano":"1700000000000000000"}]}}]}]}]}'
    )
    messages = set()
    for round_number in range(N):
        damaged = (flip if round_number % 2 else cut)(body, chance)
        try:
            metrics.export_json(np.frombuffer(damaged, np.uint8), "default")
        except (MalformedInputError, LimitExceededError) as error:
            messages.add(str(error))
    assert all(messages)
