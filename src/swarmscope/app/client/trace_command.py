"""`swarmscope trace` and `swarmscope traces`: one trace as a tree, and traces that a query finds."""

from __future__ import annotations

import json
import re
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from swarmscope.app.client.answers import Answer, Series
from swarmscope.app.client.outcome import EXIT_MISUSED, QueryProblem, Terminal, exit_code_of
from swarmscope.app.client.tables import print_table
from swarmscope.app.client.time_range import TimeOptions
from swarmscope.app.client.trace_peer import TracePeer
from swarmscope.app.client.trace_spans import read_spans, value_of
from swarmscope.app.client.trace_tree import print_trace, spell_duration, spell_time, to_json

_NS_PER_MS = 1_000_000
_NS_PER_S = 1_000_000_000
_ID = re.compile(r"[0-9a-fA-F]{1,32}")
_METRICS = re.compile(
    r"\|\s*(rate|count_over_time|(min|max|avg|sum|quantile|histogram)_over_time|compare)\s*\(", re.ASCII
)
_TEXTS = re.compile(r'"(?:[^"\\]|\\.)*"|`[^`]*`')


@dataclass(frozen=True, slots=True, kw_only=True)
class TracesQuestion:
    """A query as typed."""

    expression: str
    times: TimeOptions = field(default_factory=TimeOptions)
    limit: int = 20
    is_json: bool = False

    @property
    def wants_numbers(self) -> bool:
        """Whether a metrics function is at its end."""
        return _METRICS.search(_TEXTS.sub('""', self.expression)) is not None


def run_trace(trace_id: str, peer: TracePeer, *, is_verbose: bool, is_json: bool) -> int:
    """Fetch and print one trace; the exit code is that of `exit_code_of`."""

    def work(messages: Console) -> None:
        if not _ID.fullmatch(trace_id):
            raise QueryProblem("a trace ID has up to 32 hexadecimal digits", EXIT_MISUSED)
        whole_id = trace_id.lower().rjust(32, "0")
        answer = peer.trace(whole_id)
        spans = read_spans(answer)
        if not spans:
            raise QueryProblem(f"no trace {trace_id}")
        if is_json:
            _write_json(to_json(whole_id, spans, answer))
        else:
            print_trace(whole_id, spans, str(answer.get("message", "")), Terminal(), is_verbose=is_verbose)

    return exit_code_of(work, "")


def run_traces(question: TracesQuestion, peer: TracePeer) -> int:
    """Ask and print; the exit code is that of `exit_code_of`."""

    def work(messages: Console) -> None:
        start_ns, end_ns = question.times.range_ns(time.time_ns())
        if question.wants_numbers:
            _show_numbers(question, peer, (start_ns, end_ns))
            return
        # Whole seconds, and the last one whole: that is what all Tempos take.
        fields = {
            "q": question.expression, "limit": str(question.limit), "start": str(start_ns // _NS_PER_S),
            "end": str(-(-end_ns // _NS_PER_S)),
        }  # fmt: skip
        traces = peer.search(fields).get("traces", [])
        if question.is_json:
            for trace in traces:
                sys.stdout.write(json.dumps(trace, ensure_ascii=False) + "\n")
        else:
            _print_table(traces, Terminal())

    return exit_code_of(work, question.expression)


def _print_table(traces: list[dict[str, Any]], console: Console) -> None:
    if not traces:
        console.print(Text("no traces", style="dim"))
        return
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    table.add_column("trace", no_wrap=True)
    table.add_column("start", no_wrap=True)
    table.add_column("root", overflow="fold")
    for name in ("duration", "spans", "errors"):
        table.add_column(name, justify="right", no_wrap=True)
    for trace in traces:
        services = trace.get("serviceStats", {}).values()
        spans, errors = (sum(each.get(name, 0) for each in services) for name in ("spanCount", "errorCount"))
        table.add_row(
            trace["traceID"],
            spell_time(int(trace.get("startTimeUnixNano", 0))),
            _root(trace),
            spell_duration(trace.get("durationMs", 0) * _NS_PER_MS),
            str(spans or _matched(trace)),
            Text(str(errors), style="red") if errors else "",
        )
    console.print(table)


def _root(trace: Mapping[str, Any]) -> Text:
    words = f"{trace.get('rootServiceName', '')} {trace.get('rootTraceName', '')}".strip()
    return Text("".join(letter if letter.isprintable() else "�" for letter in words))


def _matched(trace: Mapping[str, Any]) -> int:
    """Spans that the query gave, for a Tempo that does not count all."""
    return sum(int(each.get("matched", 0)) for each in trace.get("spanSets", ()))


def _show_numbers(question: TracesQuestion, peer: TracePeer, range_ns: tuple[int, int]) -> None:
    """A metrics query: one number for each series, over the whole range."""
    fields = {"q": question.expression, "start": str(range_ns[0]), "end": str(range_ns[1])}
    answer = peer.metrics("query", fields)
    if question.is_json:
        _write_json(answer)
        return
    series = [
        Series(_labels(each), [(range_ns[1] / _NS_PER_S, _spell_number(each.get("value", 0)))])
        for each in answer.get("series", [])
    ]
    print_table(Answer("vector", series), Terminal())


def _labels(series: Mapping[str, Any]) -> dict[str, str]:
    return {each["key"]: str(value_of(each.get("value", {}))) for each in series.get("labels", ())}


def _spell_number(value: float | str) -> str:
    return value if isinstance(value, str) else f"{value:.6g}"


def _write_json(data: object) -> None:
    json.dump(data, sys.stdout, ensure_ascii=False, indent=2)
    sys.stdout.write("\n")
