"""Runs as log lines, so that what was done can be found where everything else is."""

from __future__ import annotations

import json
from collections.abc import Sequence

import numpy as np

from swarmscope.alerting.runbooks.runs import Run, RunState
from swarmscope.model.byte_hash import hash_bytes
from swarmscope.model.contracts import SeriesIndex
from swarmscope.model.labels import LabelSets, Utf8Column
from swarmscope.model.logs import SPAN_ID_BYTES, TRACE_ID_BYTES, Level, LogBatch
from swarmscope.model.metrics import UNKNOWN_SERIES

EVENT_NAME = "runbook.run"
STREAM = {"service_name": "swarmscope"}
# OpenTelemetry's severity numbers of ERROR and INFO.
_ERROR, _INFO = 17, 9
_STREAM_BYTES = np.frombuffer(b"swarmscope.runbook runs", np.uint8)
_MAX_OUTPUT = 4096


def to_lines(runs: Sequence[Run], index: SeriesIndex, now_ns: int) -> LogBatch:
    """One line for each run [n] of one tenant, in the order given, a nanosecond apart."""
    n, tenant = len(runs), runs[0].tenant
    key = np.array(
        [max(hash_bytes(_STREAM_BYTES.ctypes.data, len(_STREAM_BYTES), np.uint64(index.seed)), 1)], np.uint64
    )
    ref = index.resolve(tenant, key)
    failed = np.array([run.state in (RunState.FAILED, RunState.INTERRUPTED) for run in runs], np.bool_)
    return LogBatch(
        stream_key=key,
        stream_ref=ref,
        new_labels=LabelSets.from_dicts([STREAM] if ref[0] == UNKNOWN_SERIES else []),
        stream=np.zeros(n, np.int64),
        ts_ns=now_ns + np.arange(n),
        line=Utf8Column.from_strings([_to_json(run) for run in runs]),
        metadata=LabelSets.from_dicts(_to_metadata(run) for run in runs),
        level=np.where(failed, Level.ERROR, Level.INFO).astype(np.uint8),
        severity=np.where(failed, _ERROR, _INFO).astype(np.uint8),
        observed_ns=np.full(n, now_ns),
        trace_id=np.zeros((n, TRACE_ID_BYTES), np.uint8),
        span_id=np.zeros((n, SPAN_ID_BYTES), np.uint8),
        tenant=tenant,
    )


def _to_json(run: Run) -> str:
    told = {
        "id": run.id, "runbook": run.runbook, "action": run.action, "kind": run.kind, "state": str(run.state),
        "dry_run": run.dry_run, "requested_by": run.requested_by, "approved_by": run.approved_by,
        "incident": run.incident, "labels": dict(run.labels), "input": dict(run.input),
        "output": run.output[:_MAX_OUTPUT], "started_ns": run.started_ns, "ended_ns": run.ended_ns,
    }  # fmt: skip
    return json.dumps(told, ensure_ascii=False, default=str)


def _to_metadata(run: Run) -> dict[str, str]:
    said = {
        "event_name": EVENT_NAME, "run_id": run.id, "runbook": run.runbook, "runbook_action": run.action,
        "run_state": str(run.state), "alert_fingerprint": run.alert, "incident_id": run.incident,
    }  # fmt: skip
    return {name: value for name, value in said.items() if value}
