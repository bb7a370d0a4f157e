"""Parser of LogQL test scripts: `load`, `clear` and `eval` commands over lines.

    load {app="x"}
      10s | the rest of the row is the line
      20s {trace_id="…", user="u"} | a line with structured metadata
      30s "a line in quotes\\twith JSON's escapes"
      0s+10s*6 | six lines, ten seconds apart, $i is 0 to 5

    eval logs [from 0s] [to 1h] [limit 5] [backward] {app="x"} |= "line"
      10s {app="x"} | the rest of the row is the line

    eval fail logs {app="x"} | pattern "x"
      expect fail regex: capture

    eval instant at 1m count_over_time({app="x"}[1m])
      {app="x"} 3

A log query's lines are expected in this order with all their labels; `detected_level="unknown"`, which every line
without a level has, need not be told. Metric queries are evaluated and expected as in PromQL's scripts
(`promql_script`). A blank line ends a command; rows that begin with `#` are comments.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field

from swarmscope.testing.promql_script import Clear, Evaluation, Expected, ScriptSyntaxError, Subject
from swarmscope.testing.promql_script import parse_duration_ms as duration_ms
from swarmscope.testing.promql_script import parse_script as parse_metric_script

_NS_PER_MS = 1_000_000
_PAIR = r'\s*[A-Za-z0-9_][\w.:/-]*\s*=\s*"(?:[^"\\]|\\.)*"\s*'
_LABELS = re.compile(rf"\{{(?:{_PAIR}(?:,{_PAIR})*)?\}}")
_NAME_VALUE = re.compile(r'([A-Za-z0-9_][\w.:/-]*)\s*=\s*("(?:[^"\\]|\\.)*")')
_TIME = re.compile(r"(?P<start>[0-9.a-z]+)(?:\+(?P<step>[0-9.a-z]+)\*(?P<count>[0-9]+))?(?=\s|$)")
_LOGS = re.compile(
    r"eval\s+(?P<fail>fail\s+)?logs\s+(?:from\s+(?P<start>\S+)\s+)?(?:to\s+(?P<end>\S+)\s+)?"
    r"(?:limit\s+(?P<limit>-?\d+)\s+)?(?P<backward>backward\s+)?(?P<query>.+)"
)
_EXPECT_FAIL = re.compile(r"expect fail\s+(msg|regex):\s*(.*)")


@dataclass(frozen=True, slots=True)
class ScriptLine:
    """A line as a script writes it: labels are metadata where it is loaded, and all labels where it is expected."""

    ts_ns: int
    labels: dict[str, str]
    line: str


@dataclass(frozen=True, slots=True)
class LogLoad:
    """Lines of one stream."""

    line: int
    labels: dict[str, str]
    lines: tuple[ScriptLine, ...]


@dataclass(slots=True)
class LogEvaluation:
    """One log query, and the lines that it is to give."""

    line: int
    query: str
    start_ns: int
    end_ns: int
    limit: int
    backward: bool
    fails: bool = False
    failure: Expected | None = None
    lines: list[ScriptLine] = field(default_factory=list)


LogCommand = LogLoad | Clear | LogEvaluation | Evaluation


def parse_log_script(text: str) -> list[LogCommand]:
    """The commands of a script in their order. Raises ScriptSyntaxError."""
    rows = [row.strip() for row in text.splitlines()]
    commands: list[LogCommand] = []
    block: list[tuple[int, str]] = []
    for number, row in enumerate([*rows, ""], start=1):
        if row.startswith("#"):
            continue
        if row:
            block.append((number, row))
        elif block:
            commands.append(_parse_command(block))
            block = []
    return commands


def _parse_command(block: list[tuple[int, str]]) -> LogCommand:
    line, head = block[0]
    try:
        if head == "clear" and len(block) == 1:
            return Clear(line)
        if head.startswith("load"):
            return _parse_load(block)
        if _LOGS.fullmatch(head):
            return _parse_logs(block)
    except (ValueError, re.error) as error:
        raise ScriptSyntaxError(line, str(error)) from error
    if not head.startswith("eval"):
        raise ScriptSyntaxError(line, f"unknown command {head!r}")
    # Empty rows in front, so that its line numbers are those of this script.
    command = parse_metric_script("\n" * (line - 1) + "\n".join(row for _, row in block))[0]
    if not isinstance(command, Evaluation):
        raise ScriptSyntaxError(line, f"unknown command {head!r}")
    return command


def _parse_load(block: list[tuple[int, str]]) -> LogLoad:
    line, head = block[0]
    labels, rest = _take_labels(head.removeprefix("load").strip())
    if rest or not labels:
        raise ValueError(f"malformed load command {head!r}")
    return LogLoad(line, labels, tuple(each for _, row in block[1:] for each in _parse_lines(row)))


def _parse_logs(block: list[tuple[int, str]]) -> LogEvaluation:
    line, head = block[0]
    match = _LOGS.fullmatch(head)
    if match is None:
        raise ValueError(f"malformed eval command {head!r}")
    evaluation = LogEvaluation(
        line, match["query"], duration_ms(match["start"] or "0s") * _NS_PER_MS,
        duration_ms(match["end"] or "1h") * _NS_PER_MS, int(match["limit"] or 100), bool(match["backward"]),
        bool(match["fail"]),
    )  # fmt: skip
    for _, row in block[1:]:
        if expected := _EXPECT_FAIL.fullmatch(row):
            how, text = expected.groups()
            evaluation.failure = Expected(
                Subject.FAIL, text if how == "msg" else None, text if how == "regex" else None
            )
        else:
            evaluation.lines.extend(_parse_lines(row))
    if evaluation.fails and evaluation.lines:
        raise ValueError("a query that fails gives no lines")
    if evaluation.failure is not None and not evaluation.fails:
        raise ValueError("expect fail belongs to eval fail")
    return evaluation


def _parse_lines(row: str) -> list[ScriptLine]:
    """A row below a command; more than one line where it says so."""
    match = _TIME.match(row)
    if match is None:
        raise ValueError(f"a line begins with its time: {row!r}")
    labels, rest = _take_labels(row[match.end() :].strip())
    if rest.startswith('"'):
        text = json.loads(rest)
    elif rest == "|":
        text = ""
    elif rest.startswith("| "):
        text = rest[2:]
    else:
        raise ValueError(f"a line stands behind '| ' or in quotes: {row!r}")
    start_ns = duration_ms(match["start"]) * _NS_PER_MS
    if match["count"] is None:
        return [ScriptLine(start_ns, labels, text)]
    step_ns = duration_ms(match["step"]) * _NS_PER_MS
    return [ScriptLine(start_ns + i * step_ns, labels, text.replace("$i", str(i))) for i in range(int(match["count"]))]


def _take_labels(text: str) -> tuple[dict[str, str], str]:
    """The labels at the beginning of a text, if there are any, and what follows them."""
    match = _LABELS.match(text)
    if match is None:
        return {}, text
    pairs = [(name, json.loads(value)) for name, value in _NAME_VALUE.findall(match[0])]
    if len(dict(pairs)) < len(pairs):
        raise ValueError(f"a label stands twice in {match[0]}")
    return dict(pairs), text[match.end() :].strip()
