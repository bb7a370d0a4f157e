"""The sink that redacts: nothing that a detector finds goes further, so nothing of it reaches the disk."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from swarmscope.ingest.redaction.redactor import Hit, Redactor
from swarmscope.instrument.metrics import REDACTION_DROPPED_LINES, REDACTIONS
from swarmscope.model.contracts import LogSink, Receipt
from swarmscope.model.labels import LabelSets
from swarmscope.model.logs import LogBatch


class RedactingLogSink:
    """Redacts lines, values of structured metadata, and label values of streams that are new. Thread-safe.

    A stream that is known came through here when it was new. Labels cannot go without changing the stream, so what is
    to be dropped is masked there. A dropped line is neither refused nor counted as taken: its sender need not know.
    """

    def __init__(self, inner: LogSink, redactor: Redactor) -> None:
        self._inner = inner
        self._redactor = redactor

    def write_logs(self, batch: LogBatch) -> Receipt:
        """As `LogSink.write_logs`."""
        hits: Counter[Hit] = Counter()
        lines = self._redactor.redact(batch.line)
        hits.update(lines.hits)
        batch.line = lines.column
        if len(lines.dropped):
            REDACTION_DROPPED_LINES.inc(len(lines.dropped))
            batch.take(np.delete(np.arange(len(batch)), lines.dropped))
        values = self._redactor.redact(batch.metadata.values, batch.metadata.names)
        hits.update(values.hits)
        batch.metadata = _without_entries(replace(batch.metadata, values=values.column), values.dropped)
        labels = self._redactor.redact(batch.new_labels.values, batch.new_labels.names, may_drop=False)
        hits.update(labels.hits)
        batch.new_labels = replace(batch.new_labels, values=labels.column)
        for (detector, action), count in hits.items():
            REDACTIONS.labels(detector=detector, action=action.value).inc(count)
        return self._inner.write_logs(batch) if len(batch) else Receipt()


def _without_entries(sets: LabelSets, dropped: NDArray[np.int64]) -> LabelSets:
    """`sets` without the pairs `dropped`."""
    if not len(dropped):
        return sets
    kept = np.ones(len(sets.names), np.bool_)
    kept[dropped] = False
    offsets = np.concatenate([np.zeros(1, np.int64), np.cumsum(kept)])[sets.offsets]
    pairs = np.flatnonzero(kept)
    return LabelSets(offsets, sets.names.take(pairs), sets.values.take(pairs))
