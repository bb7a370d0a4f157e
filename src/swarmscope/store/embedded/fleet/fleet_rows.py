"""What is found of the fleet as Arrow batches, in the columns of `schema.agent_tables`."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from swarmscope.model.agents import NO_TEXT, TEXT_COLUMNS, TOKEN_COLUMNS, AgentSpans, Vocabulary
from swarmscope.model.fleet import AgentRecord, Edges, Finding, Usage
from swarmscope.schema.agent_tables import EDGE_MEASURES, USAGE_MEASURES

_SMALL = ("status", "kind", "operation", "channel", "dialect", "cost_source")
_NUMBERS = (
    "span_key",
    "parent_key",
    *TOKEN_COLUMNS,
    "payload_bytes",
    "cost_usd",
    "content",
    "similarity",
    "conversation_key",
)
_EDGE_NAMES = ("source", "target", "source_version", "target_version")
_USAGE_NAMES = ("agent", "agent_version", "team", "provider", "model", "tool")


class Texts:
    """Codes of a vocabulary to Arrow strings; one for all columns of a write."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        self._vocabulary = vocabulary

    def column(self, codes: NDArray[np.uint32]) -> pa.DictionaryArray:
        """Strings [n] of codes [n], each distinct one once."""
        used = np.zeros(int(codes.max(initial=0)) + 1, np.bool_)
        used[codes] = True
        distinct = np.flatnonzero(used)
        place = np.cumsum(used, dtype=np.int32) - 1
        texts = pa.array([self._vocabulary.text(code) for code in distinct.tolist()], pa.string())
        return pa.DictionaryArray.from_arrays(place[codes], texts)


def span_batch(spans: AgentSpans, caller: NDArray[np.uint32], texts: Texts, batch: int) -> pa.RecordBatch:
    """Rows of table `agent_spans`, in its order; without columns that say nothing in any row."""
    order = np.argsort(spans.end_ns, kind="stable")
    columns: dict[str, Any] = {"ts": spans.end_ns[order], "start": spans.start_ns[order]}
    for name in (*_SMALL, *_NUMBERS):
        numbers = getattr(spans, name)
        # Such columns are the larger part; the store has a zero, or an empty text, there by itself.
        if numbers.any():
            columns[name] = numbers[order]
    for name in TEXT_COLUMNS:
        codes = getattr(spans, name)
        if (codes != NO_TEXT).any():
            columns[name] = texts.column(codes[order])
    columns["caller"] = texts.column(caller[order])
    for name in ("trace_id", "span_id"):
        ids = getattr(spans, name)[order]
        columns[name] = pa.FixedSizeBinaryArray.from_buffers(
            pa.binary(ids.shape[1]), len(ids), [None, pa.py_buffer(np.ascontiguousarray(ids))]
        )
    if spans.conversation.length.any():
        columns["conversation"] = spans.conversation.take(order).to_arrow()
    return _batch(columns, len(spans), spans.tenant, batch)


def edge_batch(edges: Edges, tenant: str, texts: Texts, batch: int) -> pa.RecordBatch:
    """Rows of table `agent_edges`."""
    columns: dict[str, Any] = {"minute": edges.minute_ns, "type": edges.type}
    columns |= {name: texts.column(getattr(edges, name)) for name in _EDGE_NAMES}
    columns |= {name: edges.measures[:, number] for number, name in enumerate(EDGE_MEASURES)}
    row, bucket = np.nonzero(edges.durations)
    offsets = np.searchsorted(row, np.arange(len(edges) + 1)).astype(np.int32)
    columns["buckets"] = pa.ListArray.from_arrays(offsets, pa.array(bucket.astype(np.uint8)))
    columns["counts"] = pa.ListArray.from_arrays(offsets, pa.array(edges.durations[row, bucket]))
    return _batch(columns, len(edges), tenant, batch)


def usage_batch(usage: Usage, tenant: str, texts: Texts, batch: int) -> pa.RecordBatch:
    """Rows of table `agent_usage`."""
    columns: dict[str, Any] = {"minute": usage.minute_ns, "operation": usage.operation}
    columns |= {name: texts.column(getattr(usage, name)) for name in _USAGE_NAMES}
    columns |= {name: usage.measures[:, number] for number, name in enumerate(USAGE_MEASURES)}
    return _batch(columns, len(usage), tenant, batch)


def agent_batch(agents: Sequence[AgentRecord], tenant: str) -> pa.RecordBatch:
    """Rows of table `agents`."""
    texts = ("name", "id", "team", "version", "model", "provider", "framework", "service")
    columns: dict[str, Any] = {name: [_plain(getattr(agent, name)) for agent in agents] for name in texts}
    columns["first_seen"] = np.array([agent.first_seen_ns for agent in agents], np.int64)
    columns["last_seen"] = np.array([agent.last_seen_ns for agent in agents], np.int64)
    return pa.record_batch(columns | {"tenant": [tenant] * len(agents)})


def finding_batch(findings: Sequence[Finding], tenant: str, batch: int) -> pa.RecordBatch:
    """Rows of table `agent_findings`."""
    columns: dict[str, Any] = {
        "id": [_plain(each.id) for each in findings],
        "kind": [each.kind.value for each in findings],
        "agents": pa.array([list(map(_plain, each.agents)) for each in findings], pa.list_(pa.string())),
        "begin": np.array([each.begin_ns for each in findings], np.int64),
        "end": np.array([each.end_ns for each in findings], np.int64),
        "confidence": np.array([each.confidence for each in findings], np.float64),
        "summary": [_plain(each.summary) for each in findings],
        "evidence": [json.dumps(each.evidence, default=str) for each in findings],
    }
    return _batch(columns, len(findings), tenant, batch)


def _batch(columns: Mapping[str, Any], n_rows: int, tenant: str, batch: int) -> pa.RecordBatch:
    same = pa.DictionaryArray.from_arrays(np.zeros(n_rows, np.int32), pa.array([_plain(tenant)]))
    return pa.record_batch({**columns, "tenant": same, "batch": np.full(n_rows, batch, np.uint64)})


def _plain(text: str) -> str:
    """What of a text can be written as UTF-8."""
    return text.encode("utf-8", "replace").decode()
