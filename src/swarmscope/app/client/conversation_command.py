"""`swarmscope conversation`: who did what in one conversation, across traces."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.text import Text

from swarmscope.app.client.fleet_peer import FleetPeer, write_json
from swarmscope.app.client.fleet_tables import (
    Column,
    cost_text,
    count_text,
    counted,
    errors_text,
    fleet_table,
    named,
    plain,
    print_lines,
    spell_cost,
    spell_count,
    time_ns_of,
)
from swarmscope.app.client.outcome import EXIT_MISUSED, QueryProblem, Terminal, exit_code_of
from swarmscope.app.client.trace_tree import spell_duration

_SHOWN_TRACES = 10
Conversation = Mapping[str, Any]


def run_conversation(conversation_id: str, peer: FleetPeer, *, is_json: bool) -> int:
    """Fetch and print one conversation; the exit code is that of `exit_code_of`."""

    def work(messages: Console) -> None:
        if not conversation_id:
            raise QueryProblem("a conversation's id is not empty", EXIT_MISUSED)
        found = peer.conversation(conversation_id)
        if is_json:
            write_json(found)
            return
        try:
            print_conversation(found, Terminal())
        except (KeyError, TypeError, AttributeError) as error:
            raise QueryProblem(f"the answer is not Swarmscope's conversation: {error!r}") from None

    return exit_code_of(work, "")


def print_conversation(found: Conversation, console: Console) -> None:
    """A heading, turns and messages in the order of time, the tools, and the traces."""
    start_ns = time_ns_of(found.get("start")) or 0
    _print_heading(found, start_ns, console)
    steps = [(time_ns_of(turn.get("start")) or 0, _turn(turn, start_ns)) for turn in found.get("turns", ())]
    steps += [(time_ns_of(each.get("at")) or 0, _message(each, start_ns)) for each in found.get("messages", ())]
    if steps:
        console.print()
        rows = [row for _, row in sorted(steps, key=lambda step: step[0])]
        # The last column is left out where nothing failed.
        n_columns = len(_STEP_COLUMNS) - (not any(row[-1].plain for row in rows))
        table = fleet_table(_STEP_COLUMNS[:n_columns], [row[:n_columns] for row in rows], console.width)
        print_lines(console, table)
    if tools := found.get("tools"):
        console.print()
        rows = [[named(tool["name"]), count_text(tool.get("calls")), errors_text(tool.get("errors"))] for tool in tools]
        columns = [Column("tool"), Column("calls", is_number=True), Column("errors", is_number=True)]
        print_lines(console, fleet_table(columns, rows, console.width))
    _print_traces(found.get("traces", ()), console)


def _print_heading(found: Conversation, start_ns: int, console: Console) -> None:
    end_ns, totals = time_ns_of(found.get("end")) or start_ns, found.get("totals", {})
    heading = Text(f"conversation {plain(found.get('id'))}", style="bold")
    heading.append(f"\n{plain(found.get('start')) or '-'}  {spell_duration(end_ns - start_ns)}", style="not bold")
    told = [counted(len(found.get("agents", ())), "agent"), counted(totals.get("spans") or 0, "span")]
    used = [f"{spell_count(totals.get(f'{way}_tokens') or 0)} tokens {preposition}"
            for way, preposition in (("input", "in"), ("output", "out"))]  # fmt: skip
    heading.append("\n" + ", ".join([*told, *used, spell_cost(totals.get("cost_usd"))]), style="not bold")
    if totals.get("errors"):
        heading.append(f", {counted(totals['errors'], 'error')}", style="red not bold")
    heading.append("\n" + ", ".join(plain(agent) for agent in found.get("agents", ())), style="cyan not bold")
    console.print(heading, highlight=False)


_STEP_COLUMNS = (
    Column("at", is_number=True),
    Column("agent"),
    Column("step"),
    *(Column(title, is_number=True) for title in ("took", "in", "out", "cost")),
    Column("error"),
)


def _turn(turn: Conversation, start_ns: int) -> list[Text]:
    begin_ns, end_ns = time_ns_of(turn.get("start")), time_ns_of(turn.get("end"))
    took = spell_duration(end_ns - begin_ns) if begin_ns and end_ns and end_ns >= begin_ns else "-"
    what = " ".join(plain(turn.get(name)) for name in ("operation", "tool", "model") if turn.get(name))
    error = turn.get("error")
    style = "red" if error else ""
    return [
        Text(_offset(begin_ns, start_ns)),
        Text(plain(turn.get("agent")) or "-", style=style or "cyan"),
        Text(what or "-", style=style),
        Text(took),
        _used(turn.get("input_tokens")),
        _used(turn.get("output_tokens")),
        cost_text(turn["cost_usd"]) if turn.get("cost_usd") else Text(""),
        Text("failed" if error is True else plain(error or ""), style="red"),
    ]


def _message(message: Conversation, start_ns: int) -> list[Text]:
    where = f"→ {plain(message.get('target')) or '-'} ({plain(message.get('type')) or 'message'})"
    blank = [Text("") for _ in range(4)]
    error = Text("failed" if message.get("error") else "", style="red")
    at = Text(_offset(time_ns_of(message.get("at")), start_ns))
    return [at, Text(plain(message.get("source")) or "-", style="cyan"), Text(where, style="magenta"), *blank, error]


def _offset(at_ns: int | None, start_ns: int) -> str:
    """How long after the conversation's start."""
    return "-" if at_ns is None else f"+{spell_duration(at_ns - start_ns)}" if at_ns > start_ns else "+0s"


def _used(tokens: int | None) -> Text:
    return count_text(tokens) if tokens else Text("")


def _print_traces(traces: list[str], console: Console) -> None:
    if not traces:
        return
    console.print()
    for trace_id in traces[:_SHOWN_TRACES]:
        console.print(Text(f"swarmscope trace {plain(trace_id)}", style="dim"), soft_wrap=True, highlight=False)
    if len(traces) > _SHOWN_TRACES:
        console.print(Text(f"… and {counted(len(traces) - _SHOWN_TRACES, 'more trace')}", style="dim"))
