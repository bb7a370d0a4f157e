"""The command line. Imports stay light here: the server's packages are loaded by the commands that need them."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from swarmscope import __version__
from swarmscope.app.agent_commands import add_agent_commands
from swarmscope.app.alert_commands import add_alert_commands
from swarmscope.app.demo_command import add_demo_command
from swarmscope.app.intelligence_commands import add_intelligence_commands
from swarmscope.app.log_commands import add_log_commands
from swarmscope.app.rule_commands import add_rule_commands
from swarmscope.app.trace_commands import add_trace_commands

EXIT_FAILED = 1
EXIT_MISUSED = 2

app = typer.Typer(
    name="swarmscope",
    help="Observability for fleets of AI agents.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
config_app = typer.Typer(help="Look at configuration files.", no_args_is_help=True)
app.add_typer(config_app, name="config")

ConfigFile = Annotated[Path | None, typer.Option("--config", help="Settings file (YAML).", show_default=False)]
AgentFile = Annotated[Path | None, typer.Option(help="An orchestrator's agent_config (JSON).", show_default=False)]
Address = Annotated[str | None, typer.Option(help="Address to listen on.", show_default="127.0.0.1")]


@app.command()
def up(
    *,
    data: Annotated[Path | None, typer.Option(help="Folder that holds the data.", show_default=False)] = None,
    host: Address = None,
    port: Annotated[int | None, typer.Option(help="Main port.", show_default="4600")] = None,
    otlp_grpc_port: Annotated[int | None, typer.Option(help="OTLP over gRPC.", show_default="4317")] = None,
    otlp_http_port: Annotated[int | None, typer.Option(help="OTLP over HTTP.", show_default="4318")] = None,
    compat_ports: Annotated[
        bool | None,
        typer.Option("--compat-ports", help="Also listen on the originals' ports.", show_default=False),
    ] = None,
    config: ConfigFile = None,
    agent_config: AgentFile = None,
    demo: Annotated[
        bool | None, typer.Option("--demo", help="Send telemetry of a pretended fleet.", show_default=False)
    ] = None,
    enable_admin_api: Annotated[
        bool | None, typer.Option("--enable-admin-api", help="Open the admin endpoints.", show_default=False)
    ] = None,
    rules: Annotated[
        list[str] | None,
        typer.Option(metavar="FILE_OR_FOLDER", help="Rule files; can be given again.", show_default=False),
    ] = None,
    alertmanager_config: Annotated[
        Path | None, typer.Option(help="Whom to tell of alerts (Alertmanager's YAML).", show_default=False)
    ] = None,
) -> None:
    """Start the program; Ctrl-C ends it."""
    flags: dict[str, Any] = {
        "data": data,
        "host": host,
        "port": port,
        "otlp_grpc_port": otlp_grpc_port,
        "otlp_http_port": otlp_http_port,
        "compat_ports": compat_ports,
        "demo": demo,
    }
    flags = {key: value for key, value in flags.items() if value is not None}
    if enable_admin_api:
        flags["api"] = {"enable_admin_api": True}
    alerts = {"rules": rules, "alertmanager_config": alertmanager_config}
    if any(alerts.values()):
        flags["alerts"] = {key: value for key, value in alerts.items() if value}
    launch = _server_part("swarmscope.app.launch")
    raise typer.Exit(launch.launch(flags, config, agent_config))


@app.command()
def query(
    expression: Annotated[str, typer.Argument(metavar="PROMQL", help="The query.")],
    *,
    start: Annotated[str | None, typer.Option(help="Start: -1h, now-5m, Unix seconds, RFC 3339.")] = None,
    end: Annotated[str | None, typer.Option(help="End, as --start; now if not given.")] = None,
    step: Annotated[str | None, typer.Option(help="Step of a range query, such as 30s.")] = None,
    time: Annotated[str | None, typer.Option(help="Evaluation time of an instant query.")] = None,
    url: Annotated[str, typer.Option(envvar="SWARMSCOPE_URL", help="Where the program listens.")] = (
        "http://127.0.0.1:4600"
    ),
    token: Annotated[str | None, typer.Option(envvar="SWARMSCOPE_TOKEN", help="Access token.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the answer's JSON.")] = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print CSV.")] = False,
    as_chart: Annotated[bool, typer.Option("--chart", help="Plot in the terminal.")] = False,
) -> None:
    """Ask a running Swarmscope (or Prometheus) a PromQL question."""
    from swarmscope.app.client import command

    outputs = [name for name, chosen in (("json", as_json), ("csv", as_csv), ("chart", as_chart)) if chosen]
    if len(outputs) > 1:
        raise typer.BadParameter("choose one of --json, --csv, --chart")
    question = command.Question(expression, start=start, end=end, step=step, time=time)
    raise typer.Exit(command.run_query(question, command.Peer(url, token), outputs[0] if outputs else "table"))


@config_app.command("check")
def check_config(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Settings file (YAML).")],
    *,
    agent_config: AgentFile = None,
) -> None:
    """Check a settings file as `up` would read it, without the environment."""
    checking = _server_part("swarmscope.app.checking")
    raise typer.Exit(checking.check(file, agent_config))


@app.command()
def restore(
    snapshot: Annotated[Path, typer.Argument(metavar="SNAPSHOT", help="Folder that the snapshot endpoint wrote.")],
    *,
    data: Annotated[Path, typer.Option(help="Folder to restore into; it must hold no data.", show_default=False)],
) -> None:
    """Make a data folder from a snapshot."""
    restoring = _server_part("swarmscope.app.restoring")
    raise typer.Exit(restoring.restore(snapshot, data))


@app.command()
def version() -> None:
    """Print the version."""
    typer.echo(f"swarmscope {__version__}")


def _server_part(module: str) -> Any:
    """A module of the server, or the advice to install it."""
    import importlib

    from swarmscope.app.kernel_cache import prepare_cache

    try:
        prepare_cache()  # before anything brings Numba
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name is None or error.name.startswith("swarmscope"):
            raise
        typer.echo(
            f"This command needs the server's packages ({error.name} is missing): pip install 'swarmscope[server]'",
            err=True,
        )
        raise typer.Exit(EXIT_MISUSED) from None


add_log_commands(app, _server_part)
add_trace_commands(app)
add_agent_commands(app)
add_intelligence_commands(app, _server_part)
add_alert_commands(app)
add_rule_commands(app, _server_part)
add_demo_command(app)


def main() -> None:
    """Entry point of the `swarmscope` program."""
    try:
        app()
    except KeyboardInterrupt:
        sys.exit(130)
