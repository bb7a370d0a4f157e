"""`swarmscope alerts`: what is wrong now, and what was."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rich.console import Console
from rich.text import Text

from swarmscope.app.client.alert_peer import AlertPeer
from swarmscope.app.client.fleet_peer import write_json
from swarmscope.app.client.fleet_tables import Column, counted, fleet_table, named, plain, print_lines, spell_age
from swarmscope.app.client.outcome import EXIT_MISUSED, QueryProblem, Terminal, exit_code_of
from swarmscope.app.client.time_range import TimeOptions

STATES = ("firing", "pending", "silenced", "inhibited", "muted")
_STATE_STYLES = {"firing": "bold red", "pending": "yellow", "resolved": "green"}
_SEVERITY_STYLES = {"critical": "bold red", "error": "red", "warning": "yellow"}
_SEVERITIES = ("critical", "error", "warning", "info")
_ROOMY = 110  # from here on a line has room for the summary
_TOLD = ("alertname", "severity")  # they have columns of their own
NOTHING = "no alerts"


@dataclass(frozen=True, slots=True)
class AlertChoice:
    """Which alerts are asked for."""

    matchers: Sequence[str]
    state: str | None
    times: TimeOptions
    limit: int = 100


def run_alerts(peer: AlertPeer, choice: AlertChoice, *, is_history: bool, is_json: bool) -> int:
    """Fetch and print; the exit code is that of `exit_code_of`."""

    def work(messages: Console) -> None:
        if choice.state is not None and choice.state not in STATES and not is_history:
            raise QueryProblem(f"--state is one of {', '.join(STATES)}", EXIT_MISUSED)
        answer = _history(peer, choice) if is_history else _current(peer, choice)
        if is_json:
            write_json(answer)
            return
        try:
            if is_history:
                print_history(answer["events"], Terminal())
            else:
                print_alerts(answer["alerts"], Terminal(), time.time_ns())
        except (KeyError, TypeError, AttributeError) as error:
            raise QueryProblem(f"the answer is not Swarmscope's alerts: {error!r}") from None

    return exit_code_of(work, "")


def _current(peer: AlertPeer, choice: AlertChoice) -> dict[str, Any]:
    state = [("state", choice.state)] if choice.state else []
    return peer.alerts([*(("filter", text) for text in choice.matchers), *state])


def _history(peer: AlertPeer, choice: AlertChoice) -> dict[str, Any]:
    state = [("state", choice.state)] if choice.state else []
    limit = ("limit", str(choice.limit))
    times = choice.times.parameters().items()
    return peer.history([*(("filter", text) for text in choice.matchers), *state, limit, *times])


def print_alerts(alerts: Sequence[Mapping[str, Any]], console: Console, now_ns: int) -> None:
    """A heading and a line for each alert, what fires and is worst first."""
    if not alerts:
        console.print(Text(NOTHING, style="dim"), soft_wrap=True, highlight=False)
        return
    console.print(_heading(alerts), soft_wrap=True, highlight=False)
    console.print()
    is_roomy = console.width >= _ROOMY
    columns = [
        Column("state", is_whole=True),
        Column("severity", is_whole=True),
        Column("alert"),
        Column("labels"),
        *([Column("summary")] if is_roomy else []),
        Column("since", is_number=True),
    ]
    rows = [_row(alert, now_ns, is_roomy=is_roomy) for alert in sorted(alerts, key=_urgency)]
    print_lines(console, fleet_table(columns, rows, console.width))


def _heading(alerts: Sequence[Mapping[str, Any]]) -> Text:
    text = Text(counted(len(alerts), "alert"), style="bold")
    for state in STATES:
        if number := sum(alert.get("state") == state for alert in alerts):
            text.append(", ", style="not bold").append(f"{number:,} {state}", _STATE_STYLES.get(state, "not bold"))
    return text


def _urgency(alert: Mapping[str, Any]) -> tuple[int, int, str, str]:
    state, severity = alert.get("state"), alert.get("severity")
    return (
        STATES.index(str(state)) if state in STATES else len(STATES),
        _SEVERITIES.index(str(severity)) if severity in _SEVERITIES else len(_SEVERITIES),
        str(alert.get("name", "")),
        spell_labels(alert.get("labels", {})),
    )


def _row(alert: Mapping[str, Any], now_ns: int, *, is_roomy: bool) -> list[Text]:
    state, severity = plain(alert.get("state")), plain(alert.get("severity"))
    annotations = alert.get("annotations") or {}
    said = annotations.get("summary") or annotations.get("description") or annotations.get("message") or ""
    return [
        Text(state, style=_STATE_STYLES.get(state, "dim")),
        Text(severity or "-", style=_SEVERITY_STYLES.get(severity, "")),
        named(alert.get("name")),
        named(spell_labels(alert.get("labels") or {})),
        *([named(" ".join(str(said).split()))] if is_roomy else []),
        Text(spell_age(alert.get("active_at"), now_ns)),
    ]


def spell_labels(labels: Mapping[str, Any]) -> str:
    """`agent=writer, job=x`, without those that have a column of their own."""
    return ", ".join(f"{name}={value}" for name, value in sorted(labels.items()) if name not in _TOLD)


def print_history(events: Sequence[Mapping[str, Any]], console: Console) -> None:
    """A line for each event, the oldest first."""
    if not events:
        console.print(Text("nothing happened; --since asks for more", style="dim"), soft_wrap=True, highlight=False)
        return
    columns = [Column("time", is_whole=True), Column("state", is_whole=True), Column("alert"), Column("what")]
    rows = []
    for event in sorted(events, key=lambda event: str(event.get("time"))):
        state = plain(event.get("state"))
        said = event.get("summary") or spell_labels(event.get("labels") or {})
        rows.append(
            [
                Text(plain(event.get("time"))[:19]),
                Text(state or plain(event.get("event")), style=_STATE_STYLES.get(state, "")),
                named(event.get("name")),
                named(" ".join(str(said).split())),
            ]
        )
    print_lines(console, fleet_table(columns, rows, console.width))
