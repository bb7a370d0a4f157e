"""How a finding is put together."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

import numpy as np

from swarmscope.analysis.agents.pathologies.window import FleetWindow
from swarmscope.model.agents import AgentSpans
from swarmscope.model.fleet import Finding, FindingKind

_MAX_IDS = 10  # what is shown of the traces and spans


def finding_id(kind: FindingKind, *subject: str) -> str:
    """The same for the same trouble: its kind, and whom and what it is about."""
    told = "\x1f".join((kind.value, *subject)).encode()
    return f"{kind.value}-{hashlib.blake2b(told, digest_size=8).hexdigest()}"


def surplus(value: float, threshold: float) -> float:
    """How sure one is of a value at or above a threshold: 0.7 there, 0.9 at three times as much, towards 1."""
    return max(0.0, 1 - 0.3 * threshold / value) if value > 0 else 0.0


def shown(spans: AgentSpans, rows: Iterable[int]) -> dict[str, object]:
    """Ids, in hexadecimal, of the traces and spans of some rows."""
    chosen = list(rows)
    traces = dict.fromkeys(spans.trace_id[row].tobytes().hex() for row in chosen)
    return {
        "traces": list(traces)[:_MAX_IDS],
        "spans": [spans.span_id[row].tobytes().hex() for row in chosen[-_MAX_IDS:]],
    }


def to_finding(
    window: FleetWindow,
    kind: FindingKind,
    agents: Iterable[int],
    begin_ns: int,
    confidence: float,
    told: tuple[str, dict[str, object], tuple[str, ...]],
) -> Finding:
    """A finding that lasts; `told` is its summary, its evidence and what of it besides the agents is its identity."""
    summary, evidence, subject = told
    names = tuple(window.name(code) for code in agents)
    if kind != FindingKind.CYCLE:
        names = tuple(sorted(names))
    return Finding(
        id=finding_id(kind, *names, *subject),
        kind=kind,
        agents=names,
        begin_ns=int(begin_ns),
        end_ns=0,
        confidence=float(np.clip(confidence, 0, 1)),
        summary=summary,
        evidence=evidence,
        tenant=window.spans.tenant,
    )
