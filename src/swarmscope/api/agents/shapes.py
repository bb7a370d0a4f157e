"""What is known of the fleet as JSON: times are RFC 3339 in UTC, lengths of time seconds, money US dollars."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from typing import Any

from swarmscope.analysis.agents.budgets import BudgetStatus
from swarmscope.analysis.agents.conversations import Conversation
from swarmscope.analysis.agents.graph_difference import EdgeChange, GraphDifference
from swarmscope.analysis.agents.graphs import Graph, GraphEdge, GraphNode
from swarmscope.analysis.agents.runs import Run
from swarmscope.fleet.queries import AgentView, FleetUsage
from swarmscope.model.agents import AgentOperation
from swarmscope.model.fleet import ConversationSummary, Finding, Usage, UsageMeasure

_NS_PER_MS = 1_000_000
_MS_PER_S = 1000
_LATEST_MS = 253_402_300_799_999  # the last moment of year 9999
# Columns of usage by the names that requests use.
USAGE_COLUMNS = {
    "agent": "agent", "version": "agent_version", "team": "team", "provider": "provider", "model": "model",
    "operation": "operation", "tool": "tool",
}  # fmt: skip


def time_json(time_ns: int | None) -> str | None:
    """`2026-01-02T03:04:05.678Z`; None for none."""
    if not time_ns:
        return None
    time_ms = min(max(time_ns // _NS_PER_MS, 0), _LATEST_MS)
    moment = datetime.datetime.fromtimestamp(time_ms // _MS_PER_S, datetime.UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{time_ms % _MS_PER_S:03d}Z"


def agent_json(view: AgentView) -> dict[str, Any]:
    """One agent of the list."""
    record = view.record
    return {
        "name": record.name,
        "status": str(view.state),
        "reason": view.reason,
        "since": time_json(view.since_ns),
        "team": record.team,
        "version": record.version,
        "model": record.model,
        "provider": record.provider,
        "framework": record.framework,
        "service": record.service,
        "id": record.id,
        "first_seen": time_json(record.first_seen_ns),
        "last_seen": time_json(record.last_seen_ns),
        "spans": round(view.spans),
        "errors": round(view.errors),
        "tokens": {"input": round(view.input_tokens), "output": round(view.output_tokens)},
        "cost_usd": view.cost_usd,
        "open_spans": view.open_spans,
    }


def node_json(node: GraphNode, status: str = "") -> dict[str, Any]:
    """One agent of a graph."""
    return {
        "id": node.id, "team": node.team, "spans": node.spans, "errors": node.errors, "tokens": node.tokens,
        "cost_usd": node.cost_usd, "calls_in": node.calls_in, "calls_out": node.calls_out, "status": status,
    }  # fmt: skip


def edge_json(edge: GraphEdge) -> dict[str, Any]:
    """One interaction of a graph; latencies are null where nothing was counted."""
    told = edge.count > 0
    return {
        "source": edge.source,
        "target": edge.target,
        "type": edge.type,
        "count": edge.count,
        "errors": edge.errors,
        "rate": edge.rate,
        "mean": edge.mean_s if told else None,
        "p50": edge.p50_s if told else None,
        "p90": edge.p90_s if told else None,
        "p99": edge.p99_s if told else None,
        "bytes": edge.payload_bytes,
        "cost_usd": edge.cost_usd,
        "tokens": edge.tokens,
    }


def graph_json(graph: Graph, states: dict[str, str]) -> dict[str, Any]:
    """Nodes and edges; `states` are those of agents by name."""
    return {
        "nodes": [node_json(node, states.get(node.id, "")) for node in graph.nodes],
        "edges": [edge_json(edge) for edge in graph.edges],
    }


def difference_json(found: GraphDifference) -> dict[str, Any]:
    """What appeared, vanished and changed."""
    return {
        "nodes": {
            "appeared": [node_json(node) for node in found.appeared_nodes],
            "vanished": [node_json(node) for node in found.vanished_nodes],
            "changed": [{"before": node_json(old), "after": node_json(new)} for old, new in found.changed_nodes],
        },
        "edges": {
            "appeared": [edge_json(edge) for edge in found.appeared_edges],
            "vanished": [edge_json(edge) for edge in found.vanished_edges],
            "changed": [_change_json(change) for change in found.changed_edges],
        },
    }


def _change_json(change: EdgeChange) -> dict[str, Any]:
    return {
        "before": edge_json(change.before),
        "after": edge_json(change.after),
        "rate_ratio": change.rate_ratio,
        "error_share_change": change.error_share_change,
        "error_p_value": change.error_p_value,
        "p50_ratio": change.p50_ratio,
        "p90_ratio": change.p90_ratio,
        "p99_ratio": change.p99_ratio,
        "reasons": list(change.reasons),
    }


def summary_json(summary: ConversationSummary) -> dict[str, Any]:
    """One conversation of the list."""
    return {
        "id": summary.id, "start": time_json(summary.begin_ns), "end": time_json(summary.end_ns),
        "agents": list(summary.agents), "traces": summary.traces, "spans": summary.spans, "errors": summary.errors,
        "input_tokens": summary.input_tokens, "output_tokens": summary.output_tokens, "cost_usd": summary.cost_usd,
    }  # fmt: skip


def conversation_json(name: str, found: Conversation) -> dict[str, Any]:
    """One conversation, whole."""
    return {
        "id": name,
        "start": time_json(found.begin_ns),
        "end": time_json(found.end_ns),
        "agents": [share.agent for share in found.agents],
        "models": list(found.models),
        "traces": list(found.trace_ids),
        "totals": {
            "spans": len(found.turns), "errors": found.errors, "input_tokens": found.input_tokens,
            "output_tokens": found.output_tokens, "cost_usd": found.cost_usd,
            "unpriced_tokens": found.unpriced_tokens,
        },
        "shares": [
            {
                "agent": share.agent, "turns": share.turns, "errors": share.errors, "inferences": share.inferences,
                "tool_calls": share.tool_calls, "input_tokens": share.input_tokens,
                "output_tokens": share.output_tokens, "cost_usd": share.cost_usd, "busy": share.busy_s,
            }
            for share in found.agents
        ],
        "turns": [
            {
                "agent": turn.agent, "caller": turn.caller, "start": time_json(turn.start_ns),
                "end": time_json(turn.end_ns), "operation": turn.operation, "name": turn.name, "model": turn.model,
                "tool": turn.tool, "input_tokens": turn.input_tokens, "output_tokens": turn.output_tokens,
                "cost_usd": turn.cost_usd, "error": turn.error, "trace_id": turn.trace_id, "span_id": turn.span_id,
            }
            for turn in found.turns
        ],
        "messages": [
            {
                "source": message.source, "target": message.target, "type": message.type,
                "at": time_json(message.at_ns), "bytes": message.payload_bytes, "error": message.is_error,
            }
            for message in found.messages
        ],
        "tools": [
            {"name": tool.tool, "calls": tool.calls, "errors": tool.errors, "busy": tool.busy_s} for tool in found.tools
        ],
    }  # fmt: skip


def run_json(trace_id: str, run: Run) -> dict[str, Any]:
    """One trace as a run of agents."""
    return {
        "trace_id": trace_id,
        "start": time_json(run.begin_ns),
        "end": time_json(run.end_ns),
        "critical_path": [
            {
                "agent": step.agent, "name": step.name, "operation": step.operation, "model": step.model,
                "tool": step.tool, "span_id": step.span_id, "start": time_json(step.begin_ns),
                "end": time_json(step.end_ns), "seconds": (step.end_ns - step.begin_ns) / 1e9,
            }
            for step in run.path
        ],
        "agents": [
            {
                "agent": each.agent, "work": each.work_s, "waiting": each.waiting_s, "idle": each.idle_s,
                "critical": each.critical_s, "critical_share": each.critical_share,
            }
            for each in run.agents
        ],
    }  # fmt: skip


def usage_json(found: FleetUsage, by: Sequence[str]) -> list[dict[str, Any]]:
    """Rows by the columns asked for, the dearest first."""
    rows = [_usage_row(found.usage, row, by, found) for row in range(len(found.usage))]
    return sorted(rows, key=lambda row: (-row["cost_usd"], -row["input_tokens"], *(str(row[name]) for name in by)))


def _usage_row(usage: Usage, row: int, by: Sequence[str], found: FleetUsage) -> dict[str, Any]:
    told: dict[str, Any] = {}
    for name in by:
        value = int(getattr(usage, USAGE_COLUMNS[name])[row])
        told[name] = AgentOperation(value).label if name == "operation" else found.vocabulary.text(value)
    measures = usage.measures[row]
    numbers = {
        measure.name.lower(): round(float(measures[measure]))
        for measure in UsageMeasure
        if measure not in (UsageMeasure.BUSY_S, UsageMeasure.COST_USD)
    }
    return told | numbers | {
        "busy": float(measures[UsageMeasure.BUSY_S]), "cost_usd": float(measures[UsageMeasure.COST_USD])
    }  # fmt: skip


def finding_json(finding: Finding) -> dict[str, Any]:
    """One thing that went wrong."""
    return {
        "id": finding.id,
        "kind": str(finding.kind),
        "agents": list(finding.agents),
        "begin": time_json(finding.begin_ns),
        "end": time_json(finding.end_ns),
        "active": finding.end_ns == 0,
        "confidence": finding.confidence,
        "summary": finding.summary,
        "evidence": finding.evidence,
    }


def budget_json(status: BudgetStatus) -> dict[str, Any]:
    """How far one budget is used up."""
    budget = status.budget
    return {
        "name": budget.name, "unit": str(budget.unit), "per": str(budget.per), "of": budget.of,
        "subject": status.subject, "limit": budget.limit, "used": status.used,
        "used_ratio": status.used_ratio if budget.limit > 0 else None, "burn_rate": status.burn_rate,
        "burn_rate_5m": status.burn_rate_5m, "period_start": time_json(status.period_start_ns),
        "period_end": time_json(status.period_end_ns), "exhausted": time_json(status.exhausted_ns),
        "exhausted_earliest": time_json(status.earliest_ns), "exhausted_latest": time_json(status.latest_ns),
        "probability": status.probability,
    }  # fmt: skip
