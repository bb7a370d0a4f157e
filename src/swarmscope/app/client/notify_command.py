"""`swarmscope notify test`: does a receiver hear us?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.text import Text

from swarmscope.app.client.alert_peer import AlertPeer
from swarmscope.app.client.fleet_peer import write_json
from swarmscope.app.client.fleet_tables import plain
from swarmscope.app.client.outcome import EXIT_MISUSED, QueryProblem, Terminal, exit_code_of


def run_notify_test(peer: AlertPeer, receiver: str, labels: Sequence[str], *, is_json: bool) -> int:
    """Send and print what became of it: 0 where every integration took it, 1 where one did not."""

    def work(messages: Console) -> None:
        answer = peer.test_receiver(receiver, _labels(labels))
        if is_json:
            write_json(answer)
        failed = print_results(answer, Terminal(), is_silent=is_json)
        if failed:
            raise QueryProblem(f"{failed} of {len(answer['integrations'])} integrations failed")

    return exit_code_of(work, "")


def print_results(answer: Mapping[str, Any], console: Console, *, is_silent: bool) -> int:
    """A line for each integration; how many failed. Raises QueryProblem."""
    found = answer.get("integrations")
    if not isinstance(found, list):
        raise QueryProblem("the answer is not Swarmscope's")
    if not found and not is_silent:
        console.print(
            Text("this receiver has no integrations: nobody is told", style="yellow"), soft_wrap=True, highlight=False
        )
    failed = 0
    for one in found:
        error = plain(one.get("error"))
        failed += bool(error)
        if is_silent:
            continue
        name = f"{plain(one.get('integration'))}[{one.get('index', 0)}]"
        line = Text(f"{name}  ").append("failed  " if error else "sent", "red" if error else "green").append(error)
        console.print(line, soft_wrap=True, highlight=False)
    return failed


def _labels(texts: Sequence[str]) -> dict[str, str]:
    made = {}
    for text in texts:
        name, sign, value = text.partition("=")
        if not sign or not name:
            raise QueryProblem(f"--label wants name=value, not {text!r}", EXIT_MISUSED)
        made[name] = value
    return made
