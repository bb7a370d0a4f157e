"""Findings as log lines, so that who reads logs or has rules over them sees what goes wrong between agents."""

from __future__ import annotations

import json
from collections.abc import Sequence

import numpy as np

from swarmscope.model.byte_hash import hash_bytes
from swarmscope.model.contracts import SeriesIndex
from swarmscope.model.fleet import Finding
from swarmscope.model.labels import LabelSets, Utf8Column
from swarmscope.model.logs import SPAN_ID_BYTES, TRACE_ID_BYTES, Level, LogBatch
from swarmscope.model.metrics import UNKNOWN_SERIES

EVENT_NAME = "agent.finding"
STREAM = {"service_name": "swarmscope"}
# OpenTelemetry's severity numbers of WARN and INFO.
_WARN, _INFO = 13, 9
_AGENTS_IN_A_LABEL = 5
_STREAM_BYTES = np.frombuffer(b"swarmscope.fleet findings", np.uint8)


def to_lines(findings: Sequence[Finding], index: SeriesIndex, tenant: str, now_ns: int) -> LogBatch:
    """One line for each finding [n] that began or ended; they are in the order given, a nanosecond apart."""
    n = len(findings)
    has_ended = np.array([finding.end_ns > 0 for finding in findings], np.bool_)
    key = np.array(
        [max(hash_bytes(_STREAM_BYTES.ctypes.data, len(_STREAM_BYTES), np.uint64(index.seed)), 1)], np.uint64
    )
    ref = index.resolve(tenant, key)
    return LogBatch(
        stream_key=key,
        stream_ref=ref,
        new_labels=LabelSets.from_dicts([STREAM] if ref[0] == UNKNOWN_SERIES else []),
        stream=np.zeros(n, np.int64),
        ts_ns=now_ns + np.arange(n),
        line=Utf8Column.from_strings([_to_json(finding) for finding in findings]),
        metadata=LabelSets.from_dicts(_to_metadata(finding) for finding in findings),
        level=np.where(has_ended, Level.INFO, Level.WARN).astype(np.uint8),
        severity=np.where(has_ended, _INFO, _WARN).astype(np.uint8),
        observed_ns=np.full(n, now_ns),
        trace_id=np.zeros((n, TRACE_ID_BYTES), np.uint8),
        span_id=np.zeros((n, SPAN_ID_BYTES), np.uint8),
        tenant=tenant,
    )


def _to_json(finding: Finding) -> str:
    told = {
        "id": finding.id,
        "kind": finding.kind.value,
        "state": "resolved" if finding.end_ns else "active",
        "agents": list(finding.agents),
        "summary": finding.summary,
        "confidence": round(finding.confidence, 4),
        "begin_ns": finding.begin_ns,
        "end_ns": finding.end_ns,
        "evidence": finding.evidence,
    }
    return json.dumps(told, ensure_ascii=False, default=str)


def _to_metadata(finding: Finding) -> dict[str, str]:
    agents = ",".join(finding.agents[:_AGENTS_IN_A_LABEL])
    said = {
        "event_name": EVENT_NAME,
        "finding_id": finding.id,
        "finding_kind": finding.kind.value,
        "finding_state": "resolved" if finding.end_ns else "active",
        "agent_name": agents,
    }
    return {name: value for name, value in said.items() if value}
