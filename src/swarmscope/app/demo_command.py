"""The command `swarmscope demo`."""

from __future__ import annotations

import signal
import threading
from pathlib import Path
from typing import Annotated

import typer


def add_demo_command(app: typer.Typer) -> None:
    """Register the command."""

    @app.command()
    def demo(
        *,
        endpoint: Annotated[str, typer.Option(envvar="OTEL_EXPORTER_OTLP_ENDPOINT", help="OTLP over HTTP.")] = (
            "http://127.0.0.1:4318"
        ),
        seed: Annotated[int, typer.Option(help="The same seed, the same story.")] = 1,
        rate: Annotated[float, typer.Option(min=0.1, max=50, help="Factor on the tasks that come in.")] = 1.0,
        since: Annotated[str, typer.Option(help="History to send first, such as 6h; 0s for none.")] = "0s",
        duration: Annotated[
            str | None, typer.Option("--for", help="End after so long, such as 10m.", show_default=False)
        ] = None,
        truth: Annotated[
            Path | None, typer.Option(help="JSON file that tells the injected faults.", show_default=False)
        ] = None,
        faults: Annotated[str, typer.Option(help="Names with commas between them, all or none.")] = "all",
        token: Annotated[str | None, typer.Option(envvar="SWARMSCOPE_TOKEN", help="Access token.")] = None,
    ) -> None:
        """Send telemetry of a pretended fleet of 42 agents to any OTLP endpoint; Ctrl-C ends it."""
        from swarmscope.app.demo.faults.schedule import parse_faults
        from swarmscope.app.demo.running import DemoFleet, DemoOptions
        from swarmscope.app.durations import parse_duration

        stopping = threading.Event()
        try:
            duration_s = None if duration is None else parse_duration(duration).seconds
            since_s = parse_duration(since).seconds
            options = DemoOptions(endpoint, token, seed, rate, since_s, duration_s, truth, parse_faults(faults))
            fleet = DemoFleet(options, stopping)
        except ValueError as error:
            raise typer.BadParameter(str(error)) from None
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: stopping.set())
        typer.echo(f"42 agents send to {endpoint}; seed {seed}; Ctrl-C ends it")
        fleet.run()
        typer.echo(f"{fleet.sender.n_sent} requests were taken, {fleet.sender.n_dropped} were not")
        if not fleet.sender.n_sent:
            raise typer.Exit(1)
