"""One PromQL question over HTTP, and the errors in words."""

from __future__ import annotations

import json
import sys
import time
from dataclasses import dataclass
from typing import Any

from rich.console import Console
from rich.text import Text

from swarmscope.app.client.answers import Answer, read_answer
from swarmscope.app.client.asking import authorized, post_form
from swarmscope.app.client.chart import print_chart
from swarmscope.app.client.outcome import EXIT_MISUSED, QueryProblem
from swarmscope.app.client.tables import print_table, write_csv
from swarmscope.app.durations import Duration, parse_duration, parse_time_ms

_POINTS_WANTED = 60
_CHART_RANGE_MS = 3_600_000


@dataclass(frozen=True, slots=True, kw_only=True)
class _Range:
    start_ms: int
    end_ms: int
    step_ms: int


@dataclass(frozen=True, slots=True)
class Question:
    """A query and its times as typed."""

    expression: str
    start: str | None = None
    end: str | None = None
    step: str | None = None
    time: str | None = None


@dataclass(frozen=True, slots=True)
class Peer:
    """Whom to ask. `url` is Swarmscope's address, or that of any Prometheus API up to `/api/v1`."""

    url: str
    token: str | None = None

    def endpoints(self, name: str) -> list[str]:
        """Where the API may be, most likely first."""
        base = self.url.rstrip("/")
        if base.endswith("/prometheus"):
            return [f"{base}/api/v1/{name}"]
        return [f"{base}/prometheus/api/v1/{name}", f"{base}/api/v1/{name}"]


def _range_of(question: Question, *, is_chart: bool, now_ms: int) -> _Range | None:
    """The range that is asked for, or None for an instant query. Raises ValueError."""
    if question.time is not None and (question.start or question.end or question.step):
        raise ValueError("--time is for an instant query; --start, --end and --step make a range query")
    wants_range = question.start is not None or question.step is not None or (is_chart and question.time is None)
    if not wants_range:
        if question.end is not None:
            raise ValueError("--end needs --start")
        return None
    end_ms = parse_time_ms(question.end, now_ms) if question.end else now_ms
    start_ms = parse_time_ms(question.start, now_ms) if question.start else end_ms - _CHART_RANGE_MS
    if start_ms > end_ms:
        raise ValueError("--start lies after --end")
    step = parse_duration(question.step) if question.step else Duration(_nice_step_ms(end_ms - start_ms))
    if step.ms <= 0:
        raise ValueError("--step must be longer than 0")
    return _Range(start_ms=start_ms, end_ms=end_ms, step_ms=step.ms)


def _nice_step_ms(length_ms: int) -> int:
    """A round step that gives about `_POINTS_WANTED` points."""
    wanted_ms = max(length_ms // _POINTS_WANTED, 1)
    steps_s = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14_400, 43_200, 86_400)
    return next(
        (step_s * 1000 for step_s in steps_s if step_s * 1000 >= wanted_ms), -(-wanted_ms // 86_400_000) * 86_400_000
    )


def _ask(peer: Peer, name: str, form: dict[str, str]) -> dict[str, Any]:
    response = None
    for endpoint in peer.endpoints(name):
        response = post_form(endpoint, form, authorized(peer.token), peer.url)
        if response.status_code != 404:
            break
    if response is None or response.status_code == 404:
        raise QueryProblem(f"{peer.url} has no Prometheus API")
    if response.status_code == 401:
        raise QueryProblem(f"{peer.url} wants a token: give --token or set SWARMSCOPE_TOKEN")
    try:
        body = response.json()
    except ValueError:
        raise QueryProblem(f"{peer.url} answered {response.status_code} with something that is not JSON") from None
    if not isinstance(body, dict) or body.get("status") != "success":
        kind, words = (body.get(key, "") for key in ("errorType", "error")) if isinstance(body, dict) else ("", "")
        raise QueryProblem(f"{kind or response.status_code}: {words or 'no reason given'}")
    return body


def _fetch(question: Question, peer: Peer, output: str) -> dict[str, Any]:
    now_ms = time.time_ns() // 1_000_000
    try:
        span = _range_of(question, is_chart=output == "chart", now_ms=now_ms)
        instant_ms = parse_time_ms(question.time, now_ms) if question.time else now_ms
    except ValueError as error:
        raise QueryProblem(str(error), EXIT_MISUSED) from None
    form = {"query": question.expression}
    if span is None:
        return _ask(peer, "query", {**form, "time": f"{instant_ms / 1000:.3f}"})
    return _ask(
        peer,
        "query_range",
        {
            **form,
            "start": f"{span.start_ms / 1000:.3f}",
            "end": f"{span.end_ms / 1000:.3f}",
            "step": f"{span.step_ms / 1000:.3f}",
        },
    )


def _show(answer: Answer, output: str) -> None:
    if output == "csv":
        write_csv(answer, sys.stdout)
    elif output == "chart":
        print_chart(answer, Console())
    else:
        print_table(answer, Console())


def run_query(question: Question, peer: Peer, output: str) -> int:
    """Ask, print, and return the exit code: 0, 1 when the query failed, 2 when it was asked wrongly."""
    messages = Console(stderr=True, soft_wrap=True)
    try:
        body = _fetch(question, peer, output)
    except QueryProblem as problem:
        messages.print(Text(str(problem), style="red"))
        return problem.exit_code
    if output == "json":
        json.dump(body, sys.stdout, ensure_ascii=False, indent=2)
        sys.stdout.write("\n")
    else:
        _show(read_answer(body["data"]), output)
    for word, style in (("warnings", "yellow"), ("infos", "dim")):
        for message in body.get(word, ()):
            messages.print(Text(message, style=style))
    return 0
