"""Slack: messages, threads, charts and refusals, against a server that keeps Slack's rules for them."""

from __future__ import annotations

import asyncio
import io
import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qs

import numpy as np
import pytest
from PIL import Image

from swarmscope.integrations.integration_settings import BadSettingsError
from swarmscope.integrations.slack.query_chart import ChartLine, ChartRequest, draw_chart, expression_of
from swarmscope.model.alerts import FailureKind, NotificationReason, NotifyFailedError
from swarmscope.model.errors import QueryFailedError
from tests.integrations.local_receivers import Received, Receiver, Reply, receiver
from tests.integrations.sample_notifications import NOW_NS, notification, notifier, send, two_alerts

TOKEN = "xoxb-1234-secret"


class Workspace:
    """Answers as the Web API does, and remembers messages by their time stamp."""

    def __init__(self) -> None:
        self.messages: dict[str, dict[str, Any]] = {}
        self.files: dict[str, bytes] = {}
        self.shared: list[dict[str, Any]] = []
        self.server: Receiver | None = None

    def __call__(self, got: Received) -> Reply:
        method = got.path.rpartition("/")[2]
        if got.path.startswith("/upload/"):
            assert "authorization" not in got.headers
            self.files[method] = got.body
            return Reply(200, b"OK - 1")
        if got.headers.get("authorization") != f"Bearer {TOKEN}":
            return _json({"ok": False, "error": "invalid_auth"})
        return _json({"ok": True, **getattr(self, "on_" + method.replace(".", "_"))(got)})

    def on_chat_postMessage(self, got: Received) -> dict[str, Any]:  # noqa: N802
        ts = f"1700000000.{len(self.messages):06d}"
        self.messages[ts] = got.json()
        return {"channel": "C042", "ts": ts}

    def on_chat_update(self, got: Received) -> dict[str, Any]:
        told = got.json()
        assert told["channel"] == "C042"
        if told["ts"] not in self.messages:
            return {"ok": False, "error": "message_not_found"}
        self.messages[told["ts"]] |= told
        return {"ts": told["ts"]}

    def on_files_getUploadURLExternal(self, got: Received) -> dict[str, Any]:  # noqa: N802
        assert got.headers["content-type"] == "application/x-www-form-urlencoded"
        form = parse_qs(got.body.decode())
        assert int(form["length"][0]) > 0
        assert self.server is not None
        return {"upload_url": f"{self.server.url}/upload/F1", "file_id": "F1"}

    def on_files_completeUploadExternal(self, got: Received) -> dict[str, Any]:  # noqa: N802
        self.shared.append(got.json())
        return {"files": [{"id": "F1"}]}


def _json(value: Mapping[str, Any]) -> Reply:
    return Reply(200, json.dumps(value).encode(), (("Content-Type", "application/json"),))


def _bot(there: Receiver, **more: Any) -> dict[str, Any]:
    return {"app_token": TOKEN, "app_url": there.url + "/api/chat.postMessage", "channel": "#ops", **more}


def test_incoming_webhook() -> None:
    settings = {
        "channel": "#ops",
        "fields": [{"title": "Agents", "value": "{{ len .Alerts }}", "short": True}, {"title": "b", "value": "c"}],
        "actions": [
            {"type": "button", "text": "Runbook", "url": "http://r"},
            {"type": "button", "text": "Go", "name": "n", "value": "v", "confirm": {"text": "sure?"}},
        ],
        "pretext": "{{ .Status }}",
        "link_names": True,
        "icon_emoji": ":robot:",
    }
    with receiver() as there:
        assert send("slack", {"api_url": there.url + "/services/T0/B0/x", **settings}) == {}
        (got,) = there.requests
    assert "authorization" not in got.headers
    link = "http://swarm.example/#/alerts?receiver=team-x"
    assert got.json() == {
        "channel": "#ops",
        "username": "Swarmscope",
        "icon_emoji": ":robot:",
        "link_names": True,
        "attachments": [
            {
                "title": "[FIRING:2] AgentDown (critical)",
                "title_link": link,
                "fallback": f"[FIRING:2] AgentDown (critical) {link}",
                "pretext": "firing",
                "text": "",
                "color": "danger",
                "mrkdwn_in": ["fallback", "pretext", "text"],
                "fields": [
                    {"title": "Agents", "value": "2", "short": True},
                    {"title": "b", "value": "c", "short": False},
                ],
                "actions": [
                    {"type": "button", "text": "Runbook", "url": "http://r"},
                    {"type": "button", "text": "Go", "name": "n", "value": "v", "confirm": {"text": "sure?"}},
                ],
            }
        ],
    }


