"""One configuration and the same alerts: the same notifications, group for group, as from Debian's Alertmanager."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx
import pytest

from swarmscope.alerting.delivery.config_file import parse_config
from swarmscope.alerting.delivery.house import Delivery, DeliverySettings, Integration
from swarmscope.alerting.delivery.silences import Silence
from swarmscope.app.clock import SystemClock
from swarmscope.integrations.notifiers import make_notifiers
from swarmscope.lang.matchers import parse_matchers
from swarmscope.model.alerts import Alert
from tests.alerting.kept_state import KeptState

pytestmark = [pytest.mark.peer, pytest.mark.slow]
S = 1_000_000_000
LONG_S = 300
CONFIG = """
global: {{resolve_timeout: 5m}}
route:
  receiver: all
  group_by: [alertname, cluster]
  group_wait: 1s
  group_interval: 3s
  repeat_interval: 1h
  routes:
  - receiver: db
    matchers: ['team = db']
    group_by: [cluster]
    continue: true
  - receiver: pager
    match_re: {{severity: "critical|page"}}
    group_by: ['...']
    routes:
    - receiver: night
      matchers: ['alertname =~ "Night.*"']
      mute_time_intervals: [always]
inhibit_rules:
- source_matchers: ['severity = critical']
  target_matchers: ['severity = warning']
  equal: [cluster]
time_intervals:
- name: always
  time_intervals: [{{years: ['2000:2100']}}]
receivers:
- name: all
  webhook_configs: [{{url: '{url}/all'}}]
- name: db
  webhook_configs: [{{url: '{url}/db', send_resolved: false}}]
- name: pager
  webhook_configs: [{{url: '{url}/pager'}}]
- name: night
  webhook_configs: [{{url: '{url}/night'}}]
"""
# When (seconds after the beginning), labels, and whether it is over.
STORY: list[tuple[float, dict[str, str], bool]] = [
    (0.0, {"alertname": "Slow", "cluster": "a", "instance": "2", "job": "web"}, False),
    (0.0, {"alertname": "Slow", "cluster": "a", "instance": "1", "job": "web"}, False),
    (0.2, {"alertname": "Slow", "cluster": "b", "instance": "1"}, False),
    (0.2, {"alertname": "Full", "cluster": "a", "team": "db", "severity": "warning"}, False),
    (0.3, {"alertname": "Full", "cluster": "c", "team": "db", "severity": "warning"}, False),
    (0.3, {"alertname": "Down", "cluster": "a", "severity": "critical"}, False),
    (0.3, {"alertname": "NightJob", "cluster": "z", "severity": "critical"}, False),
    (0.4, {"alertname": "Quiet", "cluster": "a"}, False),
    # Over before anybody is told.
    (0.4, {"alertname": "Short", "cluster": "a"}, False),
    (0.7, {"alertname": "Short", "cluster": "a"}, True),
    (2.0, {"alertname": "Slow", "cluster": "a", "instance": "3", "job": "web"}, False),
    (2.0, {"alertname": "Slow", "cluster": "b", "instance": "1"}, True),
    (2.5, {"alertname": "Down", "cluster": "a", "severity": "critical"}, True),
    (5.5, {"alertname": "Slow", "cluster": "a", "instance": "1", "job": "web"}, True),
    (5.5, {"alertname": "Full", "cluster": "c", "team": "db", "severity": "warning"}, True),
]  # fmt: skip
ENDS_S = 12.0


class Receiver:
    """A server that both tell."""

    def __init__(self) -> None:
        self.told: dict[str, list[dict[str, Any]]] = defaultdict(list)
        told = self.told

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                told[self.path.split("/")[1]].append(json.loads(body))
                self.send_response(200)
                self.end_headers()

            def log_message(self, *arguments: object) -> None:
                """Quiet."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Receiver]:
    program = shutil.which("prometheus-alertmanager")
    if program is None:
        pytest.skip("Alertmanager is not installed")
    receiver, folder = Receiver(), tmp_path_factory.mktemp("alertmanager")
    (folder / "am.yml").write_text(CONFIG.format(url=receiver.url + "/theirs"))
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    theirs = subprocess.Popen(
        [program, f"--config.file={folder}/am.yml", f"--web.listen-address=127.0.0.1:{port}",
         "--cluster.listen-address=", f"--storage.path={folder}/data"],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        api = httpx.Client(base_url=f"http://127.0.0.1:{port}/api/v2", timeout=30)
        wait_for(api)
        play(api, receiver)
        yield receiver
    finally:
        theirs.kill()
        theirs.wait()
        receiver.server.shutdown()


def wait_for(api: httpx.Client) -> None:
    for _ in range(600):
        try:
            if api.get("/status").status_code == 200:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.05)
    raise AssertionError("Alertmanager does not answer")


