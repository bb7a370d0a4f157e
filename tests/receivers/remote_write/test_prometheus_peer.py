"""A real Prometheus scrapes a target and writes what it got to us."""

import contextlib
import shutil
import socket
import subprocess
import threading
import time

import pytest
import uvicorn
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, start_http_server
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool

from swarmscope.receivers.remote_write.routes import routes
from swarmscope.receivers.remote_write.settings import RemoteWriteSettings
from swarmscope.testing.sinks import RecordingSink

pytestmark = [pytest.mark.peer, pytest.mark.slow]

CONFIG = """
global: {{scrape_interval: 1s, scrape_timeout: 1s, external_labels: {{replica: "1"}}}}
scrape_configs:
  - job_name: target
    static_configs: [{{targets: ["127.0.0.1:{target}"]}}]
remote_write:
  - url: http://127.0.0.1:{ours}/prometheus/api/v1/write
    send_exemplars: true
    send_native_histograms: true
    queue_config: {{batch_send_deadline: 200ms}}
    metadata_config: {{send_interval: 1s}}
"""


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextlib.contextmanager
def serving(sink):
    port = free_port()
    app = Starlette(routes=routes(RemoteWriteSettings(), sink, sink.index, run_in_threadpool))
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=port, log_level="warning", lifespan="off"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    try:
        yield port
    finally:
        server.should_exit = True
        thread.join(10)


@contextlib.contextmanager
def prometheus(folder, target, ours):
    (folder / "prometheus.yml").write_text(CONFIG.format(target=target, ours=ours))
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [
                shutil.which("prometheus"),
                f"--config.file={folder}/prometheus.yml",
                f"--storage.tsdb.path={folder}/data",
                f"--web.listen-address=127.0.0.1:{free_port()}",
                "--enable-feature=native-histograms,exemplar-storage",
            ],
            stdout=log,
            stderr=log,
        )
        try:
            yield process
        finally:
            process.terminate()
            process.wait(20)


@contextlib.contextmanager
def vmagent(folder, target, ours):
    (folder / "scrape.yml").write_text(CONFIG.format(target=target, ours=ours).split("remote_write:")[0])
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [
                shutil.which("vmagent"),
                f"-promscrape.config={folder}/scrape.yml",
                f"-remoteWrite.url=http://127.0.0.1:{ours}/api/v1/write",
                f"-remoteWrite.tmpDataPath={folder}/vmagent",
                f"-httpListenAddr=127.0.0.1:{free_port()}",
                "-remoteWrite.flushInterval=200ms",
            ],
            stdout=log,
            stderr=log,
        )
        try:
            yield process
        finally:
            process.terminate()
            process.wait(20)


def wait_for(condition, seconds=40):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.2)
    return False


@pytest.mark.skipif(shutil.which("prometheus") is None, reason="needs the package prometheus")
def test_prometheus_writes_samples_metadata_and_exemplars(tmp_path):
    registry = CollectorRegistry()
    counter = Counter("jobs", "Jobs done", ["kind"], registry=registry)
    counter.labels("föö").inc(3, exemplar={"trace_id": "abc123"})
    Gauge("depth", "Queue depth", registry=registry).set(-2.5)
    Histogram("took_seconds", "How long", registry=registry, buckets=(1, 5)).observe(2)
    target, thread = start_http_server(0, "127.0.0.1", registry)
    sink = RecordingSink()

    def latest(name):
        found = [(labels, value) for labels, _, value in sink.samples() if labels["__name__"] == name]
        return found[-1] if found else None

    try:
        with serving(sink) as port, prometheus(tmp_path, target.server_port, port):
            done = wait_for(
                lambda: (
                    latest("depth")
                    and any(batch.metadata for batch in sink.batches)
                    and any(batch.exemplars for batch in sink.batches)
                )
            )
            assert done, (tmp_path / "log").read_text()[-3000:]
    finally:
        target.shutdown()
        thread.join()
    base = {"instance": f"127.0.0.1:{target.server_port}", "job": "target", "replica": "1"}
    assert latest("jobs_total") == ({**base, "__name__": "jobs_total", "kind": "föö"}, 3.0)
    assert latest("depth") == ({**base, "__name__": "depth"}, -2.5)
    assert latest("up")[1] == 1.0
    buckets = [(labels, value) for labels, _, value in sink.samples() if labels["__name__"] == "took_seconds_bucket"]
    assert {labels["le"]: value for labels, value in buckets} == {"1.0": 0.0, "5.0": 1.0, "+Inf": 1.0}
    kinds = {
        name: (kind, text)
        for batch in sink.batches
        if batch.metadata
        for name, kind, text in zip(batch.metadata.metric, batch.metadata.kind, batch.metadata.help, strict=True)
    }
    assert kinds["depth"] == ("gauge", "Queue depth")
    exemplars = [batch.exemplars for batch in sink.batches if batch.exemplars]
    assert exemplars[0].labels.to_dicts()[0] == {"trace_id": "abc123"}
    assert "level=error" not in (tmp_path / "log").read_text()


@pytest.mark.skipif(shutil.which("vmagent") is None, reason="needs the package victoria-metrics")
def test_vmagent_writes_samples(tmp_path):
    registry = CollectorRegistry()
    Gauge("depth", "Queue depth", registry=registry).set(-2.5)
    target, thread = start_http_server(0, "127.0.0.1", registry)
    sink = RecordingSink()
    try:
        with serving(sink) as port, vmagent(tmp_path, target.server_port, port):
            done = wait_for(lambda: any(labels["__name__"] == "depth" for labels, *_ in sink.samples()))
            assert done, (tmp_path / "log").read_text()[-3000:]
    finally:
        target.shutdown()
        thread.join()
    expected = {"__name__": "depth", "instance": f"127.0.0.1:{target.server_port}", "job": "target", "replica": "1"}
    assert (expected, -2.5) in [(labels, value) for labels, _, value in sink.samples()]
