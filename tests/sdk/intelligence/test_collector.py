import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.trace import Status, StatusCode
from prometheus_client import generate_latest

from swarmscope import sdk
from tests.sdk.intelligence.test_brain_state import FULL
from tests.sdk.otlp_receiver import attributes_of, wait_until

PROMETHEUS = {
    "agi_consciousness_phi": {"brain_region", "integration_type"},
    "agi_emergence_score": {"pattern_type", "agent_cluster"},
    "agi_neural_coherence": {"region", "layer"},
    "agi_agent_coordination_score": {"agent_group", "task_type"},
    "agi_learning_milestones_total": {"milestone_type", "knowledge_domain"},
}
OPENTELEMETRY = {
    "intelligence.phi", "intelligence.optimization", "intelligence.coherence", "agent.activity.total",
    "agent.errors.total", "resource.cpu.usage", "resource.memory.usage",
}  # fmt: skip


@pytest.fixture
def reader():
    return InMemoryMetricReader()


@pytest.fixture
def make_collector(reader):
    provider = MeterProvider([reader], shutdown_on_exit=False)
    return lambda source=None, **options: sdk.IntelligenceMetricsCollector(source, meter_provider=provider, **options)


def _points(reader):
    """{name: {sorted attributes: value or (count, sum)}}"""
    found = {}
    data = reader.get_metrics_data()
    for resource in data.resource_metrics if data else ():
        for scope in resource.scope_metrics:
            for metric in scope.metrics:
                for point in metric.data.data_points:
                    value = point.value if hasattr(point, "value") else (point.count, point.sum)
                    found.setdefault(metric.name, {})[tuple(sorted(point.attributes.items()))] = value
    return found


def test_nothing_is_invented(make_collector, reader):
    collector = make_collector()
    assert collector.exposition() == ""
    assert set(_points(reader)) <= {"resource.cpu.usage", "resource.memory.usage"}, "what was measured"


def test_state_is_emitted_under_exactly_these_names(make_collector, reader):
    collector = make_collector()
    collector.record(FULL)
    collector.record_activity("a", "invoke_agent", 2)
    collector.record_error("a", "Timeout")
    points = _points(reader)
    assert set(points) == set(PROMETHEUS) | OPENTELEMETRY
    phi = {(("brain_region", "frontal"), ("integration_type", "phi_g")): 0.4}
    assert points["agi_consciousness_phi"] == points["intelligence.phi"] == phi
    assert points["agi_emergence_score"] == {(("agent_cluster", "c"), ("pattern_type", "swarm")): 0.1}
    assert points["agi_neural_coherence"] == {
        (("layer", "all"), ("region", "frontal")): (1, 0.5),
        (("layer", "all"), ("region", "parietal")): (2, pytest.approx(0.3)),
        (("layer", "l1"), ("region", "temporal")): (1, 0.3),
        (("layer", "l2"), ("region", "temporal")): (2, 1.4),
    }
    assert points["intelligence.coherence"][("layer", "l2"), ("region", "temporal")] == 1
    assert points["intelligence.optimization"] == {(): 0.7}
    assert points["agi_learning_milestones_total"] == {(("knowledge_domain", "maths"), ("milestone_type", "skill")): 1}
    agent = ("gen_ai.agent.name", "a")
    assert points["resource.cpu.usage"] == {(agent,): 0.5}
    assert points["resource.memory.usage"] == {(agent,): 10}
    assert points["agent.activity.total"] == {(agent, ("gen_ai.operation.name", "invoke_agent")): 2}
    assert points["agent.errors.total"] == {(("error.type", "Timeout"), agent): 1}


def test_registry_and_text_say_the_same(make_collector):
    collector = make_collector()
    collector.record(FULL)
    by_client = generate_latest(collector.registry).decode()
    ours = collector.exposition()
    assert sorted(line for line in by_client.splitlines() if line[0] != "#") != []

    def lines(text):
        parts = [line.partition("{") for line in text.splitlines() if not line.startswith("#")]
        return sorted((name, *sorted(rest.replace("} ", ",").split(","))) for name, _, rest in parts)

    assert lines(by_client) == lines(ours)
    assert collector.registry is collector.registry
    buckets = [
        line.split('le="')[1].split('"')[0] for line in ours.splitlines() if 'region="frontal",layer="all",le' in line
    ]
    assert buckets == ["0.1", "0.2", "0.3", "0.4", "0.5", "0.6", "0.7", "0.8", "0.9", "0.95", "0.99", "1.0", "+Inf"]
    for name, labels in PROMETHEUS.items():
        line = next(line for line in ours.splitlines() if line.startswith(name))
        found = {pair.split("=")[0] for pair in line.partition("{")[2].partition("}")[0].split(",")}
        assert found - {"le", "quantile"} == labels


