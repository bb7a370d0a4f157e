"""`swarmscope agents`: who is there and how they are, once or as a table that redraws."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.text import Text

from swarmscope.app.client.fleet_peer import FleetPeer, write_json
from swarmscope.app.client.fleet_tables import (
    STATUS_STYLES,
    Column,
    cost_text,
    count_text,
    counted,
    cut,
    errors_text,
    fleet_table,
    named,
    plain,
    print_lines,
    spell_age,
)
from swarmscope.app.client.outcome import QueryProblem, Terminal, exit_code_of

NOTHING = "no agents yet: send spans that name one (OTLP on port 4318), or try `swarmscope demo`"
_ROOMY = 100  # from here on a line has room for team and version
_LINES_AROUND = 5  # heading, its gap, the table's heading, what is left out, and the cursor
_UNTROUBLED = ("active", "idle")
_ORDER = {status: place for place, status in enumerate(STATUS_STYLES)}
Agent = dict[str, Any]


def run_agents(peer: FleetPeer, *, is_once: bool, is_json: bool, every_s: float) -> int:
    """Fetch and print; goes on until Ctrl-C on a terminal unless `is_once`. The exit code is that of `exit_code_of`."""

    def work(messages: Console) -> None:
        answer, console = peer.agents(), Terminal()
        if is_json:
            write_json(answer)
        elif is_once or not console.is_terminal:
            print_agents(_sorted(answer), console, time.time_ns())
        else:
            watch(peer, console, lambda: time.sleep(every_s))

    return exit_code_of(work, "", interrupted=0)


def watch(peer: FleetPeer, console: Console, wait: Callable[[], None]) -> None:
    """Redraw for ever, `wait` between two looks. A server that is away for a while leaves the last table in place."""
    shown: list[Agent] = []
    with Live(console=console, auto_refresh=False, screen=True) as live:
        while True:
            trouble = ""
            try:
                shown = _sorted(peer.agents())
            except QueryProblem as problem:
                trouble = str(problem)
            live.update(_screen(shown, trouble, console), refresh=True)
            wait()


def _sorted(answer: dict[str, Any]) -> list[Agent]:
    agents = answer.get("agents")
    if not isinstance(agents, list):
        raise QueryProblem("the answer is not Swarmscope's list of agents")
    return sorted(agents, key=lambda agent: (_ORDER.get(agent.get("status", ""), len(_ORDER)), str(agent.get("name"))))


def print_agents(agents: list[Agent], console: Console, now_ns: int) -> None:
    """A heading, a line for each agent, those in trouble first, and why they are."""
    if not agents:
        console.print(Text(NOTHING, style="dim"), soft_wrap=True, highlight=False)
        return
    console.print(_heading(agents), soft_wrap=True, highlight=False)
    console.print()
    print_lines(console, fleet_table(_columns(console.width), _rows(agents, console.width, now_ns), console.width))
    if reasons := _reasons(agents, console.width):
        console.print()
        for line in reasons:
            console.print(line, soft_wrap=True, highlight=False)


def _screen(agents: list[Agent], trouble: str, console: Console) -> RenderableType:
    """As `print_agents`, cut to the height of the terminal."""
    notice = [Text(cut(plain(trouble), console.width), style="red")] if trouble else []
    if not agents:
        return Group(*(notice or [Text(NOTHING, style="dim")]))
    width, now_ns = console.width, time.time_ns()
    reasons = _reasons(agents, width)[: console.height // 3]
    room = max(console.height - _LINES_AROUND - len(reasons) - bool(reasons) - len(notice), 1)
    parts: list[RenderableType] = [_heading(agents), *notice, Text("")]
    parts.append(fleet_table(_columns(width), _rows(agents[:room], width, now_ns), width))
    if len(agents) > room:
        parts.append(Text(f"… and {len(agents) - room:,} more", style="dim"))
    return Group(*parts, *([Text(""), *reasons] if reasons else []))


def _heading(agents: list[Agent]) -> Text:
    text = Text(counted(len(agents), "agent"), style="bold")
    for status, style in STATUS_STYLES.items():
        if number := sum(agent.get("status") == status for agent in agents):
            text.append(", ", style="not bold").append(f"{number:,} {status}", style=f"not bold {style}".strip())
    return text


def _columns(width: int) -> list[Column]:
    return [
        Column("agent"),
        *([Column("team"), Column("version")] if width >= _ROOMY else []),
        Column("model"),
        Column("status", is_whole=True),
        *(Column(title, is_number=True) for title in ("seen", "open", "spans", "errors", "tokens", "cost")),
    ]


def _rows(agents: list[Agent], width: int, now_ns: int) -> list[list[Text]]:
    return [_row(agent, width, now_ns) for agent in agents]


def _row(agent: Agent, width: int, now_ns: int) -> list[Text]:
    status, tokens = plain(agent.get("status")), agent.get("tokens") or {}
    roomy = [named(agent.get("team")), named(agent.get("version"))] if width >= _ROOMY else []
    return [
        named(agent.get("name")),
        *roomy,
        named(agent.get("model")),
        Text(status, style=STATUS_STYLES.get(status, "")),
        Text(spell_age(agent.get("last_seen"), now_ns)),
        count_text(agent.get("open_spans")),
        count_text(agent.get("spans")),
        errors_text(agent.get("errors")),
        count_text((tokens.get("input") or 0) + (tokens.get("output") or 0)),
        cost_text(agent.get("cost_usd")),
    ]


def _reasons(agents: list[Agent], width: int) -> list[Text]:
    """A line for each agent that is in trouble and says why."""
    lines = []
    for agent in agents:
        status, reason = plain(agent.get("status")), plain(agent.get("reason"))
        if reason and status not in _UNTROUBLED:
            name = cut(plain(agent.get("name")), width // 3)
            line = Text(name, style=STATUS_STYLES.get(status, "")).append(f"  {reason}", style="default not bold")
            line.truncate(width, overflow="ellipsis")
            lines.append(line)
    return lines
