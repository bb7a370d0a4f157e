"""All routes of the fleet's API."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from starlette.responses import Response
from starlette.routing import BaseRoute

from swarmscope.analysis.agents.graph_difference import difference, of_version
from swarmscope.analysis.agents.graphs import Graph, to_graph
from swarmscope.api.agents.endpoint import FleetApiParts, FleetExchange, FleetPath, refuse
from swarmscope.api.agents.node_graph import data_json, fields_json
from swarmscope.api.agents.shapes import (
    USAGE_COLUMNS,
    agent_json,
    budget_json,
    conversation_json,
    difference_json,
    edge_json,
    finding_json,
    graph_json,
    run_json,
    summary_json,
    time_json,
    usage_json,
)
from swarmscope.api.request_times import TimeRange
from swarmscope.api.traces.trace_ids import parse_trace_id
from swarmscope.model.fleet import AgentState, FindingKind

_MAX_CONVERSATIONS = 1000


def fleet_routes(parts: FleetApiParts) -> list[BaseRoute]:
    """Everything under `/api` that is about agents."""
    path = FleetPath(parts)
    return [
        path.route("/api/agents", _agents),
        path.route("/api/agents/{name:path}", _agent),
        path.route("/api/graph", _graph),
        path.route("/api/graph/fields", _graph_fields),
        path.route("/api/graph/data", _graph_data),
        path.route("/api/health", _health),
        path.route("/api/conversations", _conversations),
        path.route("/api/conversations/{name:path}", _conversation),
        path.route("/api/runs/{name:path}", _run),
        path.route("/api/costs", _costs),
        path.route("/api/models/unknown", _unknown_models),
        path.route("/api/findings", _findings),
        path.route("/api/budgets", _budgets),
    ]


def _chosen(exchange: FleetExchange, name: str, known: type[AgentState] | type[FindingKind]) -> str:
    """A parameter that is one of some words, or empty. Raises ApiError."""
    text = exchange.parameters.text(name)
    if text and text not in set(known):
        raise refuse(f"'{name}' is one of {', '.join(known)}, not {text!r}")
    return text


async def _agents(exchange: FleetExchange) -> Response:
    status, team = _chosen(exchange, "status", AgentState), exchange.parameters.text("team")

    def make() -> Any:
        views = exchange.view.agents(exchange.tenant)
        listed = [view for view in views if status in ("", view.state) and team in ("", view.record.team)]
        return {"agents": [agent_json(view) for view in listed]}

    return await exchange.answer(make)


async def _agent(exchange: FleetExchange) -> Response:
    span = exchange.range()

    def make() -> Any:
        found = exchange.view.agent(exchange.tenant, exchange.name, *span)
        if found is None:
            raise refuse(f"there is no agent {exchange.name!r}", 404)
        edges = to_graph(found.edges.edges, found.edges.vocabulary, _seconds(span)).edges
        return {
            **agent_json(found.agent),
            **_times(span),
            "edges": [edge_json(edge) for edge in edges],
            "usage": usage_json(found.usage, ("version", "provider", "model", "operation", "tool")),
            "findings": [finding_json(finding) for finding in found.findings],
        }

    return await exchange.answer(make)


def _seconds(span: TimeRange) -> float:
    return (span.end_ns - span.start_ns) / 1e9


def _times(span: TimeRange) -> dict[str, Any]:
    return {"start": time_json(span.start_ns), "end": time_json(span.end_ns)}


async def _graph(exchange: FleetExchange) -> Response:
    text = exchange.parameters.text
    span, make = exchange.range(), _difference(exchange)
    if make is None:
        team, agent = text("team"), text("agent")

        def make() -> Any:
            graph = _focused(exchange.view.graph(exchange.tenant, *span), team, agent)
            return {**_times(span), **graph_json(graph, _states(exchange))}

    return await exchange.answer(make)


def _difference(exchange: FleetExchange) -> Callable[[], Any] | None:
    """What makes the difference of two ranges or of two versions, where one is asked for. Raises ApiError."""
    text, span = exchange.parameters.text, exchange.range()
    versions = text("version_a"), text("version_b")
    if any(versions):
        if not all(versions):
            raise refuse("'version_a' and 'version_b' are given together")

        def of_versions() -> Any:
            found = exchange.view.edges(exchange.tenant, *span)
            before, after = (
                to_graph(of_version(found.edges, found.vocabulary.code_of(each)), found.vocabulary, _seconds(span))
                for each in versions
            )
            return {**_times(span), **difference_json(difference(before, after))}

        return of_versions
    if not (text("compare_start") or text("compare_end") or text("compare_since")):
        return None
    earlier = exchange.range("compare_")

    def of_ranges() -> Any:
        before, after = (exchange.view.graph(exchange.tenant, *each) for each in (earlier, span))
        compared = {"compare_start": time_json(earlier.start_ns), "compare_end": time_json(earlier.end_ns)}
        return {**_times(span), **compared, **difference_json(difference(before, after))}

    return of_ranges


def _focused(graph: Graph, team: str, agent: str) -> Graph:
    """What of a graph is about a team and an agent: edges of which either side is."""
    if not team and not agent:
        return graph
    inside = {node.id for node in graph.nodes if team in ("", node.team) and agent in ("", node.id)}
    edges = tuple(edge for edge in graph.edges if edge.source in inside or edge.target in inside)
    shown = inside | {edge.source for edge in edges} | {edge.target for edge in edges}
    return Graph(tuple(node for node in graph.nodes if node.id in shown), edges, graph.range_s)


def _states(exchange: FleetExchange) -> dict[str, str]:
    return {view.record.name: str(view.state) for view in exchange.view.agents(exchange.tenant)}


async def _graph_fields(exchange: FleetExchange) -> Response:
    return await exchange.answer(fields_json)


async def _graph_data(exchange: FleetExchange) -> Response:
    span = exchange.range()
    team, agent = exchange.parameters.text("team"), exchange.parameters.text("agent")

    def make() -> Any:
        graph = _focused(exchange.view.graph(exchange.tenant, *span), team, agent)
        return data_json(graph, _states(exchange))

    return await exchange.answer(make)


async def _health(exchange: FleetExchange) -> Response:
    """What the node graph data source asks before it is saved."""
    return await exchange.answer(lambda: {"status": "ok"})


async def _conversations(exchange: FleetExchange) -> Response:
    span, text = exchange.range(), exchange.parameters.text("limit") or "100"
    if not text.isascii() or not text.isdigit() or not 0 < int(text) <= _MAX_CONVERSATIONS:
        raise refuse(f"'limit' is a whole number from 1 to {_MAX_CONVERSATIONS}, not {text!r}")

    def make() -> Any:
        found = exchange.view.conversations(exchange.tenant, *span, int(text))
        return {**_times(span), "conversations": [summary_json(summary) for summary in found]}

    return await exchange.answer(make)


async def _conversation(exchange: FleetExchange) -> Response:
    def make() -> Any:
        found = exchange.view.conversation(exchange.tenant, exchange.name)
        if found is None:
            raise refuse(f"there is no conversation {exchange.name!r}", 404)
        return conversation_json(exchange.name, found)

    return await exchange.answer(make)


async def _run(exchange: FleetExchange) -> Response:
    try:
        trace_id = parse_trace_id(exchange.name)
    except ValueError as error:
        raise refuse(str(error)) from None

    def make() -> Any:
        run = exchange.view.run(exchange.tenant, trace_id)
        if run is None:
            raise refuse(f"there is no trace {exchange.name}", 404)
        return run_json(trace_id.hex(), run)

    return await exchange.answer(make)


async def _costs(exchange: FleetExchange) -> Response:
    span = exchange.range()
    by = [name for name in exchange.parameters.text("by").split(",") if name] or ["agent"]
    if wrong := [name for name in by if name not in USAGE_COLUMNS]:
        raise refuse(f"'by' is some of {', '.join(USAGE_COLUMNS)}, not {wrong[0]!r}")

    def make() -> Any:
        found = exchange.view.usage(exchange.tenant, *span, tuple(USAGE_COLUMNS[name] for name in by))
        return {**_times(span), "by": by, "rows": usage_json(found, by), "unknown_models": _unknown(exchange)}

    return await exchange.answer(make)


def _unknown(exchange: FleetExchange) -> list[dict[str, Any]]:
    return [
        {"provider": each.provider, "model": each.model, "spans": each.calls, "tokens": each.tokens}
        for each in exchange.parts.unknown_models()
    ]


async def _unknown_models(exchange: FleetExchange) -> Response:
    return await exchange.answer(lambda: {"models": _unknown(exchange)})


async def _findings(exchange: FleetExchange) -> Response:
    span, kind, agent = exchange.range(), _chosen(exchange, "kind", FindingKind), exchange.parameters.text("agent")

    def make() -> Any:
        found = exchange.view.findings(exchange.tenant, *span)
        listed = [each for each in found if kind in ("", each.kind) and (not agent or agent in each.agents)]
        return {**_times(span), "findings": [finding_json(finding) for finding in listed]}

    return await exchange.answer(make)


async def _budgets(exchange: FleetExchange) -> Response:
    return await exchange.answer(
        lambda: {"budgets": [budget_json(status) for status in exchange.view.budgets(exchange.tenant)]}
    )
