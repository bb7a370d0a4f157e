"""Queries over HTTP, asked of all systems in turn, so that a noisy moment hits them alike."""

from __future__ import annotations

import http.client
import json
import math
import statistics
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from bench.processes import ServerProcess
from bench.questions import Question
from bench.systems import HOST, System

_TIMEOUT_S = 120
# Sums of some thousand floats in another order differ in the last digits.
_TOLERANCE = 1e-9


@dataclass(slots=True)
class QueryResult:
    """One question, one system."""

    name: str
    kind: str
    times_ms: list[float] = field(default_factory=list)
    cpu_s: float = 0.0
    n_series: int = -1
    n_points: int = 0
    problem: str = ""

    @property
    def median_ms(self) -> float:
        """Median over the runs."""
        return statistics.median(self.times_ms) if self.times_ms else math.nan

    def to_json(self) -> dict[str, object]:
        """As it stands in the result file."""
        return {**asdict(self), "median_ms": self.median_ms}


class Asker:
    """A connection to one running system that stays open."""

    def __init__(self, system: System, port: int, process: ServerProcess) -> None:
        self.system = system
        self.process = process
        self._connection = http.client.HTTPConnection(HOST, port, timeout=_TIMEOUT_S)

    def ask(self, question: Question) -> bytes:
        """The answer's body; raises RuntimeError when the status is not 200."""
        path = self.system.query_path + question.path + self.system.query_extra
        self._connection.request("GET", path)
        answer = self._connection.getresponse()
        body = answer.read()
        if answer.status != http.client.OK:
            raise RuntimeError(f"{answer.status} {body[:300].decode(errors='replace')}")
        return body

    def time(self, question: Question, result: QueryResult) -> None:
        """Ask once, and add what it took."""
        before = self.process.cpu_s()
        begun = time.perf_counter()
        self.ask(question)
        result.times_ms.append((time.perf_counter() - begun) * 1e3)
        result.cpu_s += self.process.cpu_s() - before

    def close(self) -> None:
        """End the connection."""
        self._connection.close()


Answer = dict[tuple[tuple[str, str], ...], dict[float, float]]


def _read_answer(body: bytes) -> Answer:
    found: Answer = {}
    for series in json.loads(body)["data"]["result"]:
        points: list[Any] = series.get("values") or [series["value"]]
        found[tuple(sorted(series["metric"].items()))] = {float(at): float(value) for at, value in points}
    return found


def _difference(mine: Answer, reference: Answer) -> str:
    if mine.keys() != reference.keys():
        return f"{len(mine)} series instead of {len(reference)}, {len(mine.keys() & reference.keys())} in common"
    worst = 0.0
    for labels, points in reference.items():
        other = mine[labels]
        if other.keys() != points.keys():
            return f"{len(other)} points instead of {len(points)} in {dict(labels)}"
        for at, value in points.items():
            if not math.isclose(other[at], value, rel_tol=_TOLERANCE) and not math.isnan(value + other[at]):
                worst = max(worst, abs(other[at] - value) / max(abs(value), 1e-300))
    return f"values differ by up to {worst:.1e}" if worst else ""


def compare_answers(askers: Sequence[Asker], questions: Sequence[Question]) -> dict[str, list[QueryResult]]:
    """Ask everything once and note where answers differ from Prometheus' (or the first system's, without it).

    VictoriaMetrics computes rates differently on purpose, so of its answers only the number of series counts.
    """
    results: dict[str, list[QueryResult]] = {asker.system.name: [] for asker in askers}
    for question in questions:
        answers: dict[str, Answer] = {}
        for asker in askers:
            result = QueryResult(question.name, question.kind)
            results[asker.system.name].append(result)
            try:
                answers[asker.system.name] = answer = _read_answer(asker.ask(question))
            except (RuntimeError, OSError, ValueError, KeyError) as error:
                result.problem = repr(error)[:300]
                continue
            result.n_series, result.n_points = len(answer), sum(map(len, answer.values()))
        reference = answers.get("prometheus", next(iter(answers.values()), {}))
        for name, answer in answers.items():
            if name == "victoria-metrics":
                problem = "" if len(answer) == len(reference) else f"{len(answer)} series, not {len(reference)}"
            else:
                problem = _difference(answer, reference)
            results[name][-1].problem = problem
    return results


def measure_queries(askers: Sequence[Asker], questions: Sequence[Question], runs: int) -> dict[str, list[QueryResult]]:
    """Ask every question `runs` times, system after system; results by system, in the questions' order."""
    results = compare_answers(askers, questions)
    for _ in range(runs):
        for number, question in enumerate(questions):
            for asker in askers:
                result = results[asker.system.name][number]
                if result.n_series >= 0:
                    asker.time(question, result)
    return results


@dataclass(frozen=True, slots=True)
class QuerySummary:
    """The figures of one system over all questions."""

    median_instant_ms: float
    median_range_ms: float
    slowest_ms: float
    slowest_name: str
    range_cpu_ms: float  # the server's CPU to answer every range question once
    answered: int
    differing: int

    def to_json(self) -> dict[str, object]:
        """As it stands in the result file."""
        return asdict(self)


def summarise(results: Sequence[QueryResult]) -> QuerySummary:
    """Medians of medians, the slowest question, and the CPU of one pass over the range questions."""
    answered = [result for result in results if result.times_ms]

    def medians(kind: str) -> list[float]:
        return [result.median_ms for result in answered if result.kind == kind] or [math.nan]

    slowest = max(answered, key=lambda result: result.median_ms, default=QueryResult("none", ""))
    return QuerySummary(
        median_instant_ms=statistics.median(medians("instant")),
        median_range_ms=statistics.median(medians("range")),
        slowest_ms=slowest.median_ms,
        slowest_name=f"{slowest.name} ({slowest.kind})",
        range_cpu_ms=sum(r.cpu_s / len(r.times_ms) * 1e3 for r in answered if r.kind == "range"),
        answered=len(answered),
        differing=sum(bool(result.problem) for result in results),
    )
