"""The same alerts through Debian's Alertmanager and through ours: the same requests to the same receivers."""

from __future__ import annotations

import datetime
import shutil
import subprocess
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from swarmscope.model.alerts import Alert, Notification, NotificationReason
from tests.integration.processes import free_port
from tests.integrations.local_receivers import Received, Reply, receiver
from tests.integrations.sample_notifications import send

pytestmark = [
    pytest.mark.peer,
    pytest.mark.skipif(shutil.which("prometheus-alertmanager") is None, reason="Alertmanager is not installed"),
]
_S = 1_000_000_000
EXTERNAL = "http://alerts.example"
# Texts are given, for the default ones are in our own words.
TEXT = (
    '{{ .Status }} {{ .Receiver }} {{ .ExternalURL }} {{ .GroupLabels.SortedPairs.Values | join "+" }} '
    "{{ range .Alerts.Firing }}{{ .Labels.agent }}<{{ .Annotations.summary | toUpper }}>{{ end }} "
    '{{ with .CommonLabels.Remove .GroupLabels.Names }}{{ .SortedPairs.Values | join "," }}{{ end }} '
    '{{ len .Alerts.Resolved }} {{ reReplaceAll "(Ag)e" "$1-" .CommonLabels.alertname }} {{ .CommonLabels.none }}|'
    '{{ range .Alerts }}{{ .StartsAt.Format "2006-01-02T15:04:05.000" }} {{ .Fingerprint }} {{ .GeneratorURL }};'
    "{{ end }}"
)


def _settings(url: str) -> dict[str, dict[str, Any]]:
    return {
        "webhook": {"url": f"{url}/webhook", "max_alerts": 1},
        "pagerduty": {
            "url": f"{url}/v2/enqueue", "routing_key": "r" * 32, "description": TEXT, "client": "c", "client_url": "u",
            "severity": "warning", "class": "k", "component": "{{ .Status }}", "group": "g",
            "details": {"firing": TEXT, "resolved": "none", "own": "{{ .Status }}"},
            "links": [{"href": "http://l/{{ .Status }}", "text": "t"}],
        },
        "opsgenie": {
            "api_url": f"{url}/", "api_key": "o" * 32, "message": "{{ .Status }}", "description": TEXT, "source": "s",
            "tags": "a,b", "note": "n", "priority": "P2", "details": {"k": "{{ .Status }}"}, "entity": "e",
            "actions": "x,y", "responders": [{"name": "one", "type": "team"}], "update_alerts": True,
        },
        "slack": {
            "api_url": f"{url}/slack", "channel": "#ops", "username": "u", "title": "{{ .Status }}", "title_link": "l",
            "text": TEXT, "fallback": "f", "pretext": "p", "footer": "o", "callback_id": "c",
            "icon_emoji": ":e:", "link_names": True, "image_url": "http://i", "thumb_url": "http://t",
            "fields": [{"title": "a", "value": "{{ .Status }}", "short": True}, {"title": "b", "value": "c"}],
            "actions": [{"type": "button", "text": "t", "url": "http://b", "style": "primary",
                         "confirm": {"text": "sure?", "ok_text": "yes"}}],
        },
    }  # fmt: skip


class Alertmanager:
    """Debian's, with one receiver that has all integrations."""

    def __init__(self, folder: Path, url: str) -> None:
        self.port = free_port()
        receiver_config: dict[str, Any] = {"name": "team-x"}
        for kind, settings in _settings(url).items():
            receiver_config[f"{kind}_configs"] = [{**settings, "send_resolved": True}]
        route = {"receiver": "team-x", "group_by": ["alertname"], "group_wait": "2s", "group_interval": "300ms"}
        (folder / "am.yml").write_text(yaml.safe_dump({"route": route, "receivers": [receiver_config]}))
        self.log = (folder / "log").open("wb")
        command = [
            "prometheus-alertmanager", f"--config.file={folder}/am.yml", f"--storage.path={folder}/data",
            f"--web.listen-address=127.0.0.1:{self.port}", "--cluster.listen-address=",
            f"--web.external-url={EXTERNAL}", "--web.route-prefix=/",
        ]  # fmt: skip
        self.process = subprocess.Popen(command, stdout=self.log, stderr=self.log)
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            try:
                if httpx.get(f"http://127.0.0.1:{self.port}/-/ready", timeout=1).status_code == 200:
                    return
            except httpx.TransportError:
                time.sleep(0.05)
        raise AssertionError((folder / "log").read_text())

    def post(self, alerts: list[dict[str, Any]]) -> None:
        httpx.post(f"http://127.0.0.1:{self.port}/api/v2/alerts", json=alerts).raise_for_status()

    def stop(self) -> None:
        self.process.kill()
        self.process.wait()
        self.log.close()


