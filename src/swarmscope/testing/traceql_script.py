r"""Parser of TraceQL test scripts: `load`, `clear` and `eval` commands over spans.

    load
      t1/s1 "GET /" 0s+10s server resource{service.name="front"}
      t1/s2<s1 query 1s+500ms client error:"no disk" resource{service.name="front"} span{db="pg", rows=3, ratio=0.5}
      t1/s3<s2 work 2s+1s event(retry 2500ms {n=1}) link(t2/s1 {why="batch"}) scope(lib 1.2 {k="v"}) share=0.1

    eval search [from 0s] [to 1h] [limit 5] [spss 3] { span.db = "pg" }
      t1: s2
      t2: s1 s3 [by(name)="a", count()=2] of 5

    eval range 0s 1m 10s { } | rate() by (name)
      {name="work"} 0.1 _ 0.3

    eval instant 0s 1m { } | count_over_time()
      {__name__="count_over_time"} 3

    eval values resource.service.name { status = error }
      "front"

    eval fail search { span.a = }
      expect syntax

Traces and spans have numbers; `<` says the parent. Kinds and statuses stand as TraceQL spells them, and default to
internal and unset. A search's answer is a row for each set of spans, in the answer's order, with `of` where it has more
spans than are shown; `[…]` says what stages found of the set and `s2{db="pg"}` what is shown of a span, and either may
be left out. In a series `_` is no value, and `3x4` is four times 3. A blank line ends a command; `#` begins a comment.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass

from swarmscope.lang.traceql.registry import KINDS, STATUSES
from swarmscope.model.attributes import Scalar
from swarmscope.testing.plain_spans import NO_SPAN, PlainEvent, PlainLink, PlainScope, PlainSpan, span_id, trace_id
from swarmscope.testing.promql_script import Clear, ScriptSyntaxError

_NS = {"ns": 1, "us": 10**3, "ms": 10**6, "s": 10**9, "m": 60 * 10**9, "h": 3600 * 10**9}
_TIME = r"-?[0-9.]+(?:ns|us|ms|s|m|h)"
_VALUE = r'"(?:[^"\\]|\\.)*"|[^,}\]\s]+'
_PAIR = re.compile(rf"([\w.()/:-]+|by\([^)]*\))\s*=\s*({_VALUE})\s*,?\s*")
_SETS = r'\{(?:[^"}]|"(?:[^"\\]|\\.)*")*\}'
_SPAN = re.compile(
    rf't(?P<trace>\d+)/s(?P<id>\d+)(?:<s(?P<parent>\d+))?\s+(?P<name>"[^"]*"|\S+)\s+'
    rf"(?P<start>{_TIME})\+(?P<duration>{_TIME})"
)
_PART = re.compile(
    rf"\s+(?:(?P<word>[a-z]+)(?::(?P<message>\"[^\"]*\"))?(?=\s|$)|(?P<scope>span|resource)(?P<set>{_SETS})"
    rf'|event\((?P<event>"[^"]*"|\S+)\s+(?P<at>{_TIME})(?:\s+(?P<event_set>{_SETS}))?\)'
    rf"|link\(t(?P<link_trace>\d+)/s(?P<link_span>\d+)(?:\s+(?P<link_set>{_SETS}))?\)"
    rf"|scope\((?P<library>\S+)\s+(?P<version>[^\s)]+)(?:\s+(?P<library_set>{_SETS}))?\)"
    r"|share=(?P<share>[0-9.]+))"
)
_SEARCH = re.compile(
    rf"eval\s+(?P<fail>fail\s+)?search\s+(?:from\s+(?P<start>{_TIME})\s+)?(?:to\s+(?P<end>{_TIME})\s+)?"
    r"(?:limit\s+(?P<limit>\d+)\s+)?(?:spss\s+(?P<spss>\d+)\s+)?(?P<query>.+)"
)
_METRICS = re.compile(
    rf"eval\s+(?P<fail>fail\s+)?(?P<how>range|instant)\s+(?P<start>{_TIME})\s+(?P<end>{_TIME})\s+"
    rf"(?:(?P<step>{_TIME})\s+)?(?P<query>.+)"
)
_VALUES = re.compile(r"eval\s+values\s+(?P<tag>\S+)(?:\s+(?P<query>\{.*))?")
_SET_ROW = re.compile(r"t(?P<trace>\d+):\s*(?P<spans>[^\[]*?)(?:\[(?P<found>.*)\])?\s*(?:of\s+(?P<matched>\d+))?$")
_SET_SPAN = re.compile(rf"s(\d+)({_SETS})?")

Texts = dict[str, str]  # names and values; strings in quotes


@dataclass(frozen=True, slots=True)
class SpanLoad:
    """Spans to store."""

    line: int
    spans: tuple[PlainSpan, ...]


@dataclass(frozen=True, slots=True)
class ExpectedSet:
    """A set of spans of one trace; None where it is not said what is shown of it."""

    trace: int
    spans: tuple[tuple[int, Texts | None], ...]
    found: Texts | None
    matched: int


@dataclass(frozen=True, slots=True)
class SpanSearch:
    """A search, and the sets that it is to give."""

    line: int
    query: str
    start_ns: int
    end_ns: int
    limit: int
    spans_per_set: int
    failure: str | None
    sets: tuple[ExpectedSet, ...]


@dataclass(frozen=True, slots=True)
class SpanMetrics:
    """A metrics query, and its series: labels and values, None where there is none. `step_ns` None: one number."""

    line: int
    query: str
    start_ns: int
    end_ns: int
    step_ns: int | None
    failure: str | None
    series: tuple[tuple[Texts, tuple[float | None, ...]], ...]


@dataclass(frozen=True, slots=True)
class FieldValues:
    """Values of a field, in any order."""

    line: int
    tag: str
    query: str
    values: tuple[str, ...]


TraceCommand = SpanLoad | Clear | SpanSearch | SpanMetrics | FieldValues


def parse_trace_script(text: str) -> list[TraceCommand]:
    """The commands of a script in their order. Raises ScriptSyntaxError."""
    commands: list[TraceCommand] = []
    block: list[tuple[int, str]] = []
    for number, raw in enumerate([*text.splitlines(), ""], start=1):
        row = raw.strip()
        if row.startswith("#"):
            continue
        if row:
            block.append((number, row))
        elif block:
            commands.append(_parse_command(block))
            block = []
    return commands


def _parse_command(block: list[tuple[int, str]]) -> TraceCommand:
    line, head = block[0]
    rows = [row for _, row in block[1:]]
    try:
        if head == "clear" and not rows:
            return Clear(line)
        if head == "load":
            return SpanLoad(line, tuple(map(_parse_span, rows)))
        if match := _SEARCH.fullmatch(head):
            return _parse_search(line, match, rows)
        if match := _METRICS.fullmatch(head):
            return _parse_metrics(line, match, rows)
        if match := _VALUES.fullmatch(head):
            return FieldValues(line, match["tag"], match["query"] or "", tuple(rows))
    except (ValueError, KeyError) as error:
        raise ScriptSyntaxError(line, str(error)) from error
    raise ScriptSyntaxError(line, f"unknown command {head!r}")


def _parse_search(line: int, match: re.Match[str], rows: list[str]) -> SpanSearch:
    failure, rows = _failure(match, rows)
    return SpanSearch(
        line, match["query"], _ns(match["start"] or "0s"), _ns(match["end"] or "1h"), int(match["limit"] or 20),
        int(match["spss"] or 10), failure, tuple(map(_parse_set, rows)),
    )  # fmt: skip


def _parse_metrics(line: int, match: re.Match[str], rows: list[str]) -> SpanMetrics:
    if (match["how"] == "range") != (match["step"] is not None):
        raise ValueError("a range has a step, and an instant has none")
    failure, rows = _failure(match, rows)
    step_ns = None if match["step"] is None else _ns(match["step"])
    series = tuple(map(_parse_series, rows))
    return SpanMetrics(line, match["query"], _ns(match["start"]), _ns(match["end"]), step_ns, failure, series)


def _failure(match: re.Match[str], rows: list[str]) -> tuple[str | None, list[str]]:
    if match["fail"] is None:
        return None, rows
    if len(rows) != 1 or not rows[0].startswith("expect "):
        raise ValueError("what fails has one row: expect syntax, expect unsupported, expect failed or expect limit")
    return rows[0].removeprefix("expect ").strip(), []


def _parse_set(row: str) -> ExpectedSet:
    match = _SET_ROW.fullmatch(row)
    if match is None:
        raise ValueError(f"malformed set of spans {row!r}")
    spans = tuple(
        (int(number), _texts(shown) if shown else None) for number, shown in _SET_SPAN.findall(match["spans"])
    )
    found = None if match["found"] is None else _texts(match["found"])
    return ExpectedSet(int(match["trace"]), spans, found, int(match["matched"] or len(spans)))


def _parse_series(row: str) -> tuple[Texts, tuple[float | None, ...]]:
    match = re.match(_SETS, row)
    if match is None:
        raise ValueError(f"a series begins with its labels: {row!r}")
    values: list[float | None] = []
    for word in row[match.end() :].split():
        number, _, times = word.partition("x")
        values += [None if number == "_" else float(number)] * int(times or 1)
    return _texts(match[0]), tuple(values)


def _parse_span(row: str) -> PlainSpan:
    match = _SPAN.match(row)
    if match is None:
        raise ValueError(f"malformed span {row!r}")
    start_ns = _ns(match["start"])
    fields: dict[str, object] = {"events": [], "links": []}
    at = match.end()
    while part := _PART.match(row, at):
        _take_part(part, fields)
        at = part.end()
    if row[at:].strip():
        raise ValueError(f"malformed span, from {row[at:]!r} on")
    return PlainSpan(
        trace_id(int(match["trace"])), span_id(int(match["id"])), match["name"].strip('"'), start_ns,
        start_ns + _ns(match["duration"]), span_id(int(match["parent"])) if match["parent"] else NO_SPAN,
        **fields,  # type: ignore[arg-type]
    )  # fmt: skip


def _take_part(part: re.Match[str], fields: dict[str, object]) -> None:
    events, links = fields["events"], fields["links"]
    if part["scope"]:
        fields["attributes" if part["scope"] == "span" else "resource"] = _scalars(part["set"])
    elif part["event"] and isinstance(events, list):
        events.append(PlainEvent(_ns(part["at"]), part["event"].strip('"'), _scalars(part["event_set"])))
    elif part["link_trace"] and isinstance(links, list):
        ids = trace_id(int(part["link_trace"])), span_id(int(part["link_span"]))
        links.append(PlainLink(*ids, attributes=_scalars(part["link_set"])))
    elif part["library"]:
        fields["scope"] = PlainScope(part["library"], part["version"], _scalars(part["library_set"]))
    elif part["share"]:
        fields["share"] = float(part["share"])
    elif part["word"] in STATUSES and (part["word"] not in KINDS or part["message"]):
        fields["status"] = int(STATUSES[part["word"]])
        fields["status_message"] = (part["message"] or "").strip('"')
    else:
        fields["kind"] = int(KINDS[part["word"]])


def _texts(text: str) -> Texts:
    return dict(_PAIR.findall(text.strip("{}")))


def _scalars(text: str | None) -> dict[str, Scalar]:
    return {name: json.loads(value) for name, value in _texts(text or "").items()}


def _ns(text: str) -> int:
    match = re.fullmatch(r"(-?[0-9.]+)(ns|us|ms|s|m|h)", text)
    if match is None:
        raise ValueError(f"malformed time {text!r}")
    return round(float(match[1]) * _NS[match[2]])
