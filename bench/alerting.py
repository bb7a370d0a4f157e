"""How soon an alert leaves, and what many rules cost: `python -m bench.alerting [PROBES]`.

Response: from just before a sample is sent (remote write and OTLP in turns) to the arrival of the webhook that tells
of it, with 200 rules that have no `for`, while another process sends 100,000 samples a second.

Rules: CPU seconds of one round of 10,000 rules over 100,000 series, in this process.
"""

from __future__ import annotations

import http.client
import http.server
import json
import multiprocessing
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from itertools import islice
from pathlib import Path

import numpy as np

from bench.bodies import SliceTemplate
from bench.fleet import series_labels
from bench.processes import ServerProcess
from bench.rule_costs import rule_costs
from bench.systems import HOST, free_port

_BACKGROUND_SERIES, _ROUND_S = 10_000, 0.1
_N_RULES = 200
_WAIT_S = 30.0
_REMOTE_WRITE = {"Content-Encoding": "snappy", "Content-Type": "application/x-protobuf"}
_CONFIG = """
route: {{receiver: hook, group_by: [alertname, probe], group_wait: 0s, group_interval: 1m}}
receivers:
- name: hook
  webhook_configs: [{{url: "http://{host}:{port}/", send_resolved: false}}]
"""


class Hook:
    """A webhook's receiver that notes when each probe was told of."""

    def __init__(self) -> None:
        self.arrived_s: dict[str, float] = {}
        arrived_s = self.arrived_s

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                now_s = time.perf_counter()
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                for alert in body["alerts"]:
                    arrived_s.setdefault(alert["labels"].get("probe", ""), now_s)
                self.send_response(200)
                self.end_headers()

            def log_message(self, *arguments: object) -> None:
                """Quiet."""

        self.server = http.server.ThreadingHTTPServer((HOST, 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def wait_for(self, probe: str) -> float | None:
        """When it was told of; None where it was not."""
        end_s = time.perf_counter() + _WAIT_S
        while probe not in self.arrived_s and time.perf_counter() < end_s:
            time.sleep(0.002)
        return self.arrived_s.get(probe)


def _rules(names: Sequence[str]) -> str:
    """Half of them over probes, half over the background."""
    rules = [f"  - {{alert: Probe{at}, expr: 'bench_probe_{at} > 1'}}" for at in range(_N_RULES // 2)]
    rules += [
        f"  - {{alert: Load{at}, expr: 'sum by (job) (rate({names[at % len(names)]}[1m])) > {1e15 + at}'}}"
        for at in range(_N_RULES // 2)
    ]
    return "groups:\n- name: bench\n  interval: 15s\n  rules:\n" + "\n".join(rules) + "\n"


def _send_background(port: int, stop: multiprocessing.synchronize.Event) -> None:
    template = SliceTemplate(list(islice(series_labels(_BACKGROUND_SERIES // 100), _BACKGROUND_SERIES)))
    connection = http.client.HTTPConnection(HOST, port, timeout=60)
    random, due_s = np.random.default_rng(1), time.monotonic()
    while not stop.is_set():
        body = template.to_body(random.random(_BACKGROUND_SERIES), time.time_ns() // 1_000_000)
        connection.request("POST", "/prometheus/api/v1/write", body.payload, _REMOTE_WRITE)
        connection.getresponse().read()
        due_s += _ROUND_S
        time.sleep(max(0.0, due_s - time.monotonic()))


def _probe(number: int, ports: tuple[int, int]) -> float:
    """Send one sample; the time just before."""
    labels = {"__name__": f"bench_probe_{number % (_N_RULES // 2)}", "probe": str(number)}
    main, otlp = ports
    if number % 2:
        body = SliceTemplate([sorted(labels.items())]).to_body(np.array([5.0]), time.time_ns() // 1_000_000).payload
        port, path, headers = main, "/prometheus/api/v1/write", _REMOTE_WRITE
    else:
        point = {
            "timeUnixNano": str(time.time_ns()), "asDouble": 5,
            "attributes": [{"key": "probe", "value": {"stringValue": str(number)}}],
        }  # fmt: skip
        metric = {"name": labels["__name__"], "gauge": {"dataPoints": [point]}}
        body = json.dumps({"resourceMetrics": [{"scopeMetrics": [{"metrics": [metric]}]}]}).encode()
        port, path, headers = otlp, "/v1/metrics", {"Content-Type": "application/json"}
    connection = http.client.HTTPConnection(HOST, port, timeout=60)
    begun_s = time.perf_counter()
    connection.request("POST", path, body, headers)
    connection.getresponse().read()
    connection.close()
    return begun_s


def responses(n_probes: int) -> dict[str, list[float]]:
    """Seconds from sample to webhook, by protocol; what did not arrive counts as infinitely late."""
    hook, main, otlp = Hook(), free_port(), free_port()
    names = list(dict.fromkeys(dict(labels)["__name__"] for labels in islice(series_labels(1), 100)))
    took_s: dict[str, list[float]] = {"OTLP": [], "remote write": []}
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        (home / "rules.yml").write_text(_rules(names))
        (home / "am.yml").write_text(_CONFIG.format(host=HOST, port=hook.server.server_port))
        command = [
            str(Path(sys.executable).with_name("swarmscope")), "up", "--data", str(home / "data"), "--port", str(main),
            "--otlp-grpc-port", str(free_port()), "--otlp-http-port", str(otlp),
            "--rules", str(home / "rules.yml"), "--alertmanager-config", str(home / "am.yml"),
        ]  # fmt: skip
        with ServerProcess(command, home / "log") as server:
            server.wait_ready(lambda: _is_ready(main), 900)
            stop = multiprocessing.Event()
            background = multiprocessing.Process(target=_send_background, args=(main, stop), daemon=True)
            background.start()
            try:
                time.sleep(20)  # until all that loads itself at the start is loaded
                before_s, begun_s = server.cpu_s(), time.perf_counter()
                for number in range(n_probes):
                    sent_s = _probe(number, (main, otlp))
                    arrived_s = hook.wait_for(str(number))
                    took_s["remote write" if number % 2 else "OTLP"].append(
                        float("inf") if arrived_s is None else arrived_s - sent_s
                    )
                    time.sleep(0.1)
                cores = (server.cpu_s() - before_s) / (time.perf_counter() - begun_s)
                print(f"the server took {cores:.2f} cores meanwhile")
            finally:
                stop.set()
                background.join()
    return took_s


def _is_ready(port: int) -> bool:
    connection = http.client.HTTPConnection(HOST, port, timeout=5)
    try:
        connection.request("GET", "/-/ready")
        return connection.getresponse().status == http.client.OK
    except OSError:
        return False
    finally:
        connection.close()


def main() -> None:
    """Print both."""
    n_probes = int(sys.argv[1]) if len(sys.argv) > 1 else 400
    for protocol, took_s in responses(n_probes).items():
        p50, p99 = np.quantile(took_s, [0.5, 0.99], method="higher") * 1000
        print(
            f"sample to webhook over {protocol}: p50 {p50:.0f} ms, p99 {p99:.0f} ms, worst {max(took_s) * 1000:.0f} ms"
        )
    rule_costs()


if __name__ == "__main__":
    main()
