"""Real programs that send alerts and ask about them, and a page that arrives: one Swarmscope for all."""

from __future__ import annotations

import http.server
import json
import queue
import re
import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import httpx
import pytest

from tests.integration.processes import (
    PrometheusServer,
    Server,
    SwarmscopeServer,
    free_port,
    remote_write,
    write_request,
)

pytestmark = pytest.mark.skipif(
    not all(map(shutil.which, ("amtool", "prometheus", "vmalert"))), reason="needs amtool, Prometheus and vmalert"
)
T = TypeVar("T")
WAIT_S = 90
CONFIG = """
global: {{resolve_timeout: 5m}}
route:
  receiver: team
  group_by: [alertname]
  group_wait: 100ms
  group_interval: 1s
  routes:
  - matchers: [severity="critical"]
    receiver: page
    continue: true
  - matchers: [alertname=~"amtool.*"]
    receiver: nobody
receivers:
- name: team
  webhook_configs: [{{url: "{hook}", http_config: {{authorization: {{credentials: hunter2}}}}}}]
- name: page
  webhook_configs: [{{url: "{hook}page"}}]
- name: nobody
"""
RULES = """
groups:
- name: own
  interval: 1s
  rules:
  - alert: QueueLong
    expr: queue_length > 5
    labels: {severity: critical}
    annotations: {summary: "{{ $labels.agent }} has {{ $value }} waiting"}
  - alert: NeverTrue
    expr: queue_length > 1e9
  - record: queue_length:doubled
    expr: queue_length * 2
"""


class Hook:
    """A webhook that keeps what it is told."""

    def __init__(self) -> None:
        self.told: queue.Queue[tuple[str, dict[str, Any]]] = queue.Queue()
        hook = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                hook.told.put((self.path, json.loads(body)))
                self.send_response(200)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/"
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    def wait_for(self, name: str, status: str = "firing") -> tuple[str, dict[str, Any]]:
        """The next notification of alerts of this name."""
        deadline = time.monotonic() + WAIT_S
        while True:
            path, body = self.told.get(timeout=max(deadline - time.monotonic(), 0.01))
            if body["groupLabels"].get("alertname") == name and body["status"] == status:
                return path, body


class Alerting(SwarmscopeServer):
    """Swarmscope with a rule file and Alertmanager's configuration."""

    def command(self) -> list[str]:
        return [*super().command(), "--rules", str(self.folder / "rules"),
                "--alertmanager-config", str(self.folder / "am.yml")]  # fmt: skip


class SendingPrometheus(PrometheusServer):
    """Sends again soon: it may evaluate before it knows of us."""

    def command(self) -> list[str]:
        return [*super().command(), "--rules.alert.resend-delay=1s"]


@pytest.fixture(scope="module")
def hook() -> Iterator[Hook]:
    hook = Hook()
    yield hook
    hook.server.shutdown()
    hook.server.server_close()


@pytest.fixture(scope="module")
def ours(tmp_path_factory: pytest.TempPathFactory, hook: Hook) -> Iterator[Alerting]:
    server = Alerting(tmp_path_factory.mktemp("alerting"))
    (server.folder / "rules").mkdir()
    (server.folder / "rules" / "own.yml").write_text(RULES)
    (server.folder / "am.yml").write_text(CONFIG.format(hook=hook.url))
    server.start()
    yield server
    server.stop_cleanly()


def _until(look: Callable[[], T], what: str) -> T:
    """What `look` finds as soon as it finds anything."""
    deadline = time.monotonic() + WAIT_S
    while not (found := look()):
        assert time.monotonic() < deadline, what
        time.sleep(0.1)
    return found


