"""The commands about alerts: `swarmscope alerts`, `silence` and `notify`."""

from __future__ import annotations

from typing import Annotated

import typer

from swarmscope.app.log_commands import Tenant, Token, Url

_DEFAULT_URL = "http://127.0.0.1:4600"
Json = Annotated[bool, typer.Option("--json", help="Print the answer's JSON.")]
Matchers = Annotated[
    list[str] | None, typer.Argument(metavar="MATCHER…", help="Such as agent=writer, severity=~'error|critical'.")
]


def add_alert_commands(app: typer.Typer) -> None:
    """Register the commands."""
    _add_alerts(app)
    silence_app = typer.Typer(help="Keep alerts from being told of for a while.", no_args_is_help=True)
    app.add_typer(silence_app, name="silence")
    _add_silence_add(silence_app)
    _add_silence_list(silence_app)
    _add_silence_expire(silence_app)
    notify_app = typer.Typer(help="Look after receivers of notifications.", no_args_is_help=True)
    app.add_typer(notify_app, name="notify")
    _add_notify_test(notify_app)


def _add_alerts(app: typer.Typer) -> None:
    @app.command("alerts")
    def alerts(
        matchers: Matchers = None,
        *,
        state: Annotated[
            str | None, typer.Option(help="Only firing, pending, silenced, inhibited or muted.", show_default=False)
        ] = None,
        is_history: Annotated[bool, typer.Option("--history", help="What happened, instead of what is.")] = False,
        since: Annotated[str | None, typer.Option(help="With --history: how far back; 1h if not given.")] = None,
        start: Annotated[str | None, typer.Option(help="With --history: -1h, Unix seconds, RFC 3339.")] = None,
        end: Annotated[str | None, typer.Option(help="With --history: as --start; now if not given.")] = None,
        limit: Annotated[int, typer.Option(min=1, help="With --history: at most so many.")] = 100,
        as_json: Json = False,
        tenant: Tenant = None,
        url: Url = _DEFAULT_URL,
        token: Token = None,
    ) -> None:
        """Show the alerts of a running Swarmscope."""
        from swarmscope.app.client.alert_peer import AlertPeer
        from swarmscope.app.client.alerts_command import AlertChoice, run_alerts
        from swarmscope.app.client.time_range import TimeOptions

        if (since or start or end) and not is_history:
            raise typer.BadParameter("--since, --start and --end go with --history")
        choice = AlertChoice(matchers or [], state, TimeOptions(since, start, end), limit)
        code = run_alerts(AlertPeer(url, token, tenant), choice, is_history=is_history, is_json=as_json)
        raise typer.Exit(code)


def _add_silence_add(app: typer.Typer) -> None:
    @app.command("add")
    def add(
        matchers: Annotated[
            list[str],
            typer.Argument(metavar="MATCHER…", help="Which alerts: a name, agent=writer, team!=a, job=~'x.*'."),
        ],
        *,
        duration: Annotated[str, typer.Option("--duration", "-d", help="How long, such as 30m, 2h, 7d.")] = "1h",
        start: Annotated[str | None, typer.Option(help="From when on: now+1h, RFC 3339; now if not given.")] = None,
        comment: Annotated[str, typer.Option("--comment", "-c", help="Why.", show_default=False)] = "",
        author: Annotated[str | None, typer.Option("--author", "-a", help="Who; you, if not given.")] = None,
        tenant: Tenant = None,
        url: Url = _DEFAULT_URL,
        token: Token = None,
    ) -> None:
        """Silence the alerts that fulfil all matchers; prints the silence's id."""
        from swarmscope.app.client.alert_peer import AlertPeer
        from swarmscope.app.client.silence_command import SilenceRequest, run_silence_add

        wanted = SilenceRequest(matchers, duration, start, comment, author)
        raise typer.Exit(run_silence_add(AlertPeer(url, token, tenant), wanted))


def _add_silence_list(app: typer.Typer) -> None:
    @app.command("list")
    def list_silences(
        matchers: Matchers = None,
        *,
        with_expired: Annotated[bool, typer.Option("--expired", help="Also those that are over.")] = False,
        as_json: Json = False,
        tenant: Tenant = None,
        url: Url = _DEFAULT_URL,
        token: Token = None,
    ) -> None:
        """List silences: all, or those that have the matchers."""
        from swarmscope.app.client.alert_peer import AlertPeer
        from swarmscope.app.client.silence_command import run_silence_list

        peer = AlertPeer(url, token, tenant)
        raise typer.Exit(run_silence_list(peer, matchers or [], with_expired=with_expired, is_json=as_json))


def _add_silence_expire(app: typer.Typer) -> None:
    @app.command("expire")
    def expire(
        ids: Annotated[list[str], typer.Argument(metavar="ID…", help="Ids, or how they begin, from the list.")],
        *,
        tenant: Tenant = None,
        url: Url = _DEFAULT_URL,
        token: Token = None,
    ) -> None:
        """End silences now."""
        from swarmscope.app.client.alert_peer import AlertPeer
        from swarmscope.app.client.silence_command import run_silence_expire

        raise typer.Exit(run_silence_expire(AlertPeer(url, token, tenant), ids))


def _add_notify_test(app: typer.Typer) -> None:
    @app.command("test")
    def test(
        receiver: Annotated[str, typer.Argument(metavar="RECEIVER", help="The receiver's name.")],
        *,
        label: Annotated[list[str] | None, typer.Option(help="Label of the alert as name=value; repeatable.")] = None,
        as_json: Json = False,
        tenant: Tenant = None,
        url: Url = _DEFAULT_URL,
        token: Token = None,
    ) -> None:
        """Send a test notification to a receiver, and say what became of it."""
        from swarmscope.app.client.alert_peer import AlertPeer
        from swarmscope.app.client.notify_command import run_notify_test

        raise typer.Exit(run_notify_test(AlertPeer(url, token, tenant), receiver, label or [], is_json=as_json))
