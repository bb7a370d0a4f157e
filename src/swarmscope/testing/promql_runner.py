"""Runs test scripts against a target and says what went otherwise than the script expects."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from swarmscope.lang.series_notation.series import ScriptSeries
from swarmscope.lang.series_notation.values import Value, same_value
from swarmscope.model.errors import SwarmscopeError
from swarmscope.testing.classic_conversion import custom_bucket_series
from swarmscope.testing.promql_script import Clear, Evaluation, Grid, Load, Subject, parse_script
from swarmscope.testing.script_target import Answer, Labels, Points, QueryTarget, ScriptTarget

_RECHECK_STEP_MS = 60_000


@dataclass(frozen=True, slots=True)
class ScriptFailure:
    """One expectation that was not met."""

    line: int
    query: str
    message: str

    def __str__(self) -> str:
        return f"line {self.line}: {self.query}\n    {self.message}"


def run_script(text: str, target: ScriptTarget) -> list[ScriptFailure]:
    """Run all commands; a query that fails its expectations does not end the run. Raises ScriptSyntaxError."""
    failures: list[ScriptFailure] = []
    for command in parse_script(text):
        match command:
            case Clear():
                target.clear()
            case Load(interval_ms=interval_ms, series=series, with_custom_buckets=with_custom):
                native = custom_bucket_series(series) if with_custom else []
                target.load([*series, *native], interval_ms)
            case Evaluation():
                failures.extend(
                    ScriptFailure(command.line, command.query, message) for message in run_evaluation(command, target)
                )
    return failures


def run_evaluation(wanted: Evaluation, target: QueryTarget) -> list[str]:
    """Run one query and return what is wrong with its answer."""
    try:
        answer = _ask(wanted, target)
    except SwarmscopeError as error:
        return _check_error(wanted, error)
    if wanted.expects(Subject.FAIL):
        return ["expected the query to fail, and it gave an answer"]
    problems = _check_annotations(wanted, Subject.WARN, answer.warnings)
    problems += _check_annotations(wanted, Subject.INFO, answer.infos)
    problems += check_answer(wanted, answer)
    if not problems and wanted.instant_ms is not None and answer.kind in ("vector", "scalar"):
        problems += _recheck_as_range(wanted, wanted.instant_ms, target)
    return problems


def _ask(wanted: Evaluation, target: QueryTarget) -> Answer:
    if wanted.grid is not None:
        return target.query_range(wanted.query, wanted.vector_grid or wanted.grid)
    return target.query_instant(wanted.query, wanted.instant_ms or 0)


def _check_error(wanted: Evaluation, error: SwarmscopeError) -> list[str]:
    for expectation in wanted.expected:
        if expectation.subject is Subject.FAIL:
            if expectation.matches(str(error)):
                return []
            text = expectation.message or expectation.regex
            return [f"expected the failure {text!r}, got {str(error)!r}"]
    return [f"the query failed: {error}"]


def _check_annotations(wanted: Evaluation, subject: Subject, texts: tuple[str, ...]) -> list[str]:
    if subject in wanted.forbidden and texts:
        return [f"expected no {subject} annotation, got {list(texts)}"]
    expectations = [expectation for expectation in wanted.expected if expectation.subject is subject]
    problems = [
        f"expected the {subject} annotation {expectation.message or expectation.regex or 'of any text'!r}, "
        f"got {list(texts)}"
        for expectation in expectations
        if not any(expectation.matches(text) for text in texts)
    ]
    if expectations:
        problems += [
            f"the {subject} annotation {text!r} was not expected"
            for text in texts
            if not any(expectation.matches(text) for expectation in expectations)
        ]
    return problems


def check_answer(wanted: Evaluation, answer: Answer) -> list[str]:
    """Compare values, and order where the script asks for it."""
    if wanted.text is not None:
        if answer.kind != "string":
            return [f"expected a string, got a {answer.kind}"]
        return [] if answer.text == wanted.text else [f"expected the string {wanted.text!r}, got {answer.text!r}"]
    if answer.kind == "string":
        return [f"expected no string, got {answer.text!r}"]
    if answer.kind == "scalar":
        return _check_scalar(wanted, answer)
    if wanted.scalar is not None and answer.kind == "vector":
        return [f"expected the scalar {wanted.scalar}, got a vector"]
    if (wanted.vector_grid is not None or wanted.grid is not None) != (answer.kind == "matrix"):
        return [f"the answer is a {answer.kind}"]
    expected = [(one.label_map, _expected_points(wanted, one)) for one in wanted.series]
    problems = _check_series(expected, answer.series)
    if wanted.ordered and not problems:
        order = [_key(labels) for labels, _ in answer.series]
        if order != [_key(labels) for labels, _ in expected]:
            problems.append(f"the order is {[_text(labels) for labels, _ in answer.series]}")
    return problems


def _check_scalar(wanted: Evaluation, answer: Answer) -> list[str]:
    value = answer.series[0][1][0][1]
    if wanted.scalar is None:
        return [f"expected a vector, got the scalar {value}"]
    return [] if same_value(wanted.scalar, value) else [f"expected the scalar {wanted.scalar}, got {value}"]


def _expected_points(wanted: Evaluation, series: ScriptSeries) -> Points:
    grid = wanted.vector_grid or wanted.grid or Grid(wanted.instant_ms or 0, wanted.instant_ms or 0, 1)
    points: Points = []
    for position, value in enumerate(series.values):
        if value is not None:
            points.append((grid.start_ms + position * grid.step_ms, value))
    return points


def _key(labels: Labels) -> tuple[tuple[str, str], ...]:
    return tuple(sorted(labels.items()))


def _text(labels: Labels) -> str:
    return "{" + ", ".join(f'{name}="{value}"' for name, value in sorted(labels.items())) + "}"


def _check_series(expected: list[tuple[Labels, Points]], actual: list[tuple[Labels, Points]]) -> list[str]:
    problems: list[str] = []
    found: dict[tuple[tuple[str, str], ...], Points] = {}
    for labels, points in actual:
        if _key(labels) in found:
            problems.append(f"the series {_text(labels)} stands twice in the answer")
        found[_key(labels)] = points
    for labels, points in expected:
        if not points:
            continue
        if _key(labels) not in found:
            problems.append(f"the series {_text(labels)} is missing, expected {_show(points)}")
            continue
        problems += _check_points(_text(labels), points, found[_key(labels)])
    wanted = {_key(labels) for labels, points in expected if points}
    problems += [
        f"the series {_text(labels)} was not expected: {_show(points)}"
        for labels, points in actual
        if _key(labels) not in wanted
    ]
    return problems


def _check_points(name: str, expected: Points, actual: Points) -> list[str]:
    want, got = dict(expected), dict(actual)
    problems = [f"{name} has no point at {ts_ms} ms, expected {value}" for ts_ms, value in expected if ts_ms not in got]
    problems += [f"{name} has the point {value} at {ts_ms} ms" for ts_ms, value in actual if ts_ms not in want]
    problems += [
        f"{name} at {ts_ms} ms: expected {value}, got {got[ts_ms]}"
        for ts_ms, value in expected
        if ts_ms in got and not same_value(value, got[ts_ms])
    ]
    return problems


def _show(points: Iterable[tuple[int, Value]]) -> str:
    return ", ".join(f"{value} at {ts_ms} ms" for ts_ms, value in points)


def _recheck_as_range(wanted: Evaluation, time_ms: int, target: QueryTarget) -> list[str]:
    """An instant's answer must also be the middle column of a range query around it."""
    grid = Grid(time_ms - _RECHECK_STEP_MS, time_ms + _RECHECK_STEP_MS, _RECHECK_STEP_MS)
    try:
        ranged = target.query_range(wanted.query, grid)
    except SwarmscopeError:
        return []  # it may well fail at the other two times
    series = [(labels, [point for point in points if point[0] == time_ms]) for labels, points in ranged.series]
    if wanted.scalar is not None:
        expected: list[tuple[Labels, Points]] = [({}, [(time_ms, wanted.scalar)])]
    else:
        expected = [(one.label_map, _expected_points(wanted, one)) for one in wanted.series]
    problems = _check_series(expected, [(labels, points) for labels, points in series if points])
    return [f"as part of a range: {problem}" for problem in problems]
