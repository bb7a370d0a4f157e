from types import SimpleNamespace

import pytest
from opentelemetry.trace import StatusCode

from swarmscope import sdk

STATE = {
    "modules": [
        {"name": "perception", "activity": 0.7, "connections": ["memory", "planning"]},
        {"name": "memory", "activity": 0.2, "connections": 5},
        {"name": "idle", "activity": 0},
    ],
    "pathways": [
        {"name": "ventral", "strength": 0.9, "latency": 0.012},
        {"source": "memory", "target": "planning", "strength": 0.1, "latency": 0.2},
    ],
    "phi": [
        {"value": 0.3, "brain_region": "a", "integration_type": "phi_g"},
        {"value": 0.85, "brain_region": "b", "integration_type": "phi_g"},
    ],
}


def _as_objects(state):
    return SimpleNamespace(**{name: [SimpleNamespace(**each) for each in items] for name, items in state.items()})


@pytest.mark.parametrize("state", [STATE, _as_objects(STATE)], ids=["mapping", "objects"])
def test_modules_and_pathways_are_spans(spans, state):
    sdk.trace_consciousness_emergence(state)
    *parts, whole = spans()
    assert {span.parent.span_id for span in parts} == {whole.context.span_id}
    assert (whole.name, dict(whole.attributes)) == ("consciousness_emergence", {"intelligence.phi": 0.85})
    assert [(span.name, dict(span.attributes)) for span in parts] == [
        ("module perception", {"module.name": "perception", "module.activity": 0.7, "module.connections": 2}),
        ("module memory", {"module.name": "memory", "module.activity": 0.2, "module.connections": 5}),
        ("module idle", {"module.name": "idle", "module.activity": 0}),
        ("pathway ventral", {"pathway.name": "ventral", "pathway.strength": 0.9, "pathway.latency": 0.012}),
        (
            "pathway memory-planning",
            {"pathway.source": "memory", "pathway.target": "planning", "pathway.name": "memory-planning",
             "pathway.strength": 0.1, "pathway.latency": 0.2},
        ),
    ]  # fmt: skip


@pytest.mark.parametrize("state", [None, {}, {"modules": "x", "pathways": 3}, 7])
def test_state_that_says_nothing(spans, state):
    sdk.MultiAgentTracer().trace_consciousness_emergence(state)
    (span,) = spans()
    assert (span.name, dict(span.attributes)) == ("consciousness_emergence", {})
    assert span.status.status_code is StatusCode.UNSET


def test_high_phi_calls_the_alert_hook(make_telemetry, telemetry):
    alerts = []
    other = make_telemetry(telemetry.settings.endpoint, alert_hook=lambda span, phi: alerts.append(phi))
    sdk.MultiAgentTracer(other).trace_consciousness_emergence(STATE)
    assert alerts == [0.85]