@pytest.fixture(scope="module")
def theirs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mapping[str, list[Received]]]:
    """What Alertmanager sends, while the alerts go on and when they are over."""
    with receiver(lambda got: Reply(202 if "enqueue" in got.path else 200, b"ok")) as there:
        running = Alertmanager(tmp_path_factory.mktemp("alertmanager"), there.url)
        try:
            running.post(_posted())
            firing = list(there.wait_for(6))
            there.requests.clear()
            running.post(_posted(ended=True))
            yield {"firing": firing, "resolved": list(there.wait_for(4))}
        finally:
            running.stop()


# Just now: a group of older alerts does not wait for all of them.
_BEGAN_NS = time.time_ns()
_STARTS_NS = (_BEGAN_NS, _BEGAN_NS + 1)
_ENDED_NS = _BEGAN_NS + 1000


def _time(time_ns: int) -> str:
    seconds, rest = divmod(time_ns, _S)
    return f"{datetime.datetime.fromtimestamp(seconds, datetime.UTC):%Y-%m-%dT%H:%M:%S}.{rest:09d}Z"


def _posted(*, ended: bool = False) -> list[dict[str, Any]]:
    alerts = [
        {
            "labels": {"alertname": "AgentDown", "agent": agent, "severity": "critical"},
            "annotations": {"summary": summary},
            "startsAt": _time(starts),
            "generatorURL": "http://p/graph?g0.expr=up%3D%3D0&g0.tab=1",
        }
        for agent, summary, starts in (("coder", "é <b> & \"c\"", _STARTS_NS[0]), ("planner", "x", _STARTS_NS[1]))
    ]  # fmt: skip
    return [{**alert, "endsAt": _time(_ENDED_NS)} for alert in alerts] if ended else alerts


def _notification(*, resolved: bool) -> Notification:
    """The same as Alertmanager makes of `_posted`."""
    now_ns = _ENDED_NS
    alerts = tuple(
        Alert(each["labels"], each["annotations"], begun, _ENDED_NS if resolved else now_ns + _S, now_ns,
              generator_url=each["generatorURL"])
        for each, begun in zip(_posted(), _STARTS_NS, strict=True)
    )  # fmt: skip
    return Notification(
        "id",
        "team-x",
        '{}:{alertname="AgentDown"}',
        {"alertname": "AgentDown"},
        {},
        alerts,
        now_ns,
        NotificationReason.FIRST,
        EXTERNAL,
    )


def _ours(kind: str, *, resolved: bool) -> list[Received]:
    with receiver() as there:
        send(kind, _settings(there.url)[kind], _notification(resolved=resolved))
    return there.requests


_PATHS = {"webhook": "/webhook", "pagerduty": "/v2/enqueue", "opsgenie": "/v2/alerts", "slack": "/slack"}


def _comparable(kind: str, got: Received) -> tuple[Any, ...]:
    body = got.json()
    if kind == "webhook":
        body.pop("notification_reason", None)  # younger than Debian's
    if kind == "slack":
        body["attachments"][0].pop("mrkdwn_in")
    return got.method, got.path, got.headers.get("authorization"), got.headers["content-type"].partition(";")[0], body


@pytest.mark.parametrize("state", ["firing", "resolved"])
@pytest.mark.parametrize("kind", list(_PATHS))
def test_same_requests(kind: str, state: str, theirs: Mapping[str, list[Received]]) -> None:
    expected = [_comparable(kind, got) for got in theirs[state] if got.path.startswith(_PATHS[kind])]
    found = [_comparable(kind, got) for got in _ours(kind, resolved=state == "resolved")]
    assert len(expected) == (3 if (kind, state) == ("opsgenie", "firing") else 1)
    for one, other in zip(found, expected, strict=True):
        assert one[:-1] == other[:-1]
        assert one[-1].keys() == other[-1].keys()
        for name in one[-1]:
            assert one[-1][name] == other[-1][name], f"{name}: {one[-1][name]}\n{other[-1][name]}"


def test_forwarding_to_it(tmp_path: Path) -> None:
    """A real Alertmanager takes what we forward, and knows the alerts by the same fingerprints."""
    with receiver() as there:
        running = Alertmanager(tmp_path, there.url)
        try:
            url = f"http://127.0.0.1:{running.port}"
            now_ns = time.time_ns()
            alerts = tuple(
                Alert({"alertname": "A", "agent": agent}, {"summary": "s"}, now_ns - _S, now_ns + ends, now_ns)
                for agent, ends in (("a", _S), ("b", -1))
            )
            what = Notification("id", "r", "k", {}, {}, alerts, now_ns, NotificationReason.FIRST, EXTERNAL)
            send("alertmanager", {"url": url + "/"}, what)
            (known,) = httpx.get(f"{url}/api/v2/alerts").json()
        finally:
            running.stop()
    assert known["labels"] == {"alertname": "A", "agent": "a"}
    assert known["fingerprint"] == alerts[0].fingerprint
    ends = datetime.datetime.fromisoformat(known["endsAt"])
    # It lasts until we say that it is over, or a day.
    assert abs(ends.timestamp() - now_ns / _S - 86_400) < 1
