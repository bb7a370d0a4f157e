"""What the pretended fleet sends, as our receivers and the vocabulary of agents read it."""

from __future__ import annotations

import numpy as np
import pytest

from swarmscope.app.demo.simulation.events import BrainState, Ended, Measured, StepKind
from swarmscope.app.demo.simulation.members import ROLES, make_agents
from swarmscope.app.demo.story import simulate
from swarmscope.app.demo.wire.metrics import FleetMetrics
from swarmscope.app.demo.wire.open_steps import OpenSteps
from swarmscope.app.demo.wire.requests import log_request, to_brain_state, trace_request
from swarmscope.app.demo.wire.resources import Resources
from swarmscope.ingest.genai.normaliser import SpanNormaliser
from swarmscope.ingest.genai.open_spans import announced_lines
from swarmscope.ingest.genai.prices import Prices
from swarmscope.model.agents import AgentOperation, CostSource, Dialect, InteractionType, Vocabulary
from swarmscope.receivers.otlp.decode import MetricsDecoder
from swarmscope.receivers.otlp.log_decode import LogsDecoder
from swarmscope.receivers.otlp.settings import OtlpSettings
from swarmscope.receivers.otlp.span_decode import TracesDecoder
from swarmscope.sdk.intelligence.brain_state import check_brain_state
from swarmscope.testing.sinks import RecordingSink

_START_NS = 1_790_000_000_000_000_000
_RESOURCES = Resources("test")


@pytest.fixture(scope="module")
def events():
    return simulate(5, 300, start_ns=_START_NS).events


@pytest.fixture(scope="module")
def steps(events):
    return [event.step for event in events if isinstance(event, Ended)]


def _bytes(request):
    return np.frombuffer(request.SerializeToString(), np.uint8)


@pytest.fixture(scope="module")
def told(events):
    """The spans as agents' work, and the vocabulary."""
    decoded = TracesDecoder(3).decode(_bytes(trace_request(events, _RESOURCES)), "default")
    assert decoded.refused == {}
    assert decoded.n_repaired == 0
    vocabulary = Vocabulary()
    return SpanNormaliser(vocabulary, 7, Prices()).normalise(decoded.batch), vocabulary


def test_every_step_is_one_span(steps, told):
    spans, _ = told
    assert len(spans) == len(steps)
    assert len(set(spans.span_key.tolist())) == len(steps)


def test_all_agents_are_named_in_every_dialect(steps, told):
    spans, vocabulary = told
    named = {vocabulary.text(code) for code in set(spans.agent.tolist())}
    assert {step.agent for step in steps if step.kind is StepKind.AGENT} <= named
    assert len(named & make_agents(1.0).keys()) > 38
    wanted = {Dialect.OTEL, Dialect.OTEL_LEGACY, Dialect.OPENINFERENCE, Dialect.OPENLLMETRY, Dialect.SWARMSCOPE}
    assert wanted <= {Dialect(number) for number in spans.dialect.tolist()}


def test_tokens_are_the_simulations_and_all_models_have_prices(steps, told):
    spans, vocabulary = told
    calls = np.isin(spans.operation, [AgentOperation.CHAT, AgentOperation.EMBEDDINGS])
    for column in ("input_tokens", "output_tokens"):
        values = getattr(spans, column)[calls]
        answered = [step for step in steps if step.model is not None and not step.error]
        assert values[values > 0].sum() == sum(getattr(step, column) for step in answered)
    assert CostSource.UNKNOWN_MODEL not in spans.cost_source[calls]
    assert np.nansum(spans.cost_usd) > 0
    models = {vocabulary.text(code) for code in set(spans.model[calls].tolist())}
    assert {role.model.name for role in ROLES} <= models


def test_ways_to_reach_each_other(told):
    spans, _ = told
    channels = {InteractionType(number) for number in spans.channel.tolist()}
    assert {
        InteractionType.MESSAGE, InteractionType.HANDOFF, InteractionType.A2A, InteractionType.MCP,
    } <= channels  # fmt: skip
    assert len(spans.link_key) > 0


def test_lines_evaluations_and_open_steps(events):
    open_steps = OpenSteps()
    open_steps.follow(events)
    end_ns = _START_NS + 300 * 10**9
    due = open_steps.take_due(end_ns)
    assert due
    assert all(step.end_ns == 0 for step in due)
    # Those that had only just begun are due a second later; the first ones only after ten.
    assert not set(open_steps.take_due(end_ns + 9 * 10**9)) & set(due)
    assert set(open_steps.take_due(end_ns + 10 * 10**9)) == set(due)
    request = log_request(events, due, end_ns, _RESOURCES)
    decoder = LogsDecoder(OtlpSettings(), RecordingSink().index, lambda: end_ns)
    decoded = decoder.decode(_bytes(request), "default")
    assert decoded.refused == {}
    assert len(announced_lines(decoded.batch)) == len(due)
    records = [r for group in request.resource_logs for scope in group.scope_logs for r in scope.log_records]
    names = {record.event_name for record in records}
    assert names == {"", "gen_ai.evaluation.result", "agi.brain_state", "agent.span.open"}


def test_metrics_are_taken_and_have_their_names(events):
    metrics = FleetMetrics(_START_NS, _RESOURCES)
    metrics.follow(events)
    last_ns = max(event.at_ns for event in events if isinstance(event, Measured))
    request = metrics.request(last_ns)
    decoder = MetricsDecoder(OtlpSettings(), RecordingSink().index, lambda: last_ns)
    decoded = decoder.decode(_bytes(request), "default")
    assert decoded.n_points > 500
    found = [metric for group in request.resource_metrics for scope in group.scope_metrics for metric in scope.metrics]
    assert {metric.name for metric in found} == {
        "gen_ai.client.token.usage", "gen_ai.client.operation.duration", "gen_ai.usage.cost",
        "agi_agent_activity_total", "agent.queue.depth", "agi_memory_usage_bytes", "agi_memory_limit_bytes",
        "agi_value_alignment_score", "agi_neural_coherence",
    }  # fmt: skip
    for metric in found:
        for point in metric.histogram.data_points:
            assert sum(point.bucket_counts) == point.count


def test_brain_states_are_of_the_sdks_shape(events):
    states = [to_brain_state(event) for event in events if isinstance(event, BrainState)]
    assert len(states) == 29
    for state in states:
        check_brain_state(state)
