"""The commands about a fleet's mind: `swarmscope intelligence phi`, `emergence`, `coherence` and `coordination`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from swarmscope.app.log_commands import Tenant, Token, Url

_DEFAULT_URL = "http://127.0.0.1:4600"
ServerPart = Callable[[str], Any]
Agents = Annotated[str | None, typer.Option(help="Names of agents, with commas.", show_default=False)]
Teams = Annotated[str | None, typer.Option(help="Names of teams, with commas.", show_default=False)]
Modules = Annotated[str | None, typer.Option(help="Names of declared modules, with commas.", show_default=False)]
Since = Annotated[str | None, typer.Option(help="How far back, such as 15m; 1h if not given.")]
Start = Annotated[str | None, typer.Option(help="Start: -1h, now-5m, Unix seconds, RFC 3339.")]
Until = Annotated[str | None, typer.Option("--until", "--end", help="End, as --start; now if not given.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
ModelFile = Annotated[
    Path | None,
    typer.Option(
        "--model",
        metavar="FILE",
        help="Compute of a file, without a server: JSON with tpm, cm and state, or CSV or Parquet of states.",
        show_default=False,
    ),
]


def add_intelligence_commands(app: typer.Typer, server_part: ServerPart) -> None:
    """Register the commands; `server_part` brings a module of the server."""
    intelligence_app = typer.Typer(help="What a fleet has as a whole.", no_args_is_help=True)
    app.add_typer(intelligence_app, name="intelligence")
    _add_phi(intelligence_app, server_part)
    for kind, words in (
        ("emergence", "What the whole tells of its future that its parts do not."),
        ("coherence", "How far activities swing together."),
        ("coordination", "How well agents work together."),
    ):
        _add_kind(intelligence_app, kind, words)


def _add_phi(app: typer.Typer, server_part: ServerPart) -> None:
    @app.command("phi")
    def phi(
        *,
        agents: Agents = None,
        teams: Teams = None,
        modules: Modules = None,
        since: Since = None,
        start: Start = None,
        until: Until = None,
        integration_type: Annotated[
            str,
            typer.Option(help="auto, iit_3.0 (exact), ei_mip (exact, of effective information) or phi_g (Gaussian)."),
        ] = "auto",
        model: ModelFile = None,
        as_json: Json = False,
        tenant: Tenant = None,
        url: Url = _DEFAULT_URL,
        token: Token = None,
    ) -> None:
        """Integrated information Φ of a running fleet, or of a model in a file."""
        if model is not None:
            if agents or teams or modules or since or start or until:
                raise typer.BadParameter("--model takes no agents, teams, modules and times")
            command = server_part("swarmscope.app.model_command")
            raise typer.Exit(command.run_model_phi(model, integration_type, is_json=as_json))
        from swarmscope.app.client.fleet_peer import FleetPeer
        from swarmscope.app.client.intelligence_command import IntelligenceQuestion, run_intelligence
        from swarmscope.app.client.time_range import TimeOptions

        question = IntelligenceQuestion(
            "phi", TimeOptions(since, start, until), _names(agents), _names(teams), _names(modules), integration_type
        )
        raise typer.Exit(run_intelligence(FleetPeer(url, token, tenant), question, is_json=as_json))


def _add_kind(app: typer.Typer, kind: str, words: str) -> None:
    @app.command(kind, help=words)
    def ask(
        *,
        agents: Agents = None,
        teams: Teams = None,
        modules: Modules = None,
        since: Since = None,
        start: Start = None,
        until: Until = None,
        as_json: Json = False,
        tenant: Tenant = None,
        url: Url = _DEFAULT_URL,
        token: Token = None,
    ) -> None:
        from swarmscope.app.client.fleet_peer import FleetPeer
        from swarmscope.app.client.intelligence_command import IntelligenceQuestion, run_intelligence
        from swarmscope.app.client.time_range import TimeOptions

        times = TimeOptions(since, start, until)
        question = IntelligenceQuestion(kind, times, _names(agents), _names(teams), _names(modules))
        raise typer.Exit(run_intelligence(FleetPeer(url, token, tenant), question, is_json=as_json))


def _names(words: str | None) -> tuple[str, ...]:
    return tuple(name.strip() for name in (words or "").split(",") if name.strip())
