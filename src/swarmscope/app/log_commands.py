"""The commands about logs: `swarmscope logs` and `swarmscope ingest logs`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

_DEFAULT_URL = "http://127.0.0.1:4600"
Url = Annotated[str, typer.Option(envvar="SWARMSCOPE_URL", help="Where the program listens.")]
Token = Annotated[str | None, typer.Option(envvar="SWARMSCOPE_TOKEN", help="Access token.")]
Tenant = Annotated[str | None, typer.Option(help="Tenant (X-Scope-OrgID).", show_default=False)]


def add_log_commands(app: typer.Typer, server_part: Callable[[str], Any]) -> None:
    """Register the commands; `server_part` loads a module of the server or says what to install."""
    _add_logs(app)
    _add_ingest(app, server_part)


def _add_ingest(app: typer.Typer, server_part: Callable[[str], Any]) -> None:
    ingest_app = typer.Typer(help="Send data to a running Swarmscope.", no_args_is_help=True)
    app.add_typer(ingest_app, name="ingest")

    @ingest_app.command("logs")
    def ingest_logs(
        files: Annotated[list[str], typer.Argument(metavar="FILE…", help="Files; - is the standard input.")],
        *,
        follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on with what is appended.")] = False,
        form: Annotated[
            str, typer.Option("--format", help="auto, json, logfmt, text or syslog.", show_default=True)
        ] = "auto",
        label: Annotated[list[str] | None, typer.Option(help="Stream label as name=value; repeatable.")] = None,
        service: Annotated[str | None, typer.Option(help="The service's name.", show_default=False)] = None,
        multiline: Annotated[
            bool, typer.Option("--multiline", help="Lines that begin with white space belong to the one before.")
        ] = False,
        from_start: Annotated[bool, typer.Option("--from-start", help="Forget where the last run stopped.")] = False,
        state: Annotated[Path | None, typer.Option(help="Folder that remembers positions.", show_default=False)] = None,
        url: Url = _DEFAULT_URL,
        token: Token = None,
        tenant: Tenant = None,
    ) -> None:
        """Send log files (or a pipe) to a running Swarmscope."""
        command = server_part("swarmscope.app.ingestion.command")
        labels = command.read_labels(label or [], service)
        options = command.IngestOptions(
            form=form, labels=labels, is_following=follow, is_multiline=multiline, is_from_start=from_start, state=state
        )
        raise typer.Exit(command.run_ingest(files, options, command.Target(url, token, tenant)))


def _add_logs(app: typer.Typer) -> None:
    @app.command("logs")
    def logs(
        expression: Annotated[str, typer.Argument(metavar="LOGQL", help="The query.")],
        *,
        since: Annotated[str | None, typer.Option(help="How far back, such as 15m; 1h if not given.")] = None,
        start: Annotated[str | None, typer.Option(help="Start: -1h, now-5m, Unix seconds, RFC 3339.")] = None,
        end: Annotated[str | None, typer.Option(help="End, as --start; now if not given.")] = None,
        limit: Annotated[int, typer.Option(min=1, help="How many lines at the most.")] = 100,
        follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on with what comes in.")] = False,
        as_json: Annotated[bool, typer.Option("--json", help="Print JSON, one object a line.")] = False,
        forward: Annotated[bool, typer.Option("--forward", help="The oldest lines instead of the newest.")] = False,
        labels: Annotated[bool, typer.Option("--labels", help="Show all labels of each line.")] = False,
        tenant: Tenant = None,
        url: Url = _DEFAULT_URL,
        token: Token = None,
    ) -> None:
        """Ask a running Swarmscope (or Loki) a LogQL question."""
        from swarmscope.app.client.log_command import LogQuestion, run_logs
        from swarmscope.app.client.log_peer import LogPeer

        question = LogQuestion(
            expression=expression, since=since, start=start, end=end, limit=limit, is_forward=forward, is_json=as_json,
            with_labels=labels,
        )  # fmt: skip
        raise typer.Exit(run_logs(question, LogPeer(url, token, tenant), is_following=follow))
