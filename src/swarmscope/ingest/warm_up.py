"""Compiling the kernels that lines, series and spans pass on their way in."""

from __future__ import annotations

import time

import numpy as np
from numpy.typing import NDArray

from swarmscope.ingest import levels, series_limits
from swarmscope.ingest.derivation.derivation_settings import DerivationSettings
from swarmscope.ingest.derivation.deriving_spans import DerivingSpanSink
from swarmscope.ingest.redacting_spans import RedactingSpanSink
from swarmscope.ingest.redaction.detectors import user_detector
from swarmscope.ingest.redaction.redactor import Redactor
from swarmscope.ingest.sampling.sampling_sink import SamplingJudge, SamplingSettings, SamplingSpanSink
from swarmscope.ingest.sampling.trace_ledger import TraceLedger
from swarmscope.model.attributes import AttributeSets
from swarmscope.model.contracts import Receipt
from swarmscope.model.labels import Utf8Column
from swarmscope.model.logs import SPAN_ID_BYTES, TRACE_ID_BYTES
from swarmscope.model.metrics import UNKNOWN_SERIES, MetricBatch
from swarmscope.model.spans import Events, Links, Resources, Scopes, SpanBatch, SpanKind


def warm_up() -> None:
    """Compile, or load from the cache."""
    series_limits.warm_up()
    levels.warm_up()
    # A find in JSON, another beside its name, with buffers that may and that may not be written to.
    redactor = Redactor([user_detector("warm", "up")], {}, b"")
    for texts in (Utf8Column.from_strings(['{"a":"up"}']), _writable(['{"a":"up"}'])):
        redactor.redact(texts)
        redactor.redact(texts, texts)
    _warm_up_spans(redactor)


class _Nowhere:
    """Takes everything, knows nothing."""

    seed = 0

    def write_spans(self, batch: SpanBatch) -> Receipt:
        return Receipt(spans=len(batch))

    def write_metrics(self, batch: MetricBatch) -> Receipt:
        return Receipt()

    def resolve(self, tenant: str, keys: NDArray[np.uint64]) -> NDArray[np.int64]:
        return np.full(len(keys), UNKNOWN_SERIES, np.int64)

    def now_ns(self) -> int:
        return time.time_ns()


def _warm_up_spans(redactor: Redactor) -> None:
    nowhere = _Nowhere()
    settings = SamplingSettings(share=0.5)
    ledger = TraceLedger(16)
    deriving = DerivingSpanSink(
        SamplingSpanSink(nowhere, settings, ledger, nowhere), nowhere, nowhere, nowhere, DerivationSettings()
    )
    batch = _call()
    RedactingSpanSink(deriving, redactor).write_spans(batch)
    SamplingJudge(settings, ledger).weigh(batch.tenant, batch.trace_id, batch.keep, batch.share)
    deriving.write_metrics()


def _call() -> SpanBatch:
    """Both sides of a request."""
    numbers, counts = np.arange(2), np.zeros(2, np.uint32)
    texts = Utf8Column.from_strings(["up", "up"])
    attributes = AttributeSets.from_dicts([{"peer.service": "up", "n": 1}, {"b": True}])
    ids = np.ones((2, SPAN_ID_BYTES), np.uint8)
    parents = np.zeros((2, SPAN_ID_BYTES), np.uint8)
    ids[1], parents[1] = 2, 1
    return SpanBatch(
        resources=Resources(AttributeSets.from_dicts([{"service.name": "a"}, {"service.name": "b"}]), texts, counts),
        scopes=Scopes(texts, texts, AttributeSets.empty(2), texts, counts),
        resource=numbers,
        scope=numbers,
        trace_id=np.ones((2, TRACE_ID_BYTES), np.uint8),
        span_id=ids,
        parent_id=parents,
        start_ns=np.zeros(2, np.int64),
        end_ns=np.ones(2, np.int64),
        kind=np.array([SpanKind.CLIENT, SpanKind.SERVER], np.uint8),
        status=np.zeros(2, np.uint8),
        flags=counts,
        dropped_attributes=counts,
        dropped_events=counts,
        dropped_links=counts,
        name=texts,
        status_message=texts,
        trace_state=texts,
        attributes=attributes,
        events=Events.empty(2),
        links=Links.empty(2),
        keep=np.zeros(2, np.uint8),
        share=np.ones(2, np.float32),
    )


def _writable(texts: list[str]) -> Utf8Column:
    column = Utf8Column.from_strings(texts)
    return Utf8Column(column.buffer.copy(), column.start, column.length)
