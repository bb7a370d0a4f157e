"""`swarmscope logs`: a LogQL question over HTTP, lines or numbers as the answer."""

from __future__ import annotations

import json
import re
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass

from rich.console import Console
from rich.text import Text

from swarmscope.app.client.answers import read_answer
from swarmscope.app.client.log_follow import follow
from swarmscope.app.client.log_lines import LogLine, print_line, read_lines, write_json
from swarmscope.app.client.log_peer import LogPeer
from swarmscope.app.client.outcome import EXIT_INTERRUPTED, EXIT_MISUSED, QueryProblem, Terminal, exit_code_of
from swarmscope.app.client.tables import print_table
from swarmscope.app.client.time_range import TimeOptions

_PAGE_LINES = 5000  # what Loki and Swarmscope give at once unless they are told otherwise
_COMMENT = re.compile(r"#[^\n]*")
_LOG_QUERY = re.compile(r"[\s(]*\{")


@dataclass(frozen=True, slots=True, kw_only=True)
class LogQuestion:
    """A query as typed."""

    expression: str
    since: str | None = None
    start: str | None = None
    end: str | None = None
    limit: int = 100
    is_forward: bool = False
    is_json: bool = False
    with_labels: bool = False

    @property
    def wants_lines(self) -> bool:
        """Whether lines are asked for, and not numbers: such a query begins with its stream selector."""
        return _LOG_QUERY.match(_COMMENT.sub("", self.expression)) is not None

    def range_ns(self, now_ns: int) -> tuple[int, int]:
        """Start and end. Raises QueryProblem."""
        return TimeOptions(self.since, self.start, self.end).range_ns(now_ns)


def run_logs(question: LogQuestion, peer: LogPeer, *, is_following: bool) -> int:
    """Ask, print, and return the exit code: 0, 1 when the query failed, 2 when it was asked wrongly."""

    def work(messages: Console) -> None:
        if is_following:
            _follow(question, peer, messages)
        elif question.wants_lines:
            _show_lines(question, peer)
        else:
            _show_numbers(question, peer)

    return exit_code_of(work, question.expression, interrupted=0 if is_following else EXIT_INTERRUPTED)


def _printer(question: LogQuestion) -> Callable[[LogLine], None]:
    if question.is_json:
        return lambda line: write_json(line, sys.stdout)
    console = Terminal()
    return lambda line: print_line(line, console, with_labels=question.with_labels)


def _follow(question: LogQuestion, peer: LogPeer, messages: Console) -> None:
    if not question.wants_lines:
        raise QueryProblem("--follow is for log queries: one that begins with {…}", EXIT_MISUSED)
    if question.end or question.is_forward:
        raise QueryProblem("--follow goes on from now; it takes no --end and no --forward", EXIT_MISUSED)
    start_ns, _ = question.range_ns(time.time_ns())
    show = _printer(question)
    fields = {"query": question.expression, "limit": str(min(question.limit, _PAGE_LINES))}
    for line in follow(peer, fields, start_ns, lambda words: messages.print(Text(words, style="yellow"))):
        show(line)
        sys.stdout.flush()


def _show_lines(question: LogQuestion, peer: LogPeer) -> None:
    """The newest lines (with `--forward` the oldest), always printed in the order of time."""
    start_ns, end_ns = question.range_ns(time.time_ns())
    found: list[LogLine] = []
    seen: set[tuple[int, str, str]] = set()
    direction = "forward" if question.is_forward else "backward"
    while len(found) < question.limit and start_ns < end_ns:
        wanted = min(_PAGE_LINES, question.limit - len(found) + len(seen))
        fields = {
            "query": question.expression, "start": str(start_ns), "end": str(end_ns), "limit": str(wanted),
            "direction": direction,
        }  # fmt: skip
        page = list(read_lines(peer.ask("query_range", fields).get("result", [])))
        fresh = [line for line in page if line.identity not in seen]
        found += fresh
        if len(page) < wanted or not fresh:
            break
        # Lines of the border's time come again with the next page.
        if question.is_forward:
            start_ns = border = max(line.ts_ns for line in page)
        else:
            border = min(line.ts_ns for line in page)
            end_ns = border + 1
        seen = {line.identity for line in page if line.ts_ns == border}
    if not question.is_forward:
        found.reverse()  # lines of one time came in the opposite of their order, too
    found.sort(key=lambda line: line.ts_ns)
    show = _printer(question)
    for line in found[: question.limit] if question.is_forward else found[-question.limit :]:
        show(line)


def _show_numbers(question: LogQuestion, peer: LogPeer) -> None:
    """A metric query: at one time, or over a range where one is given."""
    now_ns = time.time_ns()
    if question.start or question.since:
        start_ns, end_ns = question.range_ns(now_ns)
        fields = {"query": question.expression, "start": str(start_ns), "end": str(end_ns)}
        data = peer.ask("query_range", fields)
    else:
        time_ns = question.range_ns(now_ns)[1]
        data = peer.ask("query", {"query": question.expression, "time": str(time_ns)})
    if question.is_json:
        json.dump({"status": "success", "data": data}, sys.stdout, ensure_ascii=False, indent=2)
        sys.stdout.write("\n")
    else:
        print_table(read_answer(data), Terminal())
