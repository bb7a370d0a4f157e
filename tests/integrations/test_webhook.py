"""Webhooks: the body by Alertmanager's documentation, the signature by a program that is not ours."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import shutil
import subprocess
import time
from pathlib import Path

import httpx
import pytest

from swarmscope.model.alerts import NotifyFailedError
from tests.integration.processes import free_port
from tests.integrations.local_receivers import receiver
from tests.integrations.sample_notifications import notification, notifier, send, two_alerts


def test_body() -> None:
    with receiver() as there:
        assert send("webhook", {"url": f"{there.url}/hook?a=b"}) == {}
        (got,) = there.requests
    assert (got.method, got.path) == ("POST", "/hook?a=b")
    assert got.headers["content-type"] == "application/json"
    assert got.headers["user-agent"].startswith("Swarmscope/")
    source = "http://prometheus.example/graph?g0.expr=up+%3D%3D+0&g0.tab=1"
    times = {"startsAt": "2026-09-21T14:12:20Z", "endsAt": "0001-01-01T00:00:00Z"}
    assert got.json() == {
        "version": "4",
        "groupKey": '{}:{alertname="AgentDown"}',
        "truncatedAlerts": 0,
        "status": "firing",
        "receiver": "team-x",
        "groupLabels": {"alertname": "AgentDown"},
        "commonLabels": {"alertname": "AgentDown", "severity": "critical"},
        "commonAnnotations": {},
        "externalURL": "http://swarm.example",
        "notification_reason": "first notification",
        "alerts": [
            {
                "status": "firing",
                "labels": {"alertname": "AgentDown", "agent": agent, "severity": "critical"},
                "annotations": {"summary": summary},
                **times,
                "generatorURL": source,
                "fingerprint": fingerprint,
            }
            # The fingerprints: those that Debian's Alertmanager gives these labels.
            for agent, summary, fingerprint in (
                ("planner", "a <b>", two_alerts()[0].fingerprint),
                ("coder", "c & d", two_alerts()[1].fingerprint),
            )
        ],
    }


def test_resolved() -> None:
    with receiver() as there:
        send("webhook", {"url": there.url}, notification(two_alerts(resolved=True)))
        body = there.requests[0].json()
    assert body["status"] == "resolved"
    assert {each["status"] for each in body["alerts"]} == {"resolved"}
    assert body["alerts"][0]["endsAt"] == "2026-09-21T14:13:19Z"


def test_too_many_alerts_are_left_out() -> None:
    with receiver() as there:
        send("webhook", {"url": there.url, "max_alerts": 1})
        body = there.requests[0].json()
    assert len(body["alerts"]) == 1
    assert body["truncatedAlerts"] == 1
    # What they have in common is that of those alone, as Alertmanager has it.
    assert body["commonLabels"] == {"alertname": "AgentDown", "agent": "planner", "severity": "critical"}


def test_own_body_and_headers() -> None:
    settings = {
        "body": '{"text": {{ .CommonLabels.alertname | toJson }}, "n": {{ .Alerts | len }}}',
        "headers": {"X-Status": "{{ .Status }}", "X-Two-Lines": "a\nb"},
        "content_type": "application/vnd.x+json",
    }
    with receiver() as there:
        send("webhook", {"url": there.url + "/{{ .Status }}", **settings})
        (got,) = there.requests
    assert got.path == "/firing"
    assert got.json() == {"text": "AgentDown", "n": 2}
    assert (got.headers["x-status"], got.headers["x-two-lines"]) == ("firing", "a b")
    assert got.headers["content-type"] == "application/vnd.x+json"


def test_signature_with_time() -> None:
    with receiver() as there:
        send("webhook", {"url": there.url, "hmac": {"secret": "k3y", "timestamp_header": "X-Time", "prefix": ""}})
        (got,) = there.requests
    stamp = got.headers["x-time"]
    assert stamp == "1790000000"
    expected = hmac.new(b"k3y", stamp.encode() + b"." + got.body, hashlib.sha256).hexdigest()
    assert got.headers["x-swarmscope-signature"] == expected


def test_incident_is_told() -> None:
    with receiver() as there:
        send("webhook", {"url": there.url}, notification(incident={"id": "i1", "summary": "the planner"}))
        assert there.requests[0].json()["incident"] == {"id": "i1", "summary": "the planner"}


def test_secrets_are_read_each_time(tmp_path: Path) -> None:
    (tmp_path / "url").write_text("http://127.0.0.1:9/none\n")
    with receiver() as there:
        made = notifier("webhook", {"url_file": "url", "hmac": {"secret_env": "KEY"}}, folder=str(tmp_path),
                        environment={"KEY": "k3y"})  # fmt: skip
        (tmp_path / "url").write_text(there.url + "/rotated\n")
        asyncio.run(made.notify(notification(), {}))
        (got,) = there.requests
    assert got.path == "/rotated"
    digest = hmac.new(b"k3y", got.body, hashlib.sha256).hexdigest()
    assert got.headers["x-swarmscope-signature"] == f"sha256={digest}"


def test_missing_secrets_are_named_and_not_told(tmp_path: Path) -> None:
    with pytest.raises(NotifyFailedError, match="url: gone cannot be read: FileNotFoundError"):
        send("webhook", {"url_file": "gone"}, folder=str(tmp_path))
    with pytest.raises(NotifyFailedError, match="no environment variable HOOK_URL"):
        send("webhook", {"url_env": "HOOK_URL"}, environment={})


@pytest.mark.peer
@pytest.mark.skipif(shutil.which("webhook") is None, reason="the webhook program is not installed")
def test_signature_is_verified_by_another_program(tmp_path: Path) -> None:
    port = free_port()
    out = tmp_path / "ran"
    rule = {"match": {"type": "payload-hmac-sha256", "secret": "shared-k3y",
                      "parameter": {"source": "header", "name": "X-Swarmscope-Signature"}}}  # fmt: skip
    hooks = [{"id": "alerts", "execute-command": "/usr/bin/touch", "trigger-rule": rule,
              "pass-arguments-to-command": [{"source": "string", "name": str(out)}],
              "trigger-rule-mismatch-http-response-code": 403}]  # fmt: skip
    (tmp_path / "hooks.json").write_text(json.dumps(hooks))
    command = ["webhook", "-hooks", str(tmp_path / "hooks.json"), "-ip", "127.0.0.1", "-port", str(port)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        _wait(port)
        url = f"http://127.0.0.1:{port}/hooks/alerts"
        with pytest.raises(NotifyFailedError, match="unexpected status code"):
            send("webhook", {"url": url, "hmac": {"secret": "another-k3y"}})
        time.sleep(0.1)
        assert not out.exists()
        send("webhook", {"url": url, "hmac": {"secret": "shared-k3y"}})
        deadline = time.monotonic() + 5
        while not out.exists() and time.monotonic() < deadline:
            time.sleep(0.02)
        assert out.exists()
    finally:
        process.kill()
        process.wait()


def _wait(port: int) -> None:
    for _ in range(200):
        try:
            httpx.get(f"http://127.0.0.1:{port}/", timeout=1)
            return
        except httpx.TransportError:
            time.sleep(0.05)
    raise AssertionError("webhook does not start")
