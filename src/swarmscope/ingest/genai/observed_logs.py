"""The sink that tells an observer of spans that lines announce. It never refuses or fails the lines themselves."""

from __future__ import annotations

import logging
import threading
from collections import OrderedDict
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from swarmscope.ingest.genai.normaliser import SpanNormaliser
from swarmscope.ingest.genai.open_spans import announced_lines, to_span_batch
from swarmscope.instrument.metrics import ANNOUNCED_SPANS, NORMALISATION_FAILURES
from swarmscope.model.contracts import LogSink, Receipt, SpanObserver
from swarmscope.model.logs import LogBatch
from swarmscope.model.metrics import UNKNOWN_SERIES

_log = logging.getLogger(__name__)
_SERVICE_LABEL = "service_name"
# Streams whose service is remembered; batches carry a stream's labels only while it is new.
_REMEMBERED_STREAMS = 100_000


class ObservedLogSink:
    """Hands announced spans on, once the sink behind has taken their lines. Thread-safe."""

    def __init__(self, inner: LogSink, normaliser: SpanNormaliser, observer: SpanObserver) -> None:
        self._inner, self._normaliser, self._observer = inner, normaliser, observer
        self._service_of: OrderedDict[tuple[str, int], str] = OrderedDict()
        self._lock = threading.Lock()

    def write_logs(self, batch: LogBatch) -> Receipt:
        """As `LogSink.write_logs`. What the sink behind refuses as a whole is not observed: it comes again."""
        passing = replace(batch)
        receipt = self._inner.write_logs(batch)
        try:
            self._observe(passing)
        except Exception:
            NORMALISATION_FAILURES.labels(signal="logs").inc()
            _log.exception("lines could not be read as announcements")
        return receipt

    def _observe(self, batch: LogBatch) -> None:
        self._learn(batch)
        if not len(batch):
            return
        rows = announced_lines(batch)
        if len(rows):
            spans = self._normaliser.normalise(to_span_batch(batch, rows, self._services(batch, rows)))
            ANNOUNCED_SPANS.inc(len(rows))
            self._observer.observe_spans(spans)

    def _learn(self, batch: LogBatch) -> None:
        if not len(batch.new_labels):
            return
        keys = batch.stream_key[batch.stream_ref == UNKNOWN_SERIES].tolist()
        with self._lock:
            for key, labels in zip(keys, batch.new_labels.to_dicts(), strict=True):
                self._service_of[batch.tenant, key] = labels.get(_SERVICE_LABEL, "")
            while len(self._service_of) > _REMEMBERED_STREAMS:
                self._service_of.popitem(last=False)

    def _services(self, batch: LogBatch, rows: NDArray[np.int64]) -> list[str]:
        keys = batch.stream_key[batch.stream[rows]].tolist()
        with self._lock:
            return [self._service_of.get((batch.tenant, key), "") for key in keys]
