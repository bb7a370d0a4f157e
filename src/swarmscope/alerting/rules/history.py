"""Changes of alerts as log lines: the history that LogQL and the API query, under the retention of logs."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import orjson

from swarmscope.alerting.rules.state_machine import Change
from swarmscope.model.alerts import ALERT_NAME, SEVERITY, AlertPhase
from swarmscope.model.byte_hash import hash_bytes
from swarmscope.model.contracts import LogSink, SeriesIndex
from swarmscope.model.labels import LabelSets, Utf8Column
from swarmscope.model.logs import SPAN_ID_BYTES, TRACE_ID_BYTES, Level, LogBatch
from swarmscope.model.metrics import UNKNOWN_SERIES

EVENT_NAME = "alert.state"
STREAM = {"service_name": "swarmscope"}
_WARN, _INFO = 13, 9  # OpenTelemetry's severity numbers
_STREAM_BYTES = np.frombuffer(b"swarmscope.alerting history", np.uint8)
_NS_PER_MS = 1_000_000


class AlertHistory:
    """Writes one line for each change."""

    def __init__(self, sink: LogSink, index: SeriesIndex, tenant: str) -> None:
        self._sink, self._index, self._tenant = sink, index, tenant

    def write(self, group: str, changes: Sequence[Change]) -> None:
        """Write changes of one group's alerts. Raises what the sink raises."""
        if changes:
            self._sink.write_logs(self._to_lines(group, changes))

    def _to_lines(self, group: str, changes: Sequence[Change]) -> LogBatch:
        n = len(changes)
        seed = np.uint64(self._index.seed)
        key = np.array([max(hash_bytes(_STREAM_BYTES.ctypes.data, len(_STREAM_BYTES), seed), 1)], np.uint64)
        ref = self._index.resolve(self._tenant, key)
        fires = np.array([change.after == AlertPhase.FIRING for change in changes], np.bool_)
        at_ns = np.array([change.at_ms for change in changes], np.int64) * _NS_PER_MS
        return LogBatch(
            stream_key=key,
            stream_ref=ref,
            new_labels=LabelSets.from_dicts([STREAM] if ref[0] == UNKNOWN_SERIES else []),
            stream=np.zeros(n, np.int64),
            ts_ns=at_ns + np.arange(n),
            line=Utf8Column.from_strings([_to_json(group, change) for change in changes]),
            metadata=LabelSets.from_dicts(_to_metadata(change) for change in changes),
            level=np.where(fires, Level.WARN, Level.INFO).astype(np.uint8),
            severity=np.where(fires, _WARN, _INFO).astype(np.uint8),
            observed_ns=at_ns,
            trace_id=np.zeros((n, TRACE_ID_BYTES), np.uint8),
            span_id=np.zeros((n, SPAN_ID_BYTES), np.uint8),
            tenant=self._tenant,
        )


def _to_json(group: str, change: Change) -> str:
    alert = change.alert
    return orjson.dumps(
        {
            "alert": alert.labels.get(ALERT_NAME, ""), "from": change.before.value, "to": change.after.value,
            "fingerprint": alert.fingerprint, "labels": dict(alert.labels), "annotations": dict(alert.annotations),
            "value": repr(alert.value), "active_since_ms": alert.active_ms, "rule_group": group,
        }
    ).decode()  # fmt: skip


def _to_metadata(change: Change) -> dict[str, str]:
    said = {
        "event_name": EVENT_NAME,
        "alertname": change.alert.labels.get(ALERT_NAME, ""),
        "alert_state": change.after.value,
        "alert_fingerprint": change.alert.fingerprint,
        "alert_severity": change.alert.labels.get(SEVERITY, ""),
    }
    return {name: value for name, value in said.items() if value}
