"""Runs LogQL scripts against a target and says what went otherwise than the script expects."""

from __future__ import annotations

from swarmscope.model.errors import SwarmscopeError
from swarmscope.testing.logql_script import LogEvaluation, LogLoad, ScriptLine, parse_log_script
from swarmscope.testing.logql_target import LogScriptTarget
from swarmscope.testing.promql_runner import ScriptFailure, run_evaluation
from swarmscope.testing.promql_script import Clear, Evaluation

_LEVEL, _NO_LEVEL = "detected_level", "unknown"


def run_log_script(text: str, target: LogScriptTarget) -> list[ScriptFailure]:
    """Run all commands; a query that fails its expectations does not end the run. Raises ScriptSyntaxError."""
    failures: list[ScriptFailure] = []
    for command in parse_log_script(text):
        match command:
            case Clear():
                target.clear()
            case LogLoad(labels=labels, lines=lines):
                target.load(labels, lines)
            case LogEvaluation():
                failures.extend(
                    ScriptFailure(command.line, command.query, each) for each in run_log_evaluation(command, target)
                )
            case Evaluation():
                failures.extend(
                    ScriptFailure(command.line, command.query, each) for each in run_evaluation(command, target)
                )
    return failures


def run_log_evaluation(wanted: LogEvaluation, target: LogScriptTarget) -> list[str]:
    """Run one log query and return what is wrong with its answer."""
    try:
        found = target.query_logs(wanted)
    except SwarmscopeError as error:
        if not wanted.fails:
            return [f"the query failed: {error}"]
        if wanted.failure is None or wanted.failure.matches(str(error)):
            return []
        return [f"expected the failure {wanted.failure.message or wanted.failure.regex!r}, got {str(error)!r}"]
    if wanted.fails:
        return ["expected the query to fail, and it gave an answer"]
    problems = []
    for position in range(max(len(found), len(wanted.lines))):
        expected = _text(wanted.lines[position]) if position < len(wanted.lines) else "nothing"
        actual = "nothing"
        if position < len(found):
            actual = _text(_without_unknown_level(found[position], wanted.lines, position))
        if actual != expected:
            problems.append(f"line {position + 1}: expected {expected}, got {actual}")
    return problems


def _without_unknown_level(line: ScriptLine, wanted: list[ScriptLine], position: int) -> ScriptLine:
    if line.labels.get(_LEVEL) != _NO_LEVEL or (position < len(wanted) and _LEVEL in wanted[position].labels):
        return line
    return ScriptLine(line.ts_ns, {name: value for name, value in line.labels.items() if name != _LEVEL}, line.line)


def _text(line: ScriptLine) -> str:
    labels = ", ".join(f'{name}="{value}"' for name, value in sorted(line.labels.items()))
    return f"{line.ts_ns / 1e9:g}s {{{labels}}} {line.line!r}"