def _amtool(server: Server, *arguments: str, url: str | None = None) -> str:
    address = url or f"{server.address}/alertmanager"
    done = subprocess.run(
        ["amtool", f"--alertmanager.url={address}", *arguments], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def _alerts(server: Server, query: str = "") -> list[dict[str, Any]]:
    answer = httpx.get(f"{server.address}/alertmanager/api/v2/alerts?{query}", timeout=60)
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_from_a_sample_to_a_page_and_to_its_end(ours: Alerting, hook: Hook) -> None:
    def sample(value: float) -> None:
        now_ms = time.time_ns() // 1_000_000
        remote_write(ours, write_request([({"__name__": "queue_length", "agent": "writer"}, [(now_ms, value)])]))

    sample(8)
    path, body = hook.wait_for("QueueLong")
    assert path == "/page"
    assert body["commonAnnotations"] == {"summary": "writer has 8 waiting"}
    assert body["alerts"][0]["labels"] == {"alertname": "QueueLong", "agent": "writer", "severity": "critical"}
    shown = httpx.get(f"{ours.address}/api/alerts?filter=alertname=QueueLong").json()["alerts"]
    assert [(one["state"], one["source"]["group"], one["receivers"]) for one in shown] == [("firing", "own", ["page"])]
    groups = httpx.get(f"{ours.prometheus_api}/api/v1/rules?file[]={ours.folder}/rules/own.yml").json()["data"][
        "groups"
    ]
    assert [(rule["name"], rule.get("state"), rule["health"]) for rule in groups[0]["rules"]] == [
        ("QueueLong", "firing", "ok"), ("NeverTrue", "inactive", "ok"), ("queue_length:doubled", None, "ok"),
    ]  # fmt: skip
    alerts = httpx.get(f"{ours.prometheus_api}/api/v1/alerts").json()["data"]["alerts"]
    assert [one["value"] for one in alerts if one["labels"]["alertname"] == "QueueLong"] == ["8e+00"]
    sample(1)
    assert hook.wait_for("QueueLong", "resolved")[0] == "/page"

    def states() -> list[str]:
        found = httpx.get(f"{ours.address}/api/alerts/history?event=alert.state&filter=alertname=QueueLong").json()
        return [event["state"] for event in found["events"]] if len(found["events"]) > 1 else []

    assert _until(states, "the history says nothing")[:2] == ["resolved", "firing"]


def test_amtool_adds_and_finds_alerts(ours: Alerting) -> None:
    _amtool(ours, "alert", "add", "amtool1", "agent=a", "--annotation=summary=made", "--generator-url=http://x/y")
    _amtool(ours, "alert", "add", "alertname=amtool2", "agent=b", "--end=2040-01-01T00:00:00Z")
    assert re.findall(r"^amtool\d", _amtool(ours, "alert", "query", "alertname=~amtool.*"), re.MULTILINE) == [
        "amtool1", "amtool2",
    ]  # fmt: skip
    found = json.loads(_amtool(ours, "-o", "json", "alert", "query", "agent=a"))
    assert [(one["labels"], one["annotations"], one["receivers"], one["status"]["state"]) for one in found] == [
        ({"alertname": "amtool1", "agent": "a"}, {"summary": "made"}, [{"name": "nobody"}], "active"),
    ]  # fmt: skip
    assert json.loads(_amtool(ours, "-o", "json", "alert", "query", "--receiver=page")) == []
    _amtool(
        ours,
        "alert",
        "add",
        "alertname=amtool2",
        "agent=b",
        "--end=2020-01-01T00:00:00Z",
        "--start=2019-01-01T00:00:00Z",
    )
    _until(lambda: _alerts(ours, "filter=alertname=amtool2") == [], "an alert that is over is still there")


def test_amtool_silences(ours: Alerting, tmp_path: Path) -> None:
    _amtool(ours, "alert", "add", "amtool3", "agent=c", "tier=x")
    made = _amtool(
        ours, "silence", "add", "alertname=amtool3", "agent=~c|d", "tier!=y", "-c", "why", "-a", "me"
    ).strip()
    assert re.fullmatch(r"[0-9a-f-]{36}", made)
    assert _alerts(ours, "filter=alertname=amtool3")[0]["status"] == {
        "state": "suppressed", "silencedBy": [made], "inhibitedBy": [], "mutedBy": [],
    }  # fmt: skip
    assert _alerts(ours, "filter=alertname=amtool3&silenced=false") == []
    assert (
        json.loads(_amtool(ours, "-o", "json", "alert", "query", "--silenced", "amtool3"))[0]["labels"]["agent"] == "c"
    )
    assert made in _amtool(ours, "silence", "query", "agent=~c|d")
    updated = _amtool(ours, "silence", "update", "-d", "3h", "-c", "longer", made)
    kept = httpx.get(f"{ours.address}/alertmanager/api/v2/silence/{made}").json()
    assert (kept["comment"], kept["id"]) == ("longer", made), updated
    exported = json.loads(_amtool(ours, "-o", "json", "silence", "query", "agent=~c|d"))
    _amtool(ours, "silence", "expire", made)
    assert _amtool(ours, "silence", "query", "agent=~c|d", "-q") == ""
    assert made in _amtool(ours, "silence", "query", "--expired", "agent=~c|d", "-q")
    assert _alerts(ours, "filter=alertname=amtool3")[0]["status"]["state"] == "active"
    # An expired one is not brought back: importing makes another.
    (tmp_path / "silences.json").write_text(json.dumps([{**exported[0], "comment": "imported"}]))
    _amtool(ours, "silence", "import", str(tmp_path / "silences.json"))
    again = json.loads(_amtool(ours, "-o", "json", "silence", "query", "agent=~c|d"))
    assert [(one["comment"], one["id"] == made) for one in again] == [("imported", False)]


def test_amtool_shows_configuration_and_cluster(ours: Alerting, tmp_path: Path) -> None:
    shown = _amtool(ours, "config", "show")
    assert "hunter2" not in shown
    assert "<secret>" in shown
    (tmp_path / "am.yml").write_text(shown)
    checked = _amtool(ours, "check-config", str(tmp_path / "am.yml"))
    assert "SUCCESS" in checked
    assert "3 receivers" in checked
    assert _amtool(ours, "config", "routes", "test", "severity=critical").strip() == "page"
    assert "disabled" in _amtool(ours, "cluster", "show")


def test_prometheus_sends_alerts(ours: Alerting, hook: Hook, tmp_path: Path) -> None:
    rules = tmp_path / "sender.yml"
    rules.write_text(
        "groups:\n- name: g\n  interval: 1s\n  rules:\n  - alert: FromPrometheus\n    expr: vector(3)\n"
        "    annotations: {summary: 'it is {{ $value }}'}\n"
    )
    config = (
        f"global: {{evaluation_interval: 1s, external_labels: {{cluster: c1}}}}\nrule_files: [{rules}]\n"
        "alerting:\n  alertmanagers:\n  - path_prefix: /alertmanager\n    api_version: v2\n"
        f"    static_configs: [{{targets: ['127.0.0.1:{ours.port}']}}]\n"
    )
    prometheus = SendingPrometheus(tmp_path / "prometheus", config)
    prometheus.start()
    try:
        _, body = hook.wait_for("FromPrometheus")
    finally:
        prometheus.stop()
    assert body["alerts"][0]["labels"] == {"alertname": "FromPrometheus", "cluster": "c1"}
    assert body["alerts"][0]["annotations"] == {"summary": "it is 3"}
    found = _alerts(ours, "filter=alertname=FromPrometheus")
    assert found[0]["generatorURL"].startswith("http")
    assert found[0]["receivers"] == [{"name": "team"}]


def test_vmalert_asks_us_writes_to_us_and_sends_to_us(ours: Alerting, hook: Hook, tmp_path: Path) -> None:
    now_ms = time.time_ns() // 1_000_000
    remote_write(ours, write_request([({"__name__": "vm_input", "agent": "a"}, [(now_ms, 7)])]))
    rules = tmp_path / "vm.yml"
    rules.write_text(
        "groups:\n- name: vm\n  interval: 1s\n  rules:\n  - record: vm:sum\n    expr: sum(vm_input)\n"
        "  - alert: FromVmalert\n    expr: vm_input > 5\n    annotations: {summary: 'it is {{ $value }}'}\n"
    )
    port = free_port()
    command = [
        "vmalert", f"-rule={rules}", f"-datasource.url={ours.prometheus_api}",
        f"-remoteWrite.url={ours.prometheus_api}", f"-notifier.url={ours.address}/alertmanager",
        f"-httpListenAddr=127.0.0.1:{port}", "-loggerLevel=ERROR", "-evaluationInterval=1s",
        "-remoteWrite.flushInterval=200ms",
    ]  # fmt: skip
    vmalert = subprocess.Popen(command)
    try:
        _, body = hook.wait_for("FromVmalert")
        written = _until(lambda: _query(ours, "vm:sum"), "vmalert's record is not there")
        states = _until(lambda: _query(ours, 'ALERTS{alertname="FromVmalert"}'), "vmalert's ALERTS are not there")
    finally:
        vmalert.terminate()
        vmalert.wait(30)
    assert body["alerts"][0]["labels"]["agent"] == "a"
    assert body["alerts"][0]["annotations"] == {"summary": "it is 7"}
    assert written[0]["value"][1] == "7"
    assert states[0]["metric"]["alertstate"] == "firing"


def _query(server: Server, expression: str) -> list[dict[str, Any]]:
    answer = httpx.get(f"{server.prometheus_api}/api/v1/query", params={"query": expression}, timeout=60)
    return answer.json()["data"]["result"]


@pytest.mark.parametrize("path", ["/-/reload", "/prometheus/-/reload", "/alertmanager/-/reload"])
def test_reload(ours: Alerting, path: str) -> None:
    rules, config = ours.folder / "rules" / "own.yml", ours.folder / "am.yml"
    good_rules, good_config = rules.read_text(), config.read_text()
    reload = f"{ours.address}{path}"
    assert httpx.get(reload).status_code == 405
    try:
        rules.write_text(good_rules.replace("NeverTrue", "StillNever"))
        config.write_text(good_config + "- name: another\n")
        assert httpx.post(reload, timeout=60).status_code == 200
        assert {"name": "another"} in httpx.get(f"{ours.address}/alertmanager/api/v2/receivers").json()
        assert "StillNever" in httpx.get(f"{ours.prometheus_api}/api/v1/rules").text
        rules.write_text(good_rules.replace("expr: queue_length > 1e9", "expr: queue_length >"))
        answer = httpx.post(reload, timeout=60)
        assert answer.status_code == 500
        assert re.search(r"own\.yml:\d+:\d+: .*NeverTrue", answer.text)
        assert "StillNever" in httpx.get(f"{ours.prometheus_api}/api/v1/rules").text
        rules.write_text(good_rules)
        config.write_text(good_config.replace("receiver: page", "receiver: unknown"))
        answer = httpx.post(reload, timeout=60)
        assert answer.status_code == 500
        assert "am.yml" in answer.text
        assert "unknown" in answer.text
        assert {"name": "another"} in httpx.get(f"{ours.address}/alertmanager/api/v2/receivers").json()
    finally:
        rules.write_text(good_rules)
        config.write_text(good_config)
    assert httpx.post(reload, timeout=60).status_code == 200


def test_grafana_takes_it_for_prometheus_alertmanager(ours: Alerting) -> None:
    assert httpx.get(f"{ours.address}/alertmanager/api/v2/status").status_code == 200
    assert httpx.get(f"{ours.address}/alertmanager/alertmanager/api/v2/status").status_code == 404
    for path in ("/-/healthy", "/-/ready"):
        assert httpx.get(f"{ours.address}/alertmanager{path}").status_code == 200


def test_our_own_commands(ours: Alerting, hook: Hook) -> None:
    def run(*arguments: str, code: int = 0) -> str:
        command = [ours.command()[0], *arguments, "--url", ours.address]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, env=ours.environment())
        assert done.returncode == code, done.stderr
        return done.stdout

    assert run("notify", "test", "team", "--label", "agent=x").startswith("webhook[0]  sent")
    _, body = next(iter(hook.told.get(timeout=WAIT_S) for _ in range(1)))
    assert body["alerts"][0]["labels"]["agent"] == "x"
    assert "nobody is told" in run("notify", "test", "nobody")
    run("notify", "test", "missing", code=1)
    made = run("silence", "add", "amtool1", "-c", "quiet").strip()
    assert made[:8] in run("silence", "list")
    assert "silenced" in run("alerts", "alertname=amtool1")
    run("silence", "expire", made[:8])
