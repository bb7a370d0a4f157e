"""`swarmscope logs`: a LogQL question over HTTP, lines or numbers as the answer."""

from __future__ import annotations

import contextlib
import json
import os
import re
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass

from rich.console import Console
from rich.text import Text

from swarmscope.app.client.answers import read_answer
from swarmscope.app.client.command import EXIT_MISUSED, QueryProblem
from swarmscope.app.client.log_follow import follow
from swarmscope.app.client.log_lines import LogLine, print_line, read_lines, write_json
from swarmscope.app.client.log_peer import LogPeer
from swarmscope.app.client.tables import print_table
from swarmscope.app.durations import parse_duration, parse_time_ms

_DEFAULT_SINCE = "1h"
_PAGE_LINES = 5000  # what Loki and Swarmscope give at once unless they are told otherwise
_NS_PER_MS = 1_000_000
_COMMENT = re.compile(r"#[^\n]*")
_LOG_QUERY = re.compile(r"[\s(]*\{")
_PLACE = re.compile(r"parse error at line (\d+), col (\d+)")
_EXIT_INTERRUPTED = 130


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
        now_ms = now_ns // _NS_PER_MS
        try:
            end_ns = parse_time_ms(self.end, now_ms) * _NS_PER_MS if self.end else now_ns
            if self.start and self.since:
                raise ValueError("choose one of --start and --since")
            if self.start:
                start_ns = parse_time_ms(self.start, now_ms) * _NS_PER_MS
            else:
                start_ns = end_ns - parse_duration(self.since or _DEFAULT_SINCE).ms * _NS_PER_MS
        except ValueError as error:
            raise QueryProblem(str(error), EXIT_MISUSED) from None
        if start_ns >= end_ns:
            raise QueryProblem("the start is not before the end", EXIT_MISUSED)
        return start_ns, end_ns


def run_logs(question: LogQuestion, peer: LogPeer, *, is_following: bool) -> int:
    """Ask, print, and return the exit code: 0, 1 when the query failed, 2 when it was asked wrongly."""
    messages = Console(stderr=True, soft_wrap=True)
    try:
        if is_following:
            _follow(question, peer, messages)
        elif question.wants_lines:
            _show_lines(question, peer)
        else:
            _show_numbers(question, peer)
    except QueryProblem as problem:
        messages.print(Text(str(problem), style="red"))
        if (pointed := _pointed_at(question.expression, str(problem))) is not None:
            messages.print(Text(pointed))
        return problem.exit_code
    except BrokenPipeError:
        # Whoever read this has enough. What is still held back goes nowhere, or Python would complain at its end.
        with contextlib.suppress(OSError, ValueError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt:
        return 0 if is_following else _EXIT_INTERRUPTED
    return 0


def _pointed_at(expression: str, words: str) -> str | None:
    """The line of the query that an error names, with a mark below the place; None where it names none."""
    place = _PLACE.search(words)
    lines = expression.splitlines()
    if place is None or not 1 <= int(place[1]) <= len(lines) or int(place[2]) < 1:
        return None
    line = lines[int(place[1]) - 1]
    before = line[: int(place[2]) - 1]
    return f"  {line}\n  {''.join(letter if letter == chr(9) else ' ' for letter in before)}^"


class _Terminal(Console):
    """A console that leaves a closed pipe to its caller."""

    def on_broken_pipe(self) -> None:
        raise BrokenPipeError


def _printer(question: LogQuestion) -> Callable[[LogLine], None]:
    if question.is_json:
        return lambda line: write_json(line, sys.stdout)
    console = _Terminal()
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
        print_table(read_answer(data), _Terminal())
