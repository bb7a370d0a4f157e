"""PagerDuty: events as its documentation has them."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest

from swarmscope.integrations.integration_settings import BadSettingsError
from swarmscope.model.alerts import Alert, FailureKind, Notification, NotifyFailedError
from tests.integrations.local_receivers import Reply, receiver
from tests.integrations.sample_notifications import alert, notification, send, two_alerts

KEY = "0123456789abcdef0123456789abcdef"
DEDUP_KEY = hashlib.sha256(b'{}:{alertname="AgentDown"}').hexdigest()


def event(what: Notification | None = None, **settings: Any) -> dict[str, Any]:
    with receiver(lambda _: Reply(202, b'{"status":"success"}')) as there:
        given = {} if "service_key" in settings else {"routing_key": KEY}
        send("pagerduty", {"url": there.url + "/v2/enqueue", **given, **settings}, what)
        (got,) = there.requests
    assert got.path == "/v2/enqueue"
    found = got.json()
    assert isinstance(found, dict)
    return found


def test_trigger() -> None:
    found = event(
        links=[{"href": "http://l/{{ .Status }}", "text": "t"}, {"href": "{{ .CommonLabels.none }}"}],
        images=[{"src": "http://i", "alt": "a"}],
        component="c", group="g", details={"team": "{{ .Receiver }}", "firing": "ours"}, **{"class": "k"},
    )  # fmt: skip
    resolved = found["payload"]["custom_details"].pop("resolved")
    assert resolved == ""
    assert found == {
        "routing_key": KEY,
        "dedup_key": DEDUP_KEY,
        "event_action": "trigger",
        "client": "Swarmscope",
        "client_url": "http://swarm.example/#/alerts?receiver=team-x",
        "links": [{"href": "http://l/firing", "text": "t"}],
        "images": [{"src": "http://i", "alt": "a"}],
        "payload": {
            "summary": "[FIRING:2] AgentDown (critical)",
            "source": "Swarmscope",
            "severity": "critical",
            "component": "c",
            "group": "g",
            "class": "k",
            "custom_details": {"firing": "ours", "num_firing": "2", "num_resolved": "0", "team": "team-x"},
        },
    }


def test_resolve() -> None:
    found = event(notification(two_alerts(resolved=True)))
    assert (found["event_action"], found["dedup_key"]) == ("resolve", DEDUP_KEY)


def test_acknowledge() -> None:
    found = event(notification(incident={"state": "acknowledged", "summary": "the planner"}))
    assert found["event_action"] == "acknowledge"
    assert found["payload"]["custom_details"]["incident"] == "the planner"
    taken = notification(two_alerts(resolved=True), incident={"state": "acknowledged"})
    assert event(taken)["event_action"] == "resolve"


@pytest.mark.parametrize(
    ("labels", "setting", "expected"),
    [
        (["warning"], "", "warning"),
        (["info", "error"], "", "error"),
        (["page"], "", "critical"),
        (["nonsense"], "", "error"),
        ([], "", "error"),
        (["critical"], "Warning", "warning"),
        (["critical"], "{{ .CommonLabels.severity }}", "critical"),
    ],
)
def test_severities(labels: list[str], setting: str, expected: str) -> None:
    alerts: tuple[Alert, ...] = tuple(alert({"alertname": "A", "severity": each}) for each in labels)
    found = event(notification(alerts or (alert({"alertname": "A"}),)), severity=setting)
    assert found["payload"]["severity"] == expected


def test_bounds() -> None:
    found = event(notification((alert({"alertname": "A"}, summary="s" * 300_000),)), description="d" * 5000)
    assert len(found["payload"]["summary"]) == 1024
    assert list(found["payload"]["custom_details"]) == ["error"]


def test_a_storm_of_alerts_is_told_of() -> None:
    storm = tuple(alert({"alertname": "A", "agent": str(each)}, summary="s" * 500) for each in range(3000))
    told = event(notification(storm))["payload"]["custom_details"]
    assert told["num_firing"] == "3000"
    assert told["firing"].count("agent = ") == 50


def test_texts_that_are_no_unicode() -> None:
    assert event(description='a{{ "\\xff" }}b')["payload"]["summary"] == "a?b"


def test_service_keys_mean_the_first_version() -> None:
    found = event(service_key=KEY, description="d")
    assert found["service_key"] == KEY
    assert (found["event_type"], found["incident_key"], found["description"]) == ("trigger", DEDUP_KEY, "d")
    assert found["details"]["num_firing"] == "2"


def test_refused() -> None:
    body = b'{"status":"invalid event","errors":["key ' + KEY.encode() + b' is unknown"]}'
    with receiver(lambda _: Reply(400, body)) as there, pytest.raises(NotifyFailedError) as failed:
        send("pagerduty", {"url": there.url, "routing_key": KEY})
    assert (failed.value.retryable, failed.value.kind) == (False, FailureKind.CLIENT)
    assert "invalid event" in str(failed.value)
    assert KEY not in str(failed.value)


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({}, "missing service or routing key"),
        ({"routing_key": KEY, "service_key": KEY}, "at most one of routing_key and service_key"),
        ({"routing_key": KEY, "images": [{"url": "x"}]}, r"field images\.0\.url not found"),
    ],
)
def test_wrong_settings(settings: dict[str, Any], told: str) -> None:
    with pytest.raises(BadSettingsError, match=told) as failed:
        send("pagerduty", settings)
    assert KEY not in str(failed.value)
