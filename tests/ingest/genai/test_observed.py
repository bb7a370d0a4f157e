"""The sinks: observers hear of what was taken, and whatever goes wrong there, data passes."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pytest
from tests.ingest.genai.normalised import NORMALISER, SEED, VOCABULARY, as_mapping, span
from tests.ingest.log_batches import KeptLogs, make_logs

from swarmscope.ingest.genai.observed_logs import ObservedLogSink
from swarmscope.ingest.genai.observed_spans import ObservedSpanSink
from swarmscope.instrument.metrics import REGISTRY
from swarmscope.model.agents import AgentSpans
from swarmscope.model.contracts import Receipt
from swarmscope.model.errors import UnavailableError
from swarmscope.model.logs import LogBatch
from swarmscope.model.span_keys import span_keys
from swarmscope.model.spans import SpanKind
from swarmscope.testing.plain_spans import span_id, to_batch, trace_id

AGENT = {"gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": "scout"}


@dataclass
class Observer:
    batches: list[AgentSpans] = field(default_factory=list)
    error: Exception | None = None

    def observe_spans(self, spans: AgentSpans) -> None:
        if self.error is not None:
            raise self.error
        self.batches.append(spans)


class Store:
    def __init__(self, error: Exception | None = None) -> None:
        self.error = error

    def write_spans(self, batch) -> Receipt:
        if self.error is not None:
            raise self.error
        n = len(batch)
        batch.take(np.zeros(0, np.int64))  # a sink may change what it owns
        return Receipt(spans=n)


def failures(signal: str) -> float:
    return REGISTRY.get_sample_value("swarmscope_normalisation_failures_total", {"signal": signal}) or 0.0


def test_spans_are_observed_once_they_are_taken():
    observer = Observer()
    before = REGISTRY.get_sample_value("swarmscope_normalised_spans_total", {"dialect": "otel"}) or 0
    receipt = ObservedSpanSink(Store(), NORMALISER, observer).write_spans(to_batch([span(AGENT), span({}, number=2)]))
    assert receipt.spans == 2
    assert [len(batch) for batch in observer.batches] == [2]
    assert REGISTRY.get_sample_value("swarmscope_normalised_spans_total", {"dialect": "otel"}) == before + 1


def test_what_is_refused_is_not_observed():
    observer = Observer()
    with pytest.raises(UnavailableError):
        ObservedSpanSink(Store(UnavailableError("no")), NORMALISER, observer).write_spans(to_batch([span(AGENT)]))
    assert observer.batches == []


def test_an_observer_that_fails_does_not_fail_the_spans():
    before = failures("spans")
    sink = ObservedSpanSink(Store(), NORMALISER, Observer(error=RuntimeError("x")))
    assert sink.write_spans(to_batch([span(AGENT)])).spans == 1
    assert failures("spans") == before + 1


ANNOUNCED = {
    "event_name": "agent.span.open", "span.parent_id": span_id(6).hex(), "span.name": "invoke_agent scout",
    "span.kind": "CLIENT", "span.start_ns": "1775000000123456789", **AGENT, "gen_ai.agent.version": "4",
    "agent.team": "red", "gen_ai.conversation.id": "c",
}  # fmt: skip


def announce(*metadata: dict[str, str], stream: tuple[int, ...] | None = None) -> LogBatch:
    batch = make_logs([""] * len(metadata), metadata=metadata, streams=[{"service_name": "svc"}], stream=stream)
    batch.trace_id[:], batch.span_id[:] = np.frombuffer(trace_id(5), np.uint8), np.frombuffer(span_id(7), np.uint8)
    return batch


def observe(*batches: LogBatch) -> list[AgentSpans]:
    observer, kept = Observer(), KeptLogs()
    sink = ObservedLogSink(kept, NORMALISER, observer)
    for batch in batches:
        sink.write_logs(batch)
    assert len(kept.batches) == len(batches)
    return observer.batches


def test_an_open_span_is_a_row_without_an_end():
    (found,) = observe(announce({"other": "x"}, ANNOUNCED, stream=(1, 1)))
    told = as_mapping(found, 0, VOCABULARY)
    assert (told["agent"], told["service"], told["team"], told["agent_version"]) == ("scout", "svc", "red", "4")
    assert (told["conversation"], VOCABULARY.text(int(found.name[0]))) == ("c", "invoke_agent scout")
    assert (found.start_ns.tolist(), found.end_ns.tolist()) == ([1775000000123456789], [0])
    assert found.kind.tolist() == [SpanKind.CLIENT]
    ids = np.frombuffer(trace_id(5), np.uint8).reshape(1, 16), np.frombuffer(span_id(6), np.uint8).reshape(1, 8)
    assert found.parent_key.tolist() == span_keys(SEED, *ids).tolist()


def test_a_stream_that_is_known_keeps_its_service():
    first = announce(ANNOUNCED, stream=(1,))
    later = announce(ANNOUNCED, stream=(1,))
    later.stream_ref, later.new_labels = np.array([7, 8]), later.new_labels.take(np.zeros(0, np.int64))
    assert [VOCABULARY.text(int(found.service[0])) for found in observe(first, later)] == ["svc", "svc"]
    unknown = announce(ANNOUNCED, stream=(0,))
    assert [VOCABULARY.text(int(found.service[0])) for found in observe(unknown)] == [""]


@pytest.mark.parametrize(
    "odd",
    [
        {"span.parent_id": ""},
        {"span.parent_id": "zz" * 8},
        {"span.parent_id": "0" * 16},
    ],
)
def test_a_parent_that_is_none(odd):
    (found,) = observe(announce(ANNOUNCED | odd))
    assert found.parent_key.tolist() == [0]


def test_odd_announcements():
    (found,) = observe(announce(ANNOUNCED | {"span.start_ns": "soon", "span.kind": "odd", "span.name": ""}))
    assert (found.start_ns.tolist(), found.kind.tolist()) == ([0], [0])
    without_context = announce(ANNOUNCED)
    without_context.span_id[:] = 0
    assert observe(without_context, make_logs(["plain"]), make_logs([])) == []
    assert observe(announce(ANNOUNCED | {"event_name": "agent.span.shut"})) == []


def test_an_observer_that_fails_does_not_fail_the_lines():
    before = failures("logs")
    sink = ObservedLogSink(KeptLogs(), NORMALISER, Observer(error=RuntimeError("x")))
    assert sink.write_logs(announce(ANNOUNCED)).lines == 1
    assert failures("logs") == before + 1
