"""`swarmscope graph`: who talks to whom, as a table or for other programs."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any, TypeVar

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
)
from swarmscope.app.client.graph_text import nodes_of, to_dot, to_mermaid
from swarmscope.app.client.outcome import QueryProblem, Terminal, exit_code_of
from swarmscope.app.client.time_range import TimeOptions
from swarmscope.app.client.trace_tree import spell_duration

_T = TypeVar("_T")
_ROOMY = 100
_WRITERS = {"dot": to_dot, "mermaid": to_mermaid}
_S_PER_MINUTE, _S_PER_HOUR = 60, 3600


def run_graph(peer: FleetPeer, times: TimeOptions, output: str) -> int:
    """Fetch and print; `output` is table, dot, mermaid or json. The exit code is that of `exit_code_of`."""

    def work(messages: Console) -> None:
        graph = peer.graph(times.parameters())
        if output == "json":
            write_json(graph)
            return
        try:
            if output in _WRITERS:
                sys.stdout.write(_WRITERS[output](graph))
            else:
                print_graph(graph, Terminal())
        except (KeyError, TypeError, AttributeError) as error:
            raise QueryProblem(f"the answer is not Swarmscope's graph: {error!r}") from None

    return exit_code_of(work, "")


def print_graph(graph: Mapping[str, Any], console: Console) -> None:
    """A heading, a line for each edge, the most frequent first, and the agents that keep to themselves."""
    nodes, edges, width = nodes_of(graph), graph.get("edges", ()), console.width
    span = f"{plain(graph.get('start'))} to {plain(graph.get('end'))}"
    if not nodes:
        console.print(Text(f"no agents from {span}; --since asks for more", style="dim"), soft_wrap=True)
        return
    heading = Text(f"{counted(len(nodes), 'agent')}, {counted(len(edges), 'edge')}", style="bold")
    console.print(heading.append(f"  {span}", style="not bold dim"), soft_wrap=True, highlight=False)
    if edges:
        console.print()
        print_lines(console, fleet_table(_columns(width), [_row(edge, width) for edge in _sorted(edges)], width))
    met = {str(edge[side]) for edge in edges for side in ("source", "target")}
    if alone := sorted(name for name in nodes if name not in met):
        console.print()
        console.print(Text(f"without interactions: {', '.join(plain(name) for name in alone)}"), highlight=False)


def _columns(width: int) -> list[Column]:
    numbers = ["count", "errors", *_rate(width, "rate"), "p50", "p99", "cost"]
    return [
        *(Column(title) for title in ("source", "target", "type")),
        *(Column(title, is_number=True) for title in numbers),
    ]


def _rate(width: int, told: _T) -> list[_T]:
    """Where lines are short, count and range of time tell the rate, and names need the room."""
    return [told] if width >= _ROOMY else []


def _sorted(edges: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return sorted(edges, key=lambda edge: (-(edge.get("count") or 0), str(edge["source"]), str(edge["target"])))


def _row(edge: Mapping[str, Any], width: int) -> list[Text]:
    return [
        named(edge["source"]),
        named(edge["target"]),
        named(edge.get("type")),
        count_text(edge.get("count")),
        errors_text(edge.get("errors")),
        *_rate(width, Text(spell_rate(edge.get("rate")))),
        _seconds_text(edge.get("p50")),
        _seconds_text(edge.get("p99")),
        cost_text(edge.get("cost_usd")),
    ]


def _seconds_text(seconds: float | None) -> Text:
    return Text("-" if seconds is None else spell_duration(round(seconds * 1e9)))


def spell_rate(per_s: float | None) -> str:
    """Three digits by the second, the minute or the hour, whichever first gives one or more."""
    if per_s is None:
        return "-"
    for unit, length_s in (("s", 1), ("m", _S_PER_MINUTE)):
        if per_s * length_s >= 1:
            return f"{per_s * length_s:.3g}/{unit}"
    return f"{per_s * _S_PER_HOUR:.3g}/h"
