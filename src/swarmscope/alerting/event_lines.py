"""What happens to alerts as log lines: where LogQL and the API find it, under the retention of logs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import orjson

from swarmscope.model.byte_hash import hash_bytes
from swarmscope.model.contracts import SeriesIndex
from swarmscope.model.labels import LabelSets, Utf8Column
from swarmscope.model.logs import SPAN_ID_BYTES, TRACE_ID_BYTES, Level, LogBatch
from swarmscope.model.metrics import UNKNOWN_SERIES

STREAM = {"service_name": "swarmscope"}
_STREAM_BYTES = np.frombuffer(b"swarmscope.alerting events", np.uint8)
# OpenTelemetry's severity numbers.
_SEVERITY = {Level.INFO: 9, Level.WARN: 13, Level.ERROR: 17}


class EventLine(NamedTuple):
    """One event; metadata with empty values is left out."""

    at_ns: int
    body: Mapping[str, Any]
    metadata: Mapping[str, str]
    level: Level


def event_lines(events: Sequence[EventLine], index: SeriesIndex, tenant: str) -> LogBatch:
    """One line for each event [n], in the order given, a nanosecond apart."""
    n = len(events)
    seed = np.uint64(index.seed)
    key = np.array([max(hash_bytes(_STREAM_BYTES.ctypes.data, len(_STREAM_BYTES), seed), 1)], np.uint64)
    ref = index.resolve(tenant, key)
    at_ns = np.array([event.at_ns for event in events], np.int64)
    return LogBatch(
        stream_key=key,
        stream_ref=ref,
        new_labels=LabelSets.from_dicts([STREAM] if ref[0] == UNKNOWN_SERIES else []),
        stream=np.zeros(n, np.int64),
        ts_ns=at_ns + np.arange(n),
        line=Utf8Column.from_strings([orjson.dumps(event.body, default=str).decode() for event in events]),
        metadata=LabelSets.from_dicts({name: text for name, text in each.metadata.items() if text} for each in events),
        level=np.array([event.level for event in events], np.uint8),
        severity=np.array([_SEVERITY[event.level] for event in events], np.uint8),
        observed_ns=at_ns,
        trace_id=np.zeros((n, TRACE_ID_BYTES), np.uint8),
        span_id=np.zeros((n, SPAN_ID_BYTES), np.uint8),
        tenant=tenant,
    )
