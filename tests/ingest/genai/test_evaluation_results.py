"""Evaluators' results in each of the forms that they come in, read by a recording observer behind the real sinks."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
from tests.ingest.genai.normalised import SEED, span
from tests.ingest.log_batches import KeptLogs, make_logs

from swarmscope.ingest.genai import evaluation_results
from swarmscope.ingest.genai.evaluation_results import read_lines, read_spans
from swarmscope.ingest.genai.observed_evaluations import EvaluatedLogSink, EvaluatedSpanSink
from swarmscope.instrument.metrics import REGISTRY
from swarmscope.model.attributes import AttributeSets
from swarmscope.model.contracts import Receipt
from swarmscope.model.errors import UnavailableError
from swarmscope.model.evaluations import Evaluation, Responses
from swarmscope.model.logs import LogBatch
from swarmscope.model.span_keys import span_keys
from swarmscope.model.spans import SpanBatch
from swarmscope.testing.plain_spans import PlainEvent, PlainLink, span_id, to_batch, trace_id

HELPFUL = {"gen_ai.evaluation.name": "helpfulness", "gen_ai.evaluation.score.value": 0.75}


@dataclass
class Observer:
    found: list[tuple[str, Evaluation]] = field(default_factory=list)
    responses: list[Responses] = field(default_factory=list)

    def observe_evaluations(self, tenant: str, found: Sequence[Evaluation]) -> None:
        self.found.extend((tenant, each) for each in found)

    def observe_responses(self, tenant: str, responses: Responses) -> None:
        self.responses.append(responses)


class Store:
    def write_spans(self, batch: SpanBatch) -> Receipt:
        n = len(batch)
        batch.take(np.zeros(0, np.int64))  # a sink may change what it owns
        return Receipt(spans=n)


class Refusing:
    def write_spans(self, batch: SpanBatch) -> Receipt:
        raise UnavailableError("no")

    def write_logs(self, batch: LogBatch) -> Receipt:
        raise UnavailableError("no")


def key_of(number: int, trace: int = 1) -> int:
    ids = (np.frombuffer(each, np.uint8).reshape(1, -1) for each in (trace_id(trace), span_id(number)))
    return int(span_keys(SEED, *ids)[0])


def of_spans(*spans: Any) -> list[Evaluation]:
    observer = Observer()
    EvaluatedSpanSink(Store(), observer, SEED).write_spans(to_batch(spans))
    return [found for _, found in observer.found]


def of_line(**metadata: str) -> list[Evaluation]:
    return read_lines(lines([metadata]), SEED).found


def lines(metadata: list[dict[str, str]], number: int = 0) -> LogBatch:
    batch = make_logs([""] * len(metadata), metadata=metadata)
    if number:
        batch.trace_id[:] = np.frombuffer(trace_id(1), np.uint8)
        batch.span_id[:] = np.frombuffer(span_id(number), np.uint8)
    return batch


AS_TEXT = {name: str(value) for name, value in HELPFUL.items()}


@pytest.mark.parametrize("name", ["event_name", "event.name"])
def test_a_line_tells_a_result(name: str) -> None:
    event = {name: "gen_ai.evaluation.result", **AS_TEXT, "gen_ai.evaluation.score.label": "good"}
    observer, kept = Observer(), KeptLogs()
    batch = lines([event, {"event_name": "gen_ai.evaluation.resulX", **AS_TEXT}, {}], number=7)
    assert EvaluatedLogSink(kept, observer, SEED).write_logs(batch).lines == 3
    ((tenant, found),) = observer.found
    assert tenant == batch.tenant
    assert found == Evaluation("helpfulness", 0.75, "good", span_key=key_of(7))


def test_a_line_names_the_agent_or_the_response() -> None:
    (found,) = of_line(**{"event_name": "gen_ai.evaluation.result", "gen_ai.agent.name": "writer", **AS_TEXT})
    assert (found.agent, found.is_explicit, found.span_key, found.response) == ("writer", False, 0, 0)
    (found,) = of_line(**{"event_name": "gen_ai.evaluation.result", "gen_ai.response.id": "r-1", **AS_TEXT})
    observer = Observer()
    EvaluatedSpanSink(Store(), observer, SEED).write_spans(
        to_batch([span({}), span({"gen_ai.response.id": "r-1"}, number=2)])
    )
    assert observer.responses[0].response.tolist() == [found.response]
    assert observer.responses[0].span_key.tolist() == [key_of(2)]


@pytest.mark.parametrize(
    "event",
    [
        {"gen_ai.evaluation.score.value": "1"},
        {"gen_ai.evaluation.name": "x"},
        {"gen_ai.evaluation.name": "x", "gen_ai.evaluation.score.value": "NaN"},
        {"gen_ai.evaluation.name": "x", "gen_ai.evaluation.score.value": "1e999"},
        {"gen_ai.evaluation.name": "x", "gen_ai.evaluation.score.value": "high"},
        {"gen_ai.evaluation.name": "x" * 300, "gen_ai.evaluation.score.value": "1"},
    ],
)
def test_what_tells_nothing_is_counted(event: dict[str, str]) -> None:
    results = read_lines(lines([{"event_name": "gen_ai.evaluation.result", **event}]), SEED)
    assert (results.found, results.n_malformed) == ([], 1)


def test_a_label_or_an_explanation_is_enough() -> None:
    name = {"event_name": "gen_ai.evaluation.result", "gen_ai.evaluation.name": "x"}
    (found,) = of_line(**name, **{"gen_ai.evaluation.score.label": "pass"})
    assert (found.label, math.isnan(found.score)) == ("pass", True)
    (found,) = of_line(**name, **{"gen_ai.evaluation.explanation": "w" * 1000})
    assert (found.label, math.isnan(found.score)) == ("", True)


def test_an_event_of_a_span_tells_a_result() -> None:
    event = PlainEvent(1, "gen_ai.evaluation.result", HELPFUL)
    named = PlainEvent(1, "gen_ai.evaluation.result", {**HELPFUL, "gen_ai.agent.name": "writer"})
    other = PlainEvent(1, "gen_ai.evaluation.rezult", HELPFUL)
    found = of_spans(span({}, number=3), span({}, number=4, events=(other, event)), span({}, number=5, events=(named,)))
    assert found == [
        Evaluation("helpfulness", 0.75, span_key=key_of(4)),
        Evaluation("helpfulness", 0.75, agent="writer", is_explicit=True, span_key=key_of(5)),
    ]


def annotation(prefix: str, word: str, **fields: Any) -> dict[str, Any]:
    return {f"{prefix}.{word}.{name}": value for name, value in fields.items()}


def test_openinference_annotations_and_evaluations() -> None:
    attributes = {
        **annotation("annotations.0", "annotation", name="tone", score=1, annotator_kind="LLM"),
        **annotation("annotations.1", "annotation", name="tone", score=1),  # a second judge
        **annotation("evaluations.0", "evaluation", name="tone", score=1),  # the first one in other words
        **annotation("trace.evaluations.0", "evaluation", name="goal", label="met"),
        **annotation("session.annotations.12", "annotation", name="mood", score=0.25, label="fair"),
        **annotation("annotations.2", "annotation", name="empty"),
        "annotations.first.annotation.name": "none",
    }
    results = read_spans(to_batch([span({"a": 1}), span(attributes, number=2)]), SEED)
    assert results.n_malformed == 1
    told = [(found.name, found.score, found.label) for found in results.found]
    assert told[:2] == [("tone", 1.0, ""), ("tone", 1.0, "")]
    assert [name for name, _, _ in told] == ["tone", "tone", "goal", "mood"]
    assert told[2][2] == "met"
    assert told[3] == ("mood", 0.25, "fair")
    assert {found.span_key for found in results.found} == {key_of(2)}


def test_a_carrier_tells_of_the_span_that_it_links_to() -> None:
    link = PlainLink(trace_id(2), span_id(9))
    tone = annotation("evaluations.0", "evaluation", name="tone", score=1)
    judge = {"openinference.span.kind": "EVALUATOR"}
    carrier, two, inline = (
        span({**tone, **judge}, links=(link,)), span({**tone, **judge}, links=(link, link)), span(tone, links=(link,))
    )  # fmt: skip
    assert [found.span_key for found in of_spans(carrier, two, inline)] == [key_of(9, trace=2), key_of(1), key_of(1)]
    event = PlainEvent(1, "gen_ai.evaluation.result", HELPFUL)
    assert [found.span_key for found in of_spans(span(judge, links=(link,), events=(event,)))] == [key_of(9, trace=2)]


def test_so_many_of_a_batch_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evaluation_results, "MAX_RESULTS", 3)
    event = {"event_name": "gen_ai.evaluation.result", **AS_TEXT}
    results = read_lines(lines([event] * 5), SEED)
    assert (len(results.found), results.n_beyond) == (3, 2)
    tones = {}
    for at in range(5):
        tones |= annotation(f"annotations.{at}", "annotation", name="tone", score=at)
    results = read_spans(to_batch([span(tones)]), SEED)
    assert (len(results.found), results.n_beyond) == (3, 2)


def test_what_is_refused_is_not_observed() -> None:
    observer = Observer()
    event = {"event_name": "gen_ai.evaluation.result", **AS_TEXT}
    with pytest.raises(UnavailableError):
        EvaluatedLogSink(Refusing(), observer, SEED).write_logs(lines([event]))
    with pytest.raises(UnavailableError):
        EvaluatedSpanSink(Refusing(), observer, SEED).write_spans(to_batch([span({"gen_ai.response.id": "r"})]))
    assert (observer.found, observer.responses) == ([], [])


def test_an_observer_that_fails_does_not_fail_what_passes() -> None:
    def failures() -> float:
        return REGISTRY.get_sample_value("swarmscope_normalisation_failures_total", {"signal": "logs"}) or 0

    before = failures()
    event = {"event_name": "gen_ai.evaluation.result", **AS_TEXT}
    assert EvaluatedLogSink(KeptLogs(), None, SEED).write_logs(lines([event])).lines == 1  # type: ignore[arg-type]
    assert failures() == before + 1


def test_names_that_begin_like_annotations() -> None:
    names = ["", "annotations", "annotations.", "annotations.x", "trace.annotations.1", "sessions.evaluations.1", "e"]
    sets = AttributeSets.from_dicts([{name or "a": 1} for name in names])
    assert evaluation_results.has_annotations(sets).tolist() == [False, False, False, True, True, False, False]
