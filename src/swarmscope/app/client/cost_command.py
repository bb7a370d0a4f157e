"""`swarmscope cost`: what models cost, by agent, model and more."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.text import Text

from swarmscope.app.client.fleet_peer import FleetPeer, write_json
from swarmscope.app.client.fleet_tables import (
    Column,
    cost_text,
    count_text,
    counted,
    fleet_table,
    named,
    plain,
    print_lines,
    spell_count,
)
from swarmscope.app.client.outcome import EXIT_MISUSED, QueryProblem, Terminal, exit_code_of
from swarmscope.app.client.time_range import TimeOptions

_NUMBERS = {
    "calls": "inferences", "in": "input_tokens", "cached": "cached_tokens", "out": "output_tokens",
    "unpriced": "unpriced_tokens",
}  # fmt: skip


def run_cost(peer: FleetPeer, by: str, times: TimeOptions, *, is_json: bool) -> int:
    """Fetch and print; the exit code is that of `exit_code_of`."""

    def work(messages: Console) -> None:
        names = [name.strip() for name in by.split(",") if name.strip()]
        if not names:
            raise QueryProblem("--by wants names with commas between them, such as agent,model", EXIT_MISUSED)
        answer = peer.costs({"by": ",".join(names), **times.parameters()})
        if is_json:
            write_json(answer)
            return
        try:
            print_costs(answer, names, Terminal())
        except (KeyError, TypeError, AttributeError) as error:
            raise QueryProblem(f"the answer is not Swarmscope's costs: {error!r}") from None

    return exit_code_of(work, "")


def print_costs(answer: Mapping[str, Any], by: Sequence[str], console: Console) -> None:
    """A line for each row that used something, as the server ordered them, the sum, and models without a price."""
    span = f"{plain(answer.get('start'))} to {plain(answer.get('end'))}"
    rows = [row for row in answer["rows"] if row.get("cost_usd") or any(row.get(name) for name in _NUMBERS.values())]
    if not rows:
        words = f"no model was called from {span}; --since asks for more"
        console.print(Text(words, style="dim"), soft_wrap=True, highlight=False)
        return
    total = {name: sum(row.get(name) or 0 for row in rows) for name in (*_NUMBERS.values(), "cost_usd")}
    # Columns in which all is zero are left out, but for calls, tokens in and tokens out.
    numbers = {title: name for title, name in _NUMBERS.items() if total[name] or title in ("calls", "in", "out")}
    columns = [
        *(Column(name) for name in by),
        *(Column(title, is_number=True) for title in (*numbers, "cost")),
    ]
    names = [[named(row.get(name)) for name in by] for row in rows]
    table = [[*name, *_numbers(row, numbers)] for name, row in zip(names, rows, strict=True)]
    last = [Text("total", style="bold"), *(Text("") for _ in by[1:]), *_numbers(total, numbers)]
    console.print(Text(span, style="dim"), soft_wrap=True, highlight=False)
    console.print()
    print_lines(console, fleet_table(columns, [*table, last], console.width))
    _print_unknown(answer.get("unknown_models", ()), console)


def _numbers(row: Mapping[str, Any], numbers: Mapping[str, str]) -> list[Text]:
    counts = [count_text(row.get(name)) for name in numbers.values()]
    return [*counts, cost_text(row.get("cost_usd"))]


def _print_unknown(models: Sequence[Mapping[str, Any]], console: Console) -> None:
    """Models that are in no price table: what they cost is missing above."""
    if not models:
        return
    console.print()
    console.print(Text(f"no price is known of {counted(len(models), 'model')}:", style="yellow"), highlight=False)
    for model in models:
        name = "/".join(plain(model.get(part)) for part in ("provider", "model") if model.get(part))
        tokens = spell_count(model.get("tokens") or 0)
        console.print(Text(f"  {name or '-'}  {tokens} tokens", style="yellow"), highlight=False)
