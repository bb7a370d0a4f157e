"""What must hold of every batch of lines, whatever the bytes were that it was made from."""

from __future__ import annotations

import numpy as np

from swarmscope.model.labels import LabelSets, Utf8Column
from swarmscope.model.logs import LogBatch
from swarmscope.model.metrics import UNKNOWN_SERIES


def check_log_batch(batch: LogBatch) -> None:
    """Assert that columns fit together, and that texts are UTF-8 inside their buffers."""
    n, n_streams = len(batch), len(batch.stream_key)
    for column in (batch.stream, batch.line, batch.level, batch.severity, batch.observed_ns):
        assert len(column) == n
    assert (batch.trace_id.shape, batch.span_id.shape) == ((n, 16), (n, 8))
    assert len(batch.stream_ref) == n_streams == len(np.unique(batch.stream_key))
    assert not n or (batch.stream.min() >= 0 and batch.stream.max() < n_streams)
    assert batch.severity.max(initial=0) <= 24
    assert batch.level.max(initial=0) <= 7
    assert len(batch.new_labels) == np.count_nonzero(batch.stream_ref == UNKNOWN_SERIES)
    check_texts(batch.line)
    assert len(batch.metadata) == n
    for sets in (batch.metadata, batch.new_labels):
        check_sets(sets)
    assert all(batch.new_labels.to_dicts())


def check_texts(column: Utf8Column) -> None:
    assert not len(column) or int((column.start + column.length).max()) <= len(column.buffer)
    assert column.start.min(initial=0) >= 0
    assert column.length.min(initial=0) >= 0
    column.to_strings()  # raises for what is not UTF-8


def check_sets(sets: LabelSets) -> None:
    assert int(sets.offsets[-1]) == len(sets.names) == len(sets.values)
    check_texts(sets.names)
    check_texts(sets.values)
    bounds = sets.offsets.tolist()
    for found, begin, end in zip(sets.to_dicts(), bounds, bounds[1:], strict=False):
        assert len(found) == end - begin  # no name twice
        assert all(found)
        assert all(found.values())
