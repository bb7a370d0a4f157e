"""Parser of PromQL test scripts: `load`, `clear` and `eval` commands, in the format that Prometheus' users know.

Format: the README of Prometheus' promqltest package, deprecated forms included. A command begins at the start of a
block; a blank line ends it; lines that begin with `#` are comments.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from enum import StrEnum

from swarmscope.lang.series_notation.series import ScriptSeries, parse_series, unquote
from swarmscope.lang.series_notation.values import parse_number

_LOAD = re.compile(r"load(_with_nhcb)?\s+(\S+)$")
_INSTANT = re.compile(r"eval(?:_(fail|warn|info|ordered))?\s+instant\s+(?:at\s+(\S+)\s+)?(.+)$")
_RANGE = re.compile(r"eval(?:_(fail|warn|info))?\s+range\s+from\s+(\S+)\s+to\s+(\S+)\s+step\s+(\S+)\s+(.+)$")
_EXPECT = re.compile(r"expect\s+(fail|warn|info|no_warn|no_info|ordered)(?:\s+(msg|regex):\s*(.*))?$")
_EXPECT_STRING = re.compile(r"expect\s+string\s+(.+)$")
_EXPECT_RANGE = re.compile(r"expect\s+range\s+vector\s+from\s+(\S+)\s+to\s+(\S+)\s+step\s+(\S+)$")
_LEGACY_FAIL = re.compile(r"expected_fail_(message|regexp)\s+(.+)$")
_DURATION_PART = re.compile(r"(\d+)(ms|y|w|d|h|m|s)")
_UNIT_MS = {"ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000, "w": 604_800_000, "y": 31_536_000_000}


class ScriptSyntaxError(Exception):
    """A script that cannot be parsed; the message names the line."""

    def __init__(self, line: int, message: str) -> None:
        super().__init__(f"line {line}: {message}")
        self.line = line


class Subject(StrEnum):
    """What an `expect` line is about."""

    FAIL = "fail"
    WARN = "warn"
    INFO = "info"


@dataclass(frozen=True, slots=True)
class Expected:
    """One text that an error or annotation must have; both None: any text will do."""

    subject: Subject
    message: str | None = None
    regex: str | None = None

    def matches(self, text: str) -> bool:
        """Whether the text is the one. A message is compared with or without quotes and the place `(line:column)`."""
        if self.regex is not None:
            return re.search(self.regex, text) is not None
        if self.message is None:
            return True
        return _unquoted(self.message) in (text, re.sub(r" \(\d+:\d+\)$", "", text))


@dataclass(frozen=True, slots=True)
class Grid:
    """Times of a range in milliseconds, both ends included."""

    start_ms: int
    end_ms: int
    step_ms: int


@dataclass(frozen=True, slots=True)
class Load:
    """Series to write, their points `interval_ms` apart from time 0."""

    line: int
    interval_ms: int
    series: tuple[ScriptSeries, ...]
    with_custom_buckets: bool = False


@dataclass(frozen=True, slots=True)
class Clear:
    """Forget everything that was loaded."""

    line: int


@dataclass(slots=True)
class Evaluation:
    """One query and what is expected of it; `instant_ms` or `grid` says how it is run."""

    line: int
    query: str
    instant_ms: int | None = None
    grid: Grid | None = None
    expected: list[Expected] = field(default_factory=list)
    forbidden: set[Subject] = field(default_factory=set)
    ordered: bool = False
    text: str | None = None
    scalar: float | None = None
    series: list[ScriptSeries] = field(default_factory=list)
    vector_grid: Grid | None = None

    def expects(self, subject: Subject) -> bool:
        """Whether any line expects this."""
        return any(expectation.subject is subject for expectation in self.expected)


Command = Load | Clear | Evaluation


def parse_duration_ms(text: str) -> int:
    """A duration (`1h30m`, `-5m`) or a number of seconds, in milliseconds. Raises ValueError."""
    sign, body = (-1, text[1:]) if text.startswith("-") else (1, text)
    parts = _DURATION_PART.findall(body)
    if parts and "".join(number + unit for number, unit in parts) == body:
        return sign * sum(int(number) * _UNIT_MS[unit] for number, unit in parts)
    return round(parse_number(text) * 1000)


def parse_script(text: str) -> list[Command]:
    """The commands of a script in their order. Raises ScriptSyntaxError."""
    lines = [line.strip() for line in text.splitlines()]
    commands: list[Command] = []
    at = 0
    while at < len(lines):
        if not lines[at] or lines[at].startswith("#"):
            at += 1
            continue
        block = [(number + 1, lines[number]) for number in _block(lines, at)]
        commands.append(_parse_command(block))
        at = block[-1][0]
    return commands


def _block(lines: list[str], begin: int) -> list[int]:
    """Line numbers of the command that begins at `begin`, comments left out."""
    if lines[begin] == "clear":
        return [begin]
    out = [begin]
    for number in range(begin + 1, len(lines)):
        if not lines[number]:
            break
        if not lines[number].startswith("#"):
            out.append(number)
    return out


def _parse_command(block: list[tuple[int, str]]) -> Command:
    line, head = block[0]
    try:
        if head == "clear":
            return Clear(line)
        if head.startswith("load"):
            return _parse_load(block)
        if head.startswith("eval"):
            return _parse_evaluation(block)
    except (ValueError, re.error) as error:
        raise ScriptSyntaxError(line, str(error)) from error
    raise ScriptSyntaxError(line, f"unknown command {head!r}")


def _parse_load(block: list[tuple[int, str]]) -> Load:
    line, head = block[0]
    match = _LOAD.match(head)
    if match is None:
        raise ValueError(f"malformed load command {head!r}")
    interval_ms = parse_duration_ms(match.group(2))
    if interval_ms <= 0:
        raise ValueError("points are a positive time apart")
    series = tuple(_series_of(number, text) for number, text in block[1:])
    return Load(line, interval_ms, series, match.group(1) is not None)


def _series_of(line: int, text: str) -> ScriptSeries:
    try:
        return parse_series(text)
    except ValueError as error:
        raise ScriptSyntaxError(line, str(error)) from error


def _parse_grid(start: str, end: str, step: str) -> Grid:
    grid = Grid(parse_duration_ms(start), parse_duration_ms(end), parse_duration_ms(step))
    if grid.end_ms < grid.start_ms or grid.step_ms <= 0:
        raise ValueError("a range ends after it starts and has a positive step")
    return grid


def _parse_evaluation(block: list[tuple[int, str]]) -> Evaluation:
    line, head = block[0]
    if match := _INSTANT.match(head):
        evaluation = Evaluation(line, match.group(3), instant_ms=parse_duration_ms(match.group(2) or "0"))
    elif match := _RANGE.match(head):
        evaluation = Evaluation(line, match.group(5), grid=_parse_grid(*match.groups()[1:4]))
    else:
        raise ValueError(f"malformed eval command {head!r}")
    variant = match.group(1)
    if variant == "ordered":
        evaluation.ordered = True
    elif variant is not None:
        evaluation.expected.append(Expected(Subject(variant)))
    for number, text in block[1:]:
        try:
            _parse_expectation(evaluation, text)
        except (ValueError, re.error) as error:
            raise ScriptSyntaxError(number, str(error)) from error
    _check_consistency(evaluation)
    return evaluation


def _parse_expectation(evaluation: Evaluation, text: str) -> None:
    """One line below an `eval`."""
    if match := _EXPECT.match(text):
        _add_expect(evaluation, match)
    elif match := _EXPECT_STRING.match(text):
        evaluation.text = unquote(match.group(1).strip())
    elif match := _EXPECT_RANGE.match(text):
        evaluation.vector_grid = _parse_grid(*match.groups())
        if evaluation.instant_ms is not None:
            evaluation.instant_ms = evaluation.vector_grid.end_ms
    elif text.startswith("expect ") or text == "expect":
        raise ValueError(f"malformed expectation {text!r}")
    elif match := _LEGACY_FAIL.match(text):
        if not evaluation.expects(Subject.FAIL):
            raise ValueError("expected_fail_… belongs to eval_fail")
        message, regex = (match.group(2), None) if match.group(1) == "message" else (None, match.group(2))
        evaluation.expected = [Expected(Subject.FAIL, message, regex)]
    elif (number := _as_number(text)) is not None:
        evaluation.scalar = number
    else:
        series = parse_series(text)
        if any(series.labels == other.labels for other in evaluation.series):
            raise ValueError(f"the series {dict(series.labels)} is expected twice")
        evaluation.series.append(series)


def _add_expect(evaluation: Evaluation, match: re.Match[str]) -> None:
    kind, how, text = match.groups()
    if how is not None and (kind == "ordered" or kind.startswith("no_")):
        raise ValueError(f"expect {kind} takes no text")
    if kind == "ordered":
        evaluation.ordered = True
    elif kind.startswith("no_"):
        evaluation.forbidden.add(Subject(kind[3:]))
    else:
        text = text.strip() if text is not None else None
        if how == "regex" and text is not None:
            text = _unquoted(text)
            re.compile(text)
        evaluation.expected.append(
            Expected(Subject(kind), text if how == "msg" else None, text if how == "regex" else None)
        )


def _unquoted(text: str) -> str:
    """The text without quotes around the whole of it."""
    return text[1:-1] if len(text) > 1 and text[0] == text[-1] == '"' else text


def _as_number(text: str) -> float | None:
    try:
        return parse_number(text)
    except ValueError:
        return None


def _check_consistency(evaluation: Evaluation) -> None:
    for subject in evaluation.forbidden:
        if evaluation.expects(subject):
            raise ValueError(f"expect {subject} and expect no_{subject} exclude each other")
    if sum(expectation.subject is Subject.FAIL for expectation in evaluation.expected) > 1:
        raise ValueError("a query fails once: one expect fail line is allowed")
    if evaluation.text is not None and evaluation.grid is not None:
        raise ValueError("only an instant query has a string as its answer")
    if evaluation.ordered and evaluation.grid is not None:
        raise ValueError("the answer to a range query has no order")
    if evaluation.instant_ms is not None and evaluation.vector_grid is None:
        for series in evaluation.series:
            if len(series.values) != 1:
                raise ValueError("an instant query expects one value a series")
