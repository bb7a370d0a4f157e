"""`swarmscope intelligence`: estimates of a running fleet as a table and bars."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rich.console import Console
from rich.text import Text

from swarmscope.app.client.bars import Bar, print_bars, spell_number
from swarmscope.app.client.fleet_peer import FleetPeer, write_json
from swarmscope.app.client.fleet_tables import Column, fleet_table, named, plain, print_lines
from swarmscope.app.client.outcome import EXIT_MISUSED, QueryProblem, Terminal, exit_code_of
from swarmscope.app.client.time_range import TimeOptions

KINDS = ("phi", "emergence", "coherence", "coordination")
INTEGRATION_TYPES = ("auto", "iit_3.0", "ei_mip", "phi_g")


@dataclass(frozen=True, slots=True)
class IntelligenceQuestion:
    """What is asked: a kind of metric of some agents, teams or modules; of the whole fleet where none is named."""

    kind: str
    times: TimeOptions
    agents: tuple[str, ...] = ()
    teams: tuple[str, ...] = ()
    modules: tuple[str, ...] = ()
    integration_type: str = "auto"

    def body(self) -> dict[str, object]:
        """The request's JSON. Raises QueryProblem."""
        if self.integration_type not in INTEGRATION_TYPES:
            words = f"--integration-type is one of {', '.join(INTEGRATION_TYPES)}, not {self.integration_type!r}"
            raise QueryProblem(words, EXIT_MISUSED)
        chosen = {name: list(getattr(self, name)) for name in ("agents", "teams", "modules") if getattr(self, name)}
        asked: dict[str, object] = {"kind": self.kind, **self.times.parameters(), **chosen}
        return asked | {"integration_type": self.integration_type} if self.kind == "phi" else asked


def run_intelligence(peer: FleetPeer, question: IntelligenceQuestion, *, is_json: bool) -> int:
    """Fetch and print; the exit code is that of `exit_code_of`."""

    def work(messages: Console) -> None:
        answer = peer.compute_intelligence(question.body())
        if is_json:
            write_json(answer)
            return
        try:
            print_estimates(question.kind, answer, Terminal())
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            raise QueryProblem(f"the answer is not Swarmscope's estimates: {error!r}") from None

    return exit_code_of(work, "")


def print_estimates(kind: str, answer: Mapping[str, Any], console: Console) -> None:
    """A line for each estimate, bars of their values, and why others are not valid."""
    results = answer["results"]
    span = f"{plain(answer.get('start'))} to {plain(answer.get('end'))}"
    if not results:
        words = f"nothing was seen from {span}; --since asks for more"
        console.print(Text(words, style="dim"), soft_wrap=True, highlight=False)
        return
    console.print(Text(span, style="dim"), soft_wrap=True, highlight=False)
    console.print()
    print_table_of_estimates(kind, results, console)


def print_table_of_estimates(kind: str, results: Sequence[Mapping[str, Any]], console: Console) -> None:
    """See `print_estimates`."""
    columns = [
        Column("of"),
        *([Column("type", is_whole=True)] if any(each.get("integration_type") for each in results) else []),
        Column("estimator"),
        *(Column(title, is_number=True) for title in (kind, "raw", "p", "95 %", "units", "bins")),
        Column("sure", is_whole=True),
    ]
    has_type = len(columns) == 10
    rows = [_row(each, has_type=has_type) for each in results]
    print_lines(console, fleet_table(columns, rows, console.width))
    bars = [Bar(_name(each), float(each["value"]), "cyan" if each.get("significant") else "dim") for each in results]
    if len(bars) > 1 and any(bar.value > 0 for bar in bars):
        console.print()
        print_bars(bars, console)
    refused = [each for each in results if not each.get("valid", True)]
    if refused:
        console.print()
    for each in refused:
        console.print(Text(f"{_name(each)}  {plain(each.get('reason'))}", style="yellow"), soft_wrap=True)


def _row(each: Mapping[str, Any], *, has_type: bool) -> list[Text]:
    low, high = each.get("ci_low"), each.get("ci_high")
    interval = "-" if low is None or high is None else f"{low:.3g} … {high:.3g}"
    figures = [each.get(name) for name in ("value", "raw", "p_value")]
    is_valid = each.get("valid", True)
    if not is_valid:
        figures[0] = None
    verdict = "yes" if each.get("significant") else "no" if is_valid else "invalid"
    return [
        Text(_name(each)),
        *([named(each.get("integration_type"))] if has_type else []),
        named(each.get("estimator")),
        *(Text(spell_number(figure)) for figure in figures),
        Text(interval),
        *(Text(str(each.get(name) or "-")) for name in ("n_units", "n_samples")),
        Text(verdict, style="" if each.get("significant") else "yellow"),
    ]


def _name(each: Mapping[str, Any]) -> str:
    return plain(each.get("group")) or "all"