def test_resolved_is_green() -> None:
    with receiver() as there:
        send("slack", {"api_url": there.url}, notification(two_alerts(resolved=True)))
        attachment = there.requests[0].json()["attachments"][0]
    assert attachment["color"] == "good"
    assert attachment["title"].startswith("[RESOLVED] ")


def test_blocks() -> None:
    blocks = [{"type": "section", "text": {"type": "mrkdwn", "text": "*{{ .Status }}*"}}, {"type": "divider"}]
    with receiver() as there:
        send("slack", {"api_url": there.url, "blocks": blocks})
        message = there.requests[0].json()
    assert message["blocks"][0]["text"]["text"] == "*firing*"
    assert message["text"].startswith("[FIRING:2] AgentDown")
    assert "attachments" not in message


def test_threads() -> None:
    space = Workspace()
    with receiver(space) as there:
        made = notifier("slack", _bot(there))

        async def story() -> list[Mapping[str, str]]:
            first = await made.notify(notification(), {})
            second = await made.notify(notification(reason=NotificationReason.NEW_ALERTS), first)
            over = notification(two_alerts(resolved=True), reason=NotificationReason.RESOLVED)
            third = await made.notify(over, second)
            return [first, second, third, await made.notify(notification(), third)]

        notes = asyncio.run(story())
    root, reply, end, again = space.messages.items()
    assert notes[0] == {"ts": root[0], "channel": "C042", "status": "firing"}
    assert (reply[1]["thread_ts"], end[1]["thread_ts"]) == (root[0], root[0])
    # The first message shows how it ended.
    assert root[1]["attachments"][0]["color"] == "good"
    assert root[1]["attachments"][0]["title"].startswith("[RESOLVED]")
    assert notes[2]["status"] == "resolved"
    # What fires after the end is a new story.
    assert "thread_ts" not in again[1]
    assert notes[3]["ts"] == again[0]


def test_a_first_message_that_is_gone() -> None:
    space = Workspace()
    with receiver(space) as there:
        note = {"ts": "1.1", "channel": "C042", "status": "firing"}
        found = send("slack", _bot(there), note=note)
    assert found["ts"] in space.messages
    assert "thread_ts" not in space.messages[found["ts"]]


def test_token_in_http_config() -> None:
    space = Workspace()
    with receiver(space) as there:
        settings = {"api_url": there.url + "/api/chat.postMessage", "channel": "ops",
                    "http_config": {"authorization": {"credentials": TOKEN}}}  # fmt: skip
        assert send("slack", settings)["channel"] == "C042"


def _values(request: ChartRequest) -> list[ChartLine]:
    assert request.expression == "up == 0"
    assert request.end_ns - request.start_ns == 3_600_000_000_000
    times = np.linspace(request.start_ns, request.end_ns, 61).astype(np.int64)
    return [ChartLine("planner", times, np.sin(np.arange(61) / 5)), ChartLine("coder", times, np.full(61, np.nan))]


def test_chart() -> None:
    space = Workspace()
    with receiver(space) as there:
        space.server = there
        note = send("slack", _bot(there), chart_values=_values)
    image = Image.open(io.BytesIO(space.files["F1"]))
    assert (image.format, image.size) == ("PNG", (720, 280))
    assert space.shared == [
        {"files": [{"id": "F1", "title": "AgentDown"}], "channel_id": "C042", "thread_ts": note["ts"]}
    ]


