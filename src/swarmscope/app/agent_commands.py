"""The commands about agents: `swarmscope agents`, `graph`, `conversation` and `cost`."""

from __future__ import annotations

from typing import Annotated

import typer

from swarmscope.app.log_commands import Tenant, Token, Url

_DEFAULT_URL = "http://127.0.0.1:4600"
_LEAST_EVERY_S = 0.2
Json = Annotated[bool, typer.Option("--json", help="Print the answer's JSON.")]
Start = Annotated[str | None, typer.Option(help="Start: -1h, now-5m, Unix seconds, RFC 3339.")]
End = Annotated[str | None, typer.Option(help="End, as --start; now if not given.")]


def add_agent_commands(app: typer.Typer) -> None:
    """Register the commands."""
    _add_agents(app)
    _add_graph(app)
    _add_conversation(app)
    _add_cost(app)


def _add_agents(app: typer.Typer) -> None:
    @app.command("agents")
    def agents(
        *,
        is_once: Annotated[bool, typer.Option("--once", help="Print the table once and end.")] = False,
        as_json: Json = False,
        every_s: Annotated[float, typer.Option("--every", min=_LEAST_EVERY_S, help="Seconds between redraws.")] = 2.0,
        tenant: Tenant = None,
        url: Url = _DEFAULT_URL,
        token: Token = None,
    ) -> None:
        """Watch the agents of a running Swarmscope: a table that redraws until Ctrl-C."""
        from swarmscope.app.client.agents_command import run_agents
        from swarmscope.app.client.fleet_peer import FleetPeer

        peer = FleetPeer(url, token, tenant)
        raise typer.Exit(run_agents(peer, is_once=is_once, is_json=as_json, every_s=every_s))


def _add_graph(app: typer.Typer) -> None:
    @app.command("graph")
    def graph(
        *,
        as_dot: Annotated[bool, typer.Option("--dot", help="Print Graphviz' DOT.")] = False,
        as_mermaid: Annotated[bool, typer.Option("--mermaid", help="Print a Mermaid flowchart.")] = False,
        as_json: Json = False,
        since: Annotated[str | None, typer.Option(help="How far back, such as 15m; 1h if not given.")] = None,
        start: Start = None,
        end: End = None,
        tenant: Tenant = None,
        url: Url = _DEFAULT_URL,
        token: Token = None,
    ) -> None:
        """Show which agents talk to which."""
        from swarmscope.app.client.fleet_peer import FleetPeer
        from swarmscope.app.client.graph_command import run_graph
        from swarmscope.app.client.time_range import TimeOptions

        outputs = [name for name, chosen in (("dot", as_dot), ("mermaid", as_mermaid), ("json", as_json)) if chosen]
        if len(outputs) > 1:
            raise typer.BadParameter("choose one of --dot, --mermaid, --json")
        peer = FleetPeer(url, token, tenant)
        raise typer.Exit(run_graph(peer, TimeOptions(since, start, end), outputs[0] if outputs else "table"))


def _add_conversation(app: typer.Typer) -> None:
    @app.command("conversation")
    def conversation(
        conversation_id: Annotated[str, typer.Argument(metavar="ID", help="The conversation's id.")],
        *,
        as_json: Json = False,
        tenant: Tenant = None,
        url: Url = _DEFAULT_URL,
        token: Token = None,
    ) -> None:
        """Show the turns, messages, tools and cost of one conversation."""
        from swarmscope.app.client.conversation_command import run_conversation
        from swarmscope.app.client.fleet_peer import FleetPeer

        raise typer.Exit(run_conversation(conversation_id, FleetPeer(url, token, tenant), is_json=as_json))


def _add_cost(app: typer.Typer) -> None:
    @app.command("cost")
    def cost(
        *,
        by: Annotated[str, typer.Option(help="Agent, team, version, provider, model, operation or tool; with commas.")]
        = "agent,model",
        since: Annotated[str | None, typer.Option(help="How far back, such as 6h; 1d if not given.")] = None,
        start: Start = None,
        end: End = None,
        as_json: Json = False,
        tenant: Tenant = None,
        url: Url = _DEFAULT_URL,
        token: Token = None,
    ) -> None:  # fmt: skip
        """Show tokens and cost."""
        from swarmscope.app.client.cost_command import run_cost
        from swarmscope.app.client.fleet_peer import FleetPeer
        from swarmscope.app.client.time_range import TimeOptions

        times = TimeOptions(since if since or start else "1d", start, end)
        raise typer.Exit(run_cost(FleetPeer(url, token, tenant), by, times, is_json=as_json))
