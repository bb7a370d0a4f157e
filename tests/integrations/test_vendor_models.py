"""Our payloads in the classes of the vendors' own SDKs, and against what those send themselves."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from swarmscope.model.alerts import Notification
from tests.clients.installed import NotInstallableError, alert_python_clients
from tests.integrations.local_receivers import Received, Reply, receiver
from tests.integrations.sample_notifications import notification, send, two_alerts

SCRIPT = Path(__file__).parents[1] / "clients" / "load_alert_payloads.py"
OVER = notification(two_alerts(resolved=True))


def loaded(asked: Sequence[tuple[str, Any]]) -> list[Any]:
    """What each payload is once an SDK has loaded it."""
    try:
        python = alert_python_clients() / "bin" / "python"
    except NotInstallableError as error:
        pytest.skip(str(error))
    lines = "".join(json.dumps({"kind": kind, "payload": payload}) + "\n" for kind, payload in asked)
    done = subprocess.run(
        [python, "-W", "ignore", SCRIPT], input=lines, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return [json.loads(line) for line in done.stdout.splitlines()]


def sent(kind: str, settings: dict[str, Any], what: Notification | None = None) -> list[Received]:
    with receiver(lambda _: Reply(202, b"ok")) as there:
        address = {"pagerduty": "url", "opsgenie": "api_url", "slack": "api_url"}[kind]
        send(kind, {address: there.url, **settings}, what)
    return there.requests


@pytest.mark.peer
def test_payloads_are_what_vendors_know() -> None:
    opsgenie = {
        "api_key": "k", "update_alerts": True, "tags": "a,b", "actions": "x", "entity": "e", "note": "n",
        "responders": [{"name": "one", "type": "team"}, {"id": "4513b7ea-3b91-438f-b7e4-e3e54af9147c", "type": "user"}],
    }  # fmt: skip
    created, message, description = (got.json() for got in sent("opsgenie", opsgenie))
    (closed,) = (got.json() for got in sent("opsgenie", opsgenie, OVER))
    blocks = [
        {"type": "header", "text": {"type": "plain_text", "text": "{{ .Status }}"}},
        {"type": "section", "text": {"type": "mrkdwn", "text": "*{{ .CommonLabels.alertname }}*"}},
        {"type": "divider"},
    ]
    (attached,) = (got.json() for got in sent("slack", {"message_text": "{{ .Status }}"}))
    (blocked,) = (got.json() for got in sent("slack", {"blocks": blocks}))
    pagerduty = {"routing_key": "0" * 32, "links": [{"href": "http://l", "text": "t"}], "class": "c",
                 "images": [{"src": "https://i/i.png"}]}  # fmt: skip
    (trigger,) = (got.json() for got in sent("pagerduty", pagerduty))
    (resolve,) = (got.json() for got in sent("pagerduty", pagerduty, OVER))
    asked = [
        ("opsgenie.create", created), ("opsgenie.message", message), ("opsgenie.description", description),
        ("opsgenie.close", closed), ("slack", attached), ("slack", blocked),
        ("pdpyras", trigger), ("pagerduty", trigger), ("pdpyras", resolve), ("pagerduty", resolve),
    ]  # fmt: skip
    made = loaded(asked)

    # Opsgenie's models keep all that we say, so there is no field that they do not know.
    for (kind, payload), found in zip(asked[:4], made[:4], strict=True):
        assert len(found.pop("responders", [])) == len(payload.pop("responders", [])), kind
        assert found == payload, kind

    (attachment,) = made[4]["attachments"]
    assert {name: attached["attachments"][0].get(name, []) for name in attachment} == attachment
    assert {"title", "title_link", "color", "fallback"} <= attachment.keys()
    assert made[4]["text"] == "firing"
    assert made[5]["blocks"] == blocked["blocks"]

    for own, theirs in zip((trigger, trigger, resolve, resolve), made[6:], strict=True):
        inner = theirs.pop("payload", {})
        theirs.pop("client", None)  # the SDK's name where it says one
        assert {name: own[name] for name in theirs} == theirs
        assert {name: own["payload"][name] for name in inner} == inner
        assert own.keys() - theirs.keys() <= {"client", "client_url", "payload", "links", "images"}
