"""Runs TraceQL scripts against a sink and a reader, and says what went otherwise than the script expects."""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Callable

from swarmscope.model.contracts import ReadBudget, SpanReader, SpanSink
from swarmscope.model.errors import (
    LimitExceededError,
    QueryFailedError,
    QuerySyntaxError,
    SwarmscopeError,
    UnsupportedQueryError,
)
from swarmscope.query.logql.log_answers import NeverCancelled
from swarmscope.query.traceql.answers import FoundSpanSet, FoundTrace, Label, TraceSeries
from swarmscope.query.traceql.engine import TraceqlEngine
from swarmscope.query.traceql.metric_requests import MetricsRequest
from swarmscope.query.traceql.search import SearchRequest
from swarmscope.query.traceql.tags import TagRequest
from swarmscope.query.traceql.values import Tag, TypedValue
from swarmscope.testing.plain_spans import PlainSpan, to_batch
from swarmscope.testing.promql_runner import ScriptFailure
from swarmscope.testing.promql_script import Clear
from swarmscope.testing.traceql_script import (
    ExpectedSet,
    FieldValues,
    SpanLoad,
    SpanMetrics,
    SpanSearch,
    Texts,
    parse_trace_script,
)

_FAILURES = {
    "syntax": QuerySyntaxError,
    "unsupported": UnsupportedQueryError,
    "failed": QueryFailedError,
    "limit": LimitExceededError,
}
_MAX_SPANS = 10_000_000
_HOUR_NS = 3600 * 10**9


class TraceScriptTarget:
    """A store behind the real engine. Every script and every `clear` gets a tenant of its own."""

    _numbers = itertools.count()

    def __init__(
        self,
        sink: SpanSink,
        reader: SpanReader,
        *,
        batch_spans: int = 1_000,
        settle: Callable[[], object] | None = None,
    ) -> None:
        """Sink and reader MUST belong to one store. `batch_spans` are written at once, then `settle` is called."""
        self._sink = sink
        self._batch_spans = batch_spans
        self._settle = settle
        self.engine = TraceqlEngine(reader)
        self.tenant = ""
        self.clear()

    def clear(self) -> None:
        """Go on in an empty tenant."""
        self.tenant = f"trace-script-{next(self._numbers)}"

    def load(self, spans: tuple[PlainSpan, ...]) -> None:
        """Write spans in batches."""
        for begin in range(0, len(spans), self._batch_spans):
            self._sink.write_spans(to_batch(spans[begin : begin + self._batch_spans], self.tenant))
            if self._settle is not None:
                self._settle()


def run_trace_script(text: str, target: TraceScriptTarget) -> list[ScriptFailure]:
    """Run all commands; a query that fails its expectations does not end the run. Raises ScriptSyntaxError."""
    failures: list[ScriptFailure] = []
    for command in parse_trace_script(text):
        match command:
            case Clear():
                target.clear()
            case SpanLoad(spans=spans):
                target.load(spans)
            case FieldValues():
                problems = _run_values(command, target)
                failures.extend(ScriptFailure(command.line, f"values {command.tag}", each) for each in problems)
            case SpanSearch() | SpanMetrics():
                problems = _run_query(command, target)
                failures.extend(ScriptFailure(command.line, command.query, each) for each in problems)
    return failures


def _budget() -> ReadBudget:
    return ReadBudget(NeverCancelled(), _MAX_SPANS)


def _run_query(wanted: SpanSearch | SpanMetrics, target: TraceScriptTarget) -> list[str]:
    try:
        problems = _run_search(wanted, target) if isinstance(wanted, SpanSearch) else _run_metrics(wanted, target)
    except SwarmscopeError as error:
        if wanted.failure is None:
            return [f"the query failed: {error}"]
        right = isinstance(error, _FAILURES[wanted.failure])
        return [] if right else [f"expected the failure {wanted.failure}, got {error!r}"]
    if wanted.failure is not None:
        return ["expected the query to fail, and it gave an answer"]
    return problems


def _run_search(wanted: SpanSearch, target: TraceScriptTarget) -> list[str]:
    request = SearchRequest(
        wanted.query, wanted.start_ns, wanted.end_ns, wanted.limit, wanted.spans_per_set, target.tenant
    )
    answer = target.engine.search(request, _budget())
    found = [(trace, each) for trace in answer.traces for each in trace.span_sets]
    problems = []
    for position in range(max(len(found), len(wanted.sets))):
        expected = wanted.sets[position] if position < len(wanted.sets) else None
        shown = _shown(*found[position], expected) if position < len(found) else "nothing"
        right = "nothing" if expected is None else _expected_text(expected)
        if shown != right:
            problems.append(f"set {position + 1}: expected {right}, got {shown}")
    return problems


def _shown(trace: FoundTrace, found: FoundSpanSet, expected: ExpectedSet | None) -> str:
    """A set as the expectation spells it, with as much as that says."""
    said = dict(expected.spans) if expected is not None else {}
    words = []
    for span in found.spans:
        number = int.from_bytes(span.span_id, "big")
        words.append(f"s{number}{'' if said.get(number) is None else _labels_text(_texts(span.attributes))}")
    stages = _labels_text(_texts(found.attributes)) if expected is not None and expected.found is not None else ""
    return f"t{int.from_bytes(trace.trace_id, 'big')}: {' '.join(words)} {stages} of {found.matched}"


def _expected_text(expected: ExpectedSet) -> str:
    words = [f"s{number}{'' if shown is None else _labels_text(shown)}" for number, shown in expected.spans]
    stages = "" if expected.found is None else _labels_text(expected.found)
    return f"t{expected.trace}: {' '.join(words)} {stages} of {expected.matched}"


def _run_metrics(wanted: SpanMetrics, target: TraceScriptTarget) -> list[str]:
    request = MetricsRequest(wanted.query, wanted.start_ns, wanted.end_ns, wanted.step_ns, target.tenant)
    answer = target.engine.metrics(request, _budget())
    found = {_labels_text(_texts(each.labels)): each for each in answer.series}
    expected = {_labels_text(labels): values for labels, values in wanted.series}
    problems = [f"unexpected series {labels} {found[labels].values}" for labels in found.keys() - expected.keys()]
    for labels, values in expected.items():
        problem = _difference(found.get(labels), values)
        if problem:
            problems.append(f"{labels}: {problem}")
    return sorted(problems)


def _difference(found: TraceSeries | None, wanted: tuple[float | None, ...]) -> str:
    if found is None:
        return "the series is missing"
    values = [None if math.isnan(value) else value for value in found.values.tolist()]
    same = len(values) == len(wanted) and all(
        a is b if a is None or b is None else math.isclose(a, b, rel_tol=1e-9, abs_tol=1e-12)
        for a, b in zip(values, wanted, strict=True)
    )
    return "" if same else f"expected {list(wanted)}, got {values}"


def _run_values(wanted: FieldValues, target: TraceScriptTarget) -> list[str]:
    request = TagRequest(0, _HOUR_NS, target.tenant, 100, wanted.query)
    found = sorted(_value_text(value) for value in target.engine.tag_values(wanted.tag, request, _budget()))
    return [] if found == sorted(wanted.values) else [f"expected {sorted(wanted.values)}, got {found}"]


def _texts(labels: tuple[Label, ...]) -> Texts:
    return {name: _value_text(value) for name, value in labels}


def _value_text(value: TypedValue) -> str:
    return json.dumps(value.value) if value.tag is Tag.STRING else str(value)


def _labels_text(labels: Texts) -> str:
    return "{" + ", ".join(f"{name}={value}" for name, value in sorted(labels.items())) + "}"
