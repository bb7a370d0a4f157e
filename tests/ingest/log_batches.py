"""Batches of lines for the tests of sinks, and a sink that keeps them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from swarmscope.model.contracts import Receipt
from swarmscope.model.labels import LabelSets, Utf8Column
from swarmscope.model.logs import SPAN_ID_BYTES, TRACE_ID_BYTES, LogBatch


def make_logs(
    lines: Sequence[str],
    *,
    streams: Sequence[Mapping[str, str]] = (),
    stream: Sequence[int] | None = None,
    metadata: Sequence[Mapping[str, str]] | None = None,
    severity: Sequence[int] | None = None,
    tenant: str = "default",
) -> LogBatch:
    """One known stream (number 0, key 1000), then the new ones `streams`; lines belong to stream 0 unless told."""
    n, n_streams = len(lines), 1 + len(streams)
    return LogBatch(
        stream_key=np.arange(1000, 1000 + n_streams, dtype=np.uint64),
        stream_ref=np.array([7, *[-1] * len(streams)], np.int64),
        new_labels=LabelSets.from_dicts(streams),
        stream=np.array(stream if stream is not None else [0] * n, np.int64),
        ts_ns=np.arange(n, dtype=np.int64),
        line=Utf8Column.from_strings(list(lines)),
        metadata=LabelSets.from_dicts(metadata if metadata is not None else [{}] * n),
        level=np.zeros(n, np.uint8),
        severity=np.array(severity if severity is not None else [0] * n, np.uint8),
        observed_ns=np.zeros(n, np.int64),
        trace_id=np.zeros((n, TRACE_ID_BYTES), np.uint8),
        span_id=np.zeros((n, SPAN_ID_BYTES), np.uint8),
        tenant=tenant,
    )


@dataclass
class KeptLogs:
    """A `LogSink` that keeps batches and takes everything."""

    batches: list[LogBatch] = field(default_factory=list)

    def write_logs(self, batch: LogBatch) -> Receipt:
        self.batches.append(batch)
        return Receipt(lines=len(batch))

    def lines(self) -> list[str]:
        return [line for batch in self.batches for line in batch.line.to_strings()]
