"""Opsgenie: calls as its documentation has them."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest

from swarmscope.integrations.integration_settings import BadSettingsError, read_settings
from swarmscope.integrations.opsgenie import OpsgenieSettings
from swarmscope.model.alerts import Notification, NotifyFailedError
from tests.integrations.local_receivers import Received, Reply, receiver
from tests.integrations.sample_notifications import alert, config, notification, send, two_alerts

KEY = "genie-key-secret"
ALIAS = hashlib.sha256(b'{}:{alertname="AgentDown"}').hexdigest()


def calls(what: Notification | None = None, **settings: Any) -> list[Received]:
    with receiver(lambda _: Reply(202, b'{"result":"Request will be processed"}')) as there:
        send("opsgenie", {"api_key": KEY, "api_url": there.url, **settings}, what)
    assert {got.headers["authorization"] for got in there.requests} == {f"GenieKey {KEY}"}
    return there.requests


def test_create() -> None:
    (got,) = calls(
        description="d", details={"k": "{{ .Status }}"}, tags="a, ,b", actions="x,y", entity="e", note="n",
        responders=[
            {"name": "one, two", "type": "teams"},
            {"username": "u@example.com", "type": "User"},
            {"name": "{{ .CommonLabels.none }}", "type": "team"},
        ],
    )  # fmt: skip
    assert (got.method, got.path) == ("POST", "/v2/alerts")
    assert got.json() == {
        "alias": ALIAS,
        "message": "[FIRING:2] AgentDown (critical)",
        "description": "d",
        "details": {"alertname": "AgentDown", "severity": "critical", "k": "firing"},
        "source": "http://swarm.example/#/alerts?receiver=team-x",
        "responders": [
            {"name": "one", "type": "team"},
            {"name": "two", "type": "team"},
            {"username": "u@example.com", "type": "user"},
        ],
        "tags": ["a", "b"],
        "note": "n",
        "priority": "P1",
        "entity": "e",
        "actions": ["x", "y"],
    }


def test_close() -> None:
    (got,) = calls(notification(two_alerts(resolved=True)), note="n")
    assert (got.method, got.path) == ("POST", f"/v2/alerts/{ALIAS}/close?identifierType=alias")
    assert got.json() == {"source": "http://swarm.example/#/alerts?receiver=team-x"}


def test_update_alerts() -> None:
    created, message, description = calls(update_alerts=True, description="d")
    assert created.path == "/v2/alerts"
    assert (message.method, message.path) == ("PUT", f"/v2/alerts/{ALIAS}/message?identifierType=alias")
    assert message.json() == {"message": "[FIRING:2] AgentDown (critical)"}
    assert (description.method, description.json()) == ("PUT", {"description": "d"})


@pytest.mark.parametrize(
    ("severity", "setting", "expected"),
    [
        ("error", "", "P2"),
        ("warning", "", "P3"),
        ("info", "", "P5"),
        ("odd", "", None),
        ("info", "P1", "P1"),
        ("critical", "{{ .CommonLabels.severity }}", "P1"),
        ("info", "nonsense", None),
    ],
)
def test_priorities(severity: str, setting: str, expected: str | None) -> None:
    (got,) = calls(notification((alert({"alertname": "A", "severity": severity}),)), priority=setting)
    assert got.json().get("priority") == expected


def test_bounds() -> None:
    (got,) = calls(message="m" * 500, description="d" * 20_000, source="s" * 500, tags="t" * 100)
    told = got.json()
    assert [len(told[name]) for name in ("message", "description", "source")] == [130, 15_000, 100]
    assert len(told["tags"][0]) == 50


@pytest.mark.parametrize(
    ("settings", "host"),
    [
        ({}, "https://api.opsgenie.com/"),
        ({"region": "eu"}, "https://api.eu.opsgenie.com/"),
        ({"region": "us"}, "https://api.opsgenie.com/"),
        ({"region": "eu", "api_url": "https://api.opsgenie.com"}, "https://api.eu.opsgenie.com/"),
        ({"api_url": "https://genie.example/x"}, "https://genie.example/x/"),
    ],
)
def test_hosts(settings: dict[str, Any], host: str) -> None:
    assert read_settings(config("opsgenie", {"api_key": KEY, **settings}), OpsgenieSettings).host == host


def test_refused() -> None:
    body = b'{"message":"Key ' + KEY.encode() + b'"}'
    with receiver(lambda _: Reply(422, body)) as there, pytest.raises(NotifyFailedError) as failed:
        send("opsgenie", {"api_key": KEY, "api_url": there.url})
    assert not failed.value.retryable
    assert KEY not in str(failed.value)


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({}, "no OpsGenie API key set"),
        ({"api_key": KEY, "responders": [{"type": "team"}]}, r"responders\.0: a responder has to have"),
        ({"api_key": KEY, "responders": [{"name": "a", "type": "gang"}]}, "type must be one of team, teams"),
        ({"api_key": KEY, "region": "mars"}, "region: Input should be 'us' or 'eu'"),
    ],
)
def test_wrong_settings(settings: dict[str, Any], told: str) -> None:
    with pytest.raises(BadSettingsError, match=told):
        send("opsgenie", settings)
