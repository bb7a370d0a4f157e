import math

import pytest
from opentelemetry.sdk._logs.export import InMemoryLogRecordExporter, SimpleLogRecordProcessor
from opentelemetry.trace import SpanContext

from swarmscope import sdk


@pytest.fixture
def events(telemetry):
    """Records that were emitted, in that order: a callable."""
    exporter = InMemoryLogRecordExporter()
    telemetry.logger_provider.add_log_record_processor(SimpleLogRecordProcessor(exporter))
    return lambda: [each.log_record for each in exporter.get_finished_logs()]


def test_an_evaluation_is_told_in_the_span_that_it_is_of(events, spans):
    with sdk.conversation("c1"), sdk.agent("writer"):
        sdk.record_evaluation("helpfulness", 0.75, label="good", explanation="It answers the question.")
    (record,), (span,) = events(), spans()
    assert record.event_name == "gen_ai.evaluation.result"
    assert (record.trace_id, record.span_id) == (span.context.trace_id, span.context.span_id)
    assert dict(record.attributes) == {
        "gen_ai.evaluation.name": "helpfulness",
        "gen_ai.evaluation.score.value": 0.75,
        "gen_ai.evaluation.score.label": "good",
        "gen_ai.evaluation.explanation": "It answers the question.",
        "gen_ai.conversation.id": "c1",
    }


def test_whose_work_it_is_may_be_told_in_three_ways(events):
    target = SpanContext(7, 9, is_remote=True)
    with sdk.agent("judge"):
        sdk.record_evaluation("tone", 1, target=target)
        sdk.record_evaluation("tone", 0, target="resp-1")
        sdk.record_evaluation("tone", label="fine", agent="writer")
    by_span, by_response, by_name = events()
    assert (by_span.trace_id, by_span.span_id) == (7, 9)
    assert by_response.attributes["gen_ai.response.id"] == "resp-1"
    assert by_name.attributes["gen_ai.agent.name"] == "writer"
    # The evaluator's own span would be taken for what was evaluated.
    assert not by_response.span_id
    assert not by_name.span_id


def test_what_says_nothing_is_refused(events):
    with pytest.raises(ValueError, match="needs a name"):
        sdk.record_evaluation("", 1)
    with pytest.raises(ValueError, match="tone needs a score"):
        sdk.record_evaluation("tone")
    with pytest.raises(ValueError, match="score of tone is nan"):
        sdk.record_evaluation("tone", math.nan)
    assert events() == []


def test_without_any_configuration_nothing_happens():
    sdk.record_evaluation("tone", 1)
