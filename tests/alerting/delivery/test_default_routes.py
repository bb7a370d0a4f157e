"""Who is told where no configuration is given, as the default configuration says."""

from __future__ import annotations

import pytest

from swarmscope.app.stages.delivery import read_delivery


@pytest.mark.parametrize(
    ("labels", "receivers"),
    [
        ({"alertname": "Down", "severity": "critical"}, ["emergency"]),
        ({"alertname": "Down", "severity": "warning"}, ["default"]),
        ({"alertname": "Down"}, ["default"]),
        ({"alertname": "high_consciousness_spike", "severity": "warning"}, ["intelligence-team", "default"]),
        ({"alertname": "x", "intelligence": "phi", "severity": "critical"}, ["intelligence-team", "emergency"]),
        ({"alertname": "value_alignment_drift", "severity": "critical"}, ["safety-team", "emergency"]),
        ({"alertname": "x", "safety": "yes", "severity": "info"}, ["safety-team", "default"]),
        # Not told twice by two routes.
        ({"alertname": "alignment", "safety": "yes", "severity": "critical"}, ["safety-team", "emergency"]),
    ],
)
def test_receivers(labels: dict[str, str], receivers: list[str]):
    config, _ = read_delivery(None)
    routes = config.route.match(labels)
    assert [route.options.receiver for route in routes] == receivers
    urgent = [route.options.receiver for route in routes if route.options.labels.get("urgency") == "urgent"]
    assert urgent == [name for name in receivers if name == "safety-team"]