def _no_values(request: ChartRequest) -> list[ChartLine]:
    raise QueryFailedError("no such thing")


def test_a_chart_that_fails_fails_nothing() -> None:
    space = Workspace()
    with receiver(space) as there:
        assert send("slack", _bot(there), chart_values=_no_values)["ts"] in space.messages
        assert send("slack", _bot(there), chart_values=lambda _: [])["ts"] in space.messages
    assert space.files == {}


@pytest.mark.parametrize(
    "values",
    [
        [1.0],
        [5.0, 5.0, 5.0],
        [0.0, 1e300, -1e300],
        [np.nan, 1.0, np.nan, np.inf, 2.0],
        [1e-9, 2e-9],
        [1.7e308, -1.7e308],
    ],
)
def test_any_values_can_be_drawn(values: list[float]) -> None:
    times = NOW_NS + np.arange(len(values)) * 60_000_000_000
    request = ChartRequest("", "x", NOW_NS, NOW_NS + 600_000_000_000)
    with np.errstate(over="ignore"):
        drawn = draw_chart(request, [ChartLine("a", times, np.array(values))], "t" * 300)
    assert drawn is not None
    image = Image.open(io.BytesIO(drawn)).convert("RGB")
    assert (0x1F, 0x6F, 0xEB) in {color for _, color in image.getcolors(1 << 20)}  # type: ignore[union-attr]


def test_nothing_to_draw() -> None:
    request = ChartRequest("", "x", 0, 10)
    assert draw_chart(request, [ChartLine("a", np.array([5]), np.array([np.nan]))], "") is None
    assert draw_chart(request, [], "") is None


def test_expressions_in_links() -> None:
    assert expression_of("http://p/graph?g0.expr=rate%28x%5B1m%5D%29+%3E+1&g0.tab=1") == "rate(x[1m]) > 1"
    assert expression_of("http://p/graph") == ""
    assert expression_of("http://[bad") == ""


@pytest.mark.parametrize(
    ("body", "retryable", "kind"),
    [
        (b'{"ok": false, "error": "invalid_auth"}', False, FailureKind.AUTH),
        (b'{"ok": false, "error": "channel_not_found"}', False, FailureKind.CLIENT),
        (b'{"ok": false, "error": "ratelimited"}', True, FailureKind.RATE_LIMITED),
        (b'{"ok": false, "error": "internal_error"}', True, FailureKind.SERVER),
        (b"<html>a proxy</html>", True, FailureKind.SERVER),
    ],
)
def test_refusals(body: bytes, retryable: bool, kind: FailureKind) -> None:
    with receiver(lambda _: Reply(200, body)) as there, pytest.raises(NotifyFailedError) as failed:
        send("slack", _bot(there))
    assert (failed.value.retryable, failed.value.kind) == (retryable, kind)
    assert TOKEN not in str(failed.value)


def test_a_webhook_that_answers_something_else() -> None:
    answering = receiver(lambda _: Reply(200, b"no_service"))
    with answering as there, pytest.raises(NotifyFailedError, match="no_service") as failed:
        send("slack", {"api_url": there.url})
    assert not failed.value.retryable


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({}, "no Slack API URL"),
        ({"api_url": "http://x", "api_url_file": "y"}, "at most one of api_url & api_url_file"),
        ({"app_token": TOKEN}, "a bot token needs a channel"),
        ({"api_url": "http://x", "actions": [{"type": "button", "text": "t"}]}, r"actions\.0: missing name or url"),
        ({"api_url": "http://x", "blocks": [{"text": "{{ end }}"}]}, "blocks: not a template"),
        ({"api_url": "http://x", "colour": TOKEN}, "field colour not found"),
    ],
)
def test_wrong_settings(settings: dict[str, Any], told: str) -> None:
    with pytest.raises(BadSettingsError, match=told) as failed:
        send("slack", settings)
    assert str(failed.value).startswith("alertmanager.yml:12: receiver 'team-x': slack_configs[0]: ")
    assert TOKEN not in str(failed.value)
