"""The sink that tells an observer what passing spans say of agents. It never refuses or fails the spans themselves."""

from __future__ import annotations

import logging
from dataclasses import replace

import numpy as np

from swarmscope.ingest.genai.normaliser import SpanNormaliser
from swarmscope.instrument.metrics import NORMALISATION_FAILURES, NORMALISED_SPANS
from swarmscope.model.agents import Dialect
from swarmscope.model.contracts import Receipt, SpanObserver, SpanSink
from swarmscope.model.spans import SpanBatch

_log = logging.getLogger(__name__)


class ObservedSpanSink:
    """Normalises spans that the sink behind it took, and hands them on. Thread-safe."""

    def __init__(self, inner: SpanSink, normaliser: SpanNormaliser, observer: SpanObserver) -> None:
        self._inner, self._normaliser, self._observer = inner, normaliser, observer

    def write_spans(self, batch: SpanBatch) -> Receipt:
        """As `SpanSink.write_spans`. What the sink behind refuses as a whole is not observed: it comes again."""
        passing = replace(batch)
        receipt = self._inner.write_spans(batch)
        if len(passing):
            try:
                self._observe(passing)
            except Exception:
                NORMALISATION_FAILURES.labels(signal="spans").inc()
                _log.exception("spans could not be normalised")
        return receipt

    def _observe(self, batch: SpanBatch) -> None:
        spans = self._normaliser.normalise(batch)
        counts = np.bincount(spans.dialect, minlength=len(Dialect))
        for dialect in Dialect:
            if dialect != Dialect.NONE and counts[dialect]:
                NORMALISED_SPANS.labels(dialect=dialect.name.lower()).inc(int(counts[dialect]))
        self._observer.observe_spans(spans)