def test_over_otlp_it_is_a_summary_with_quantiles(receiver, make_telemetry):
    telemetry = make_telemetry(receiver.url)
    collector = sdk.IntelligenceMetricsCollector(telemetry=telemetry)
    for value in range(1, 11):
        collector.record_coordination(value / 10, agent_group="g", task_type="t")
        collector.record_coherence(value / 10, region="r")
    assert telemetry.flush(5)
    metric = receiver.metrics()["agi_agent_coordination_score"]
    assert metric.WhichOneof("data") == "summary"
    (point,) = metric.summary.data_points
    assert (point.count, point.sum) == (10, pytest.approx(5.5))
    assert attributes_of(point) == {"agent_group": "g", "task_type": "t"}
    assert [(each.quantile, each.value) for each in point.quantile_values] == [(0.5, 0.5), (0.9, 0.9), (0.99, 1.0)]
    (coherence,) = receiver.metrics()["agi_neural_coherence"].histogram.data_points
    assert list(coherence.explicit_bounds) == [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99, 1.0]
    assert list(coherence.bucket_counts) == [1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 1, 0]


def test_bad_state_changes_nothing(make_collector):
    collector = make_collector()
    with pytest.raises(sdk.BrainStateError, match="has no agent_cluster"):
        collector.record({"phi": FULL["phi"], "emergence": [{"value": 1, "pattern_type": "x"}]})
    assert collector.exposition() == ""


def test_same_state_counts_once(make_collector):
    states = [{**FULL, "timestamp": 1}, {**FULL, "timestamp": 1}, {**FULL, "timestamp": 2}]
    collector = make_collector(iter(states).__next__)
    assert [collector.collect() for _ in states] == [True, False, True]
    text = collector.exposition()
    assert 'agi_agent_coordination_score_count{agent_group="g",task_type="t"} 2.0' in text
    assert 'agi_learning_milestones_total{milestone_type="skill",knowledge_domain="maths"} 1.0' in text


def test_milestones_without_an_id_all_count(make_collector):
    collector = make_collector()
    for _ in range(3):
        collector.record_milestone("skill", "maths")
    assert collector.exposition().splitlines()[-1].endswith(" 3.0")


def test_failing_source(make_collector, caplog):
    def fail():
        raise OSError("gone")

    collector = make_collector(fail)
    with pytest.raises(sdk.BrainStateError, match="the source failed: OSError: gone"):
        collector.collect()
    collector.start(0.005)
    wait_until(lambda: collector.n_failures >= 3)
    collector.stop()
    assert [record.message for record in caplog.records] == ["no brain state: the source failed: OSError: gone"]


def test_reading_in_the_background(make_collector):
    collector = make_collector(lambda: {"optimization": 1, "phi": FULL["phi"]})
    collector.start(0.005)
    wait_until(collector.exposition)
    collector.stop()
    assert collector.n_failures == 0


def test_without_a_source(make_collector):
    with pytest.raises(ValueError, match="no source"):
        make_collector().collect()
    with pytest.raises(ValueError, match="no source"):
        make_collector().start()


def test_spans_count_as_activity(make_collector, reader, make_telemetry, telemetry):
    collector = make_collector()
    other = make_telemetry(telemetry.settings.endpoint, analytics_hook=collector.observe_span)
    with other.use():
        with sdk.agent("a"), sdk.tool("t"):
            pass
        with sdk.agent("a") as span:
            span.set_attribute("error.type", "Timeout")
            span.set_status(Status(StatusCode.ERROR))
        sdk.MultiAgentTracer().trace_agent_interaction("b", "c", "task", "", lambda payload, headers: None)
    points = _points(reader)
    a, b = ("gen_ai.agent.name", "a"), ("gen_ai.agent.name", "b")
    assert points["agent.activity.total"] == {
        (a, ("gen_ai.operation.name", "invoke_agent")): 2,
        (b, ("gen_ai.operation.name", "")): 1,
    }
    assert points["agent.errors.total"] == {(("error.type", "Timeout"), a): 1}


def test_own_use_is_measured(make_collector, reader):
    make_collector()
    sum(range(2_000_000))
    points = _points(reader)
    assert 0 < points["resource.cpu.usage"][()] < 64
    assert 10**7 < points["resource.memory.usage"][()] < 10**11
