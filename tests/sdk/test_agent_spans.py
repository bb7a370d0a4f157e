import time

import pytest
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import InMemoryLogRecordExporter, SimpleLogRecordProcessor
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider

from swarmscope import sdk
from tests.sdk.otlp_receiver import wait_until


@pytest.fixture
def make_tracer():
    """A tracer whose spans go through a processor."""
    processors = []

    def make(processor, **resource):
        provider = TracerProvider(resource=Resource(resource), shutdown_on_exit=False)
        provider.add_span_processor(processor)
        processors.append(processor)
        return provider.get_tracer("test")

    yield make
    for processor in processors:
        processor.shutdown()


def test_version_and_environment_are_set_at_the_start(make_tracer):
    tracer = make_tracer(sdk.AgentSpanProcessor(sdk.AgentSpanSettings(version="1.2", environment="lab")))
    with tracer.start_as_current_span("x") as span:
        assert dict(span.attributes) == {"agi.version": "1.2", "agi.environment": "lab"}


def test_version_of_the_environment_then_of_the_resource(make_tracer, monkeypatch):
    resource = {"service.version": "3", "deployment.environment.name": "production"}
    with make_tracer(sdk.AgentSpanProcessor(), **resource).start_as_current_span("x") as span:
        assert dict(span.attributes) == {"agi.version": "3", "agi.environment": "production"}
    monkeypatch.setenv("AGI_VERSION", "4")
    with make_tracer(sdk.AgentSpanProcessor(), **resource).start_as_current_span("x") as span:
        assert span.attributes["agi.version"] == "4"


def test_what_nobody_says_is_not_set(make_tracer):
    with make_tracer(sdk.AgentSpanProcessor()).start_as_current_span("x") as span:
        assert dict(span.attributes) == {}


def test_analytics_hook_gets_agents_spans_alone(make_tracer):
    told = []
    tracer = make_tracer(sdk.AgentSpanProcessor(sdk.AgentSpanSettings(version="1"), analytics=told.append))
    for name in ("gen_ai.agent.name", "agent.source", "openinference.span.kind", "http.route", "agentic"):
        tracer.start_span(name, attributes={name: "x"}).end()
    assert [span.name for span in told] == ["gen_ai.agent.name", "agent.source", "openinference.span.kind"]


@pytest.mark.parametrize(
    ("phi", "threshold", "alerts"),
    [(0.81, 0.8, [0.81]), (0.8, 0.8, []), (3, 0.8, [3.0]), (True, 0.8, []), ("0.9", 0.8, []),
     (float("nan"), 0.8, []), (0.5, 0.4, [0.5])],
)  # fmt: skip
def test_alert_hook(make_tracer, phi, threshold, alerts):
    told = []
    settings = sdk.AgentSpanSettings(phi_threshold=threshold)
    processor = sdk.AgentSpanProcessor(settings, alert=lambda span, phi: told.append((span.name, phi)))
    with make_tracer(processor).start_as_current_span("mind") as span:
        span.set_attribute("intelligence.phi", phi)
    assert told == [("mind", value) for value in alerts]


def test_hooks_that_raise_disturb_nobody(make_tracer, caplog):
    def fail(*_):
        raise RuntimeError("hook")

    told = []
    tracer = make_tracer(sdk.AgentSpanProcessor(analytics=fail, alert=lambda span, phi: told.append(phi)))
    tracer.start_span("x", attributes={"intelligence.phi": 0.9}).end()
    assert told == [0.9]
    make_tracer(sdk.AgentSpanProcessor(alert=fail)).start_span("x", attributes={"intelligence.phi": 0.9}).end()
    assert [record.message for record in caplog.records] == ["the analytics hook failed", "the alert hook failed"]


@pytest.fixture
def announced():
    """(processor, records) with announcements after 40 ms and every 80 ms."""
    exporter = InMemoryLogRecordExporter()
    provider = LoggerProvider(shutdown_on_exit=False)
    provider.add_log_record_processor(SimpleLogRecordProcessor(exporter))
    settings = sdk.AgentSpanSettings(announce_after_s=0.04, announce_every_s=0.08, max_open_spans=3)
    processor = sdk.AgentSpanProcessor(settings, logger_provider=provider)
    return processor, lambda: [record.log_record for record in exporter.get_finished_logs()]


def test_open_spans_are_announced_again_and_again(announced, make_tracer):
    processor, records = announced
    tracer = make_tracer(processor)
    tracer.start_span("quick").end()
    with tracer.start_as_current_span("outer") as outer, tracer.start_as_current_span("inner") as inner:
        started_s = time.monotonic()
        inner.set_attribute("gen_ai.agent.name", "a")
        wait_until(lambda: len(records()) >= 2)
        assert time.monotonic() - started_s >= 0.035
        inner.set_attribute("progress", 0.5)
        wait_until(lambda: len(records()) >= 4)
        assert time.monotonic() - started_s >= 0.11
    n = len(records())
    by_span = {}
    for record in records():
        assert record.event_name == "agent.span.open"
        assert not record.body
        by_span.setdefault(record.span_id, []).append(dict(record.attributes))
    assert set(by_span) == {outer.context.span_id, inner.context.span_id}
    assert {record.trace_id for record in records()} == {outer.context.trace_id}
    assert by_span[outer.context.span_id][0] == {
        "span.parent_id": "", "span.name": "outer", "span.kind": "INTERNAL", "span.start_ns": outer.start_time,
    }  # fmt: skip
    first, second = by_span[inner.context.span_id][:2]
    assert first["span.parent_id"] == f"{outer.context.span_id:016x}"
    assert first["gen_ai.agent.name"] == "a"
    assert "progress" not in first
    assert second["progress"] == 0.5
    time.sleep(0.1)
    assert len(records()) == n, "they have ended"
    assert len(processor.announcer) == 0


def test_announcement_tells_whose_process_it_is_where_the_span_does_not(announced, make_tracer):
    processor, records = announced
    resource = {"gen_ai.agent.name": "a", "agent.team": "t", "service.name": "s"}
    tracer = make_tracer(processor, **resource)
    spans = [tracer.start_span("x"), tracer.start_span("y", attributes={"gen_ai.agent.name": "b"})]
    processor.announcer.announce_due(time.monotonic_ns() + 10**9)
    by_name = {record.attributes["span.name"]: dict(record.attributes) for record in records()}
    assert by_name["x"].items() >= {"gen_ai.agent.name": "a", "agent.team": "t"}.items()
    assert by_name["y"]["gen_ai.agent.name"] == "b"
    assert "agent.team" not in by_name["y"]
    assert "service.name" not in by_name["x"]
    for span in spans:
        span.end()


def test_number_of_watched_spans_is_bounded(announced, make_tracer):
    processor, _ = announced
    spans = [make_tracer(processor).start_span(str(i)) for i in range(5)]
    assert len(processor.announcer) == 3
    assert processor.announcer.n_not_watched == 2
    for span in spans:
        span.end()
    assert len(processor.announcer) == 0


def test_lost_spans_are_not_announced(announced, make_tracer):
    processor, records = announced
    make_tracer(processor).start_span("lost")
    assert processor.announcer.announce_due(time.monotonic_ns() + 10**9) == 0
    assert len(processor.announcer) == 0
    assert records() == []


def test_nothing_is_announced_after_the_end(announced, make_tracer):
    processor, records = announced
    span = make_tracer(processor).start_span("x")
    processor.shutdown()
    time.sleep(0.06)
    assert records() == []
    span.end()