def stamp(at_ns: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(at_ns // S)) + f".{at_ns % S // 1000000:03d}Z"


def play(api: httpx.Client, receiver: Receiver) -> None:
    config = parse_config(CONFIG.format(url=receiver.url + "/ours"), "am.yml")
    integrations = [
        Integration(each.receiver, each.index, notifier)
        for each, notifier in zip(config.integrations, make_notifiers(config.integrations), strict=True)
    ]
    ours = Delivery(config, integrations, KeptState(), SystemClock(), DeliverySettings("http://ours"))
    ours.start()
    now_ns = time.time_ns()
    api.post("/silences", json={
        "matchers": [{"name": "alertname", "value": "Quiet", "isRegex": False}], "startsAt": stamp(now_ns),
        "endsAt": stamp(now_ns + 3600 * S), "createdBy": "me", "comment": "c",
    }).raise_for_status()  # fmt: skip
    ours.change_silence(Silence(parse_matchers('alertname="Quiet"'), now_ns, now_ns + 3600 * S))
    began_s, starts_ns = time.monotonic(), {}
    for at_s, labels, is_over in STORY:
        time.sleep(max(0.0, began_s + at_s - time.monotonic()))
        now_ns = time.time_ns() // 1_000_000 * 1_000_000
        begin_ns = starts_ns.setdefault(str(labels), now_ns)
        end_ns = now_ns if is_over else now_ns + LONG_S * S
        api.post("/alerts", json=[{"labels": labels, "startsAt": stamp(begin_ns), "endsAt": stamp(end_ns)}])
        ours.take_alerts([Alert(labels, {}, begin_ns, end_ns, now_ns)])
    time.sleep(max(0.0, began_s + ENDS_S - time.monotonic()))
    ours.stop()


def by_group(bodies: list[dict[str, Any]]) -> dict[tuple[str, str], list[Any]]:
    """What each receiver was told of each group, in order."""
    groups: dict[tuple[str, str], list[Any]] = defaultdict(list)
    for body in bodies:
        alerts = [(each["status"], each["labels"], each["fingerprint"]) for each in body["alerts"]]
        what = (body["status"], alerts, body["groupLabels"], body["commonLabels"])
        groups[body["receiver"], body["groupKey"]].append(what)
    return groups


def test_every_group_is_told_of_as_there(told: Receiver):
    theirs, ours = by_group(told.told["theirs"]), by_group(told.told["ours"])
    assert ours.keys() == theirs.keys()
    for group, notifications in theirs.items():
        assert ours[group] == notifications, group


def test_the_story_was_told(told: Receiver):
    """What the documentation makes of it: neither tells of what is silenced, inhibited, muted or was over early."""
    ours = by_group(told.told["ours"])
    names = {alert[1]["alertname"] for told_of in ours.values() for each in told_of for alert in each[1]}
    assert names == {"Slow", "Full", "Down"}
    slow = ours["all", '{}:{alertname="Slow", cluster="a"}']
    assert [len(each[1]) for each in slow] == [2, 3, 3]
    assert [status for status, *_ in slow[2][1]] == ["resolved", "firing", "firing"]
    # Without resolved ones the end is not told.
    assert [each[0] for each in ours["db", '{}/{team="db"}:{cluster="c"}']] == ["firing"]


def test_bodies_have_the_same_fields(told: Receiver):
    """The release that the reference describes says why, too."""
    theirs, ours = told.told["theirs"][0], told.told["ours"][0]
    assert ours.keys() - theirs.keys() <= {"notification_reason"}
    assert theirs.keys() <= ours.keys()
    assert theirs["alerts"][0].keys() == ours["alerts"][0].keys()
