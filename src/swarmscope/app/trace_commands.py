"""The commands about traces: `swarmscope trace` and `swarmscope traces`."""

from __future__ import annotations

from typing import Annotated

import typer

from swarmscope.app.log_commands import Tenant, Token, Url

_DEFAULT_URL = "http://127.0.0.1:4600"


def add_trace_commands(app: typer.Typer) -> None:
    """Register the commands."""

    @app.command("trace")
    def trace(
        trace_id: Annotated[str, typer.Argument(metavar="ID", help="The trace's id, hexadecimal.")],
        *,
        is_verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Show attributes and events.")] = False,
        as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
        tenant: Tenant = None,
        url: Url = _DEFAULT_URL,
        token: Token = None,
    ) -> None:
        """Show one trace of a running Swarmscope (or Tempo) as a tree."""
        from swarmscope.app.client.trace_command import run_trace
        from swarmscope.app.client.trace_peer import TracePeer

        peer = TracePeer(url, token, tenant)
        raise typer.Exit(run_trace(trace_id, peer, is_verbose=is_verbose, is_json=as_json))

    @app.command("traces")
    def traces(
        expression: Annotated[str, typer.Argument(metavar="TRACEQL", help="The query.")],
        *,
        since: Annotated[str | None, typer.Option(help="How far back, such as 15m; 1h if not given.")] = None,
        start: Annotated[str | None, typer.Option(help="Start: -1h, now-5m, Unix seconds, RFC 3339.")] = None,
        end: Annotated[str | None, typer.Option(help="End, as --start; now if not given.")] = None,
        limit: Annotated[int, typer.Option(min=1, help="How many traces at the most.")] = 20,
        as_json: Annotated[bool, typer.Option("--json", help="Print JSON, one object a line.")] = False,
        tenant: Tenant = None,
        url: Url = _DEFAULT_URL,
        token: Token = None,
    ) -> None:
        """Ask a running Swarmscope (or Tempo) a TraceQL question."""
        from swarmscope.app.client.time_range import TimeOptions
        from swarmscope.app.client.trace_command import TracesQuestion, run_traces
        from swarmscope.app.client.trace_peer import TracePeer

        question = TracesQuestion(
            expression=expression, times=TimeOptions(since, start, end), limit=limit, is_json=as_json
        )
        raise typer.Exit(run_traces(question, TracePeer(url, token, tenant)))
