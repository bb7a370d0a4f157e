"""Real peers: prometheus_client's server, Debian's Prometheus as target, and Prometheus scraping the same target."""

from __future__ import annotations

import asyncio
import json
import shutil
import socket
import subprocess
import time
import urllib.parse
import urllib.request
from contextlib import contextmanager

import prometheus_client as pc
import pytest
import yaml

from tests.receivers.scrape.served_target import TEXT, Target, job_for, scraping, serving, until

needs_prometheus = pytest.mark.skipif(shutil.which("prometheus") is None, reason="prometheus is not installed")


def run(coroutine):
    return asyncio.run(asyncio.wait_for(coroutine, 90))


@pytest.mark.parametrize("protocol", ["OpenMetricsText1.0.0", "PrometheusText0.0.4"])
def test_prometheus_client_server(protocol):
    registry = pc.CollectorRegistry()
    pc.Counter("jobs", "Jobs done", ["kind"], registry=registry).labels('a"b\\c\n').inc(3, exemplar={"trace_id": "t"})
    histogram = pc.Histogram("size_bytes", "Size", registry=registry, buckets=(1, 10, 100))
    for value in (0.5, 7, 5000):
        histogram.observe(value)
    pc.Summary("took", "Time", registry=registry).observe(2.5)
    pc.Info("build", "Build", registry=registry).info({"version": "1"})
    pc.Enum("state", "State", states=["on", "off"], registry=registry).state("off")
    server, thread = pc.start_http_server(0, addr="127.0.0.1", registry=registry)
    address = f"127.0.0.1:{server.server_port}"

    async def scene():
        async with scraping(job_for(address, scrape_protocols=[protocol])) as (_, sink):
            await until(lambda: sink.last("up", job="j") == 1)
        assert sink.last("jobs_total", kind='a"b\\c\n') == 3
        assert [sink.last("size_bytes_bucket", le=le) for le in ("1.0", "10.0", "100.0", "+Inf")] == [1, 2, 2, 3]
        assert sink.last("size_bytes_sum") == 5007.5
        assert (sink.last("took_count"), sink.last("took_sum")) == (1, 2.5)
        assert sink.last("build_info", version="1") == 1
        assert (sink.last("state", state="on"), sink.last("state", state="off")) == (0, 1)
        openmetrics = protocol.startswith("Open")
        assert sink.metadata["size_bytes"] == ["histogram", "", "Size"]
        assert [(value, labels) for _, _, value, labels in sink.exemplars] == (
            [(3, {"trace_id": "t"})] if openmetrics else []
        )

    try:
        run(scene())
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@contextmanager
def prometheus(folder, config):
    """A running Prometheus' address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{probe.getsockname()[1]}"
    (folder / "prometheus.yml").write_text(yaml.safe_dump(config))
    command = ["prometheus", f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/data"]
    process = subprocess.Popen(
        [*command, f"--web.listen-address={address}"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        deadline = time.monotonic() + 30
        while True:
            try:
                urllib.request.urlopen(f"http://{address}/-/ready", timeout=1).close()
                break
            except OSError:
                assert time.monotonic() < deadline
                time.sleep(0.1)
        yield address
    finally:
        process.terminate()
        process.wait(20)


@pytest.mark.peer
@needs_prometheus
def test_prometheus_own_metrics(tmp_path):
    with prometheus(tmp_path, {"scrape_configs": []}) as address:

        async def scene():
            async with scraping(job_for(address, scrape_interval="1s")) as (manager, sink):
                await until(lambda: len(sink.of("up", job="j")) >= 2, 20)
                assert manager.targets().active[0].last_error == ""
            assert sink.last("scrape_samples_scraped", job="j") > 300
            assert sink.last("prometheus_build_info") == 1
            assert (
                sink.last("prometheus_http_request_duration_seconds_bucket", handler="/metrics", le="+Inf") is not None
            )
            assert sink.metadata["go_goroutines"][0] == "gauge"

        run(scene())


BODY = b"""\
# TYPE a counter
a{instance="own",job="x"} 1
a{instance="own2",exported_job="y",job="x"} 2
b{empty="",z="\\\\ \\" \\n"} 3.25
go_gone 4
m{pod="p1",shard="7"} 1e-9
m{pod="p2",shard="8"} NaN
stamped 5 1
up 0
h{le="0.5"} 1
"""
RULES = [
    {"action": "drop", "source_labels": ["__name__"], "regex": "go_.*"},
    {"action": "labelmap", "regex": "(sh)ard", "replacement": "${1}_x"},
    {"action": "labeldrop", "regex": "shard"},
    {"action": "hashmod", "source_labels": ["pod"], "modulus": 97, "target_label": "bucket"},
    {
        "source_labels": ["pod", "sh_x"],
        "separator": "/",
        "regex": "p(.)/(.+)",
        "target_label": "j$1",
        "replacement": "$2-${1}",
    },
    {"action": "uppercase", "source_labels": ["pod"], "target_label": "POD"},
    {"action": "keep", "source_labels": ["__name__"], "regex": "a|b|m|up|h|scrape.*|stamped"},
]
TARGET_RULES = [
    {"source_labels": ["__address__"], "regex": "(.+):.*", "target_label": "host"},
    {"action": "labelmap", "regex": "__meta_(.+)"},
    {"action": "hashmod", "source_labels": ["__address__", "job"], "modulus": 1000, "target_label": "slot"},
    {"source_labels": ["__param_q"], "target_label": "asked"},
]


def series_of(address):
    """{labels: value as text} of all that a Prometheus holds now."""
    query = urllib.parse.urlencode({"query": '{__name__=~".+",__name__!="stamped"}'})
    with urllib.request.urlopen(f"http://{address}/api/v1/query?{query}", timeout=5) as answer:
        result = json.load(answer)["data"]["result"]
    return {tuple(sorted(item["metric"].items())): item["value"][1] for item in result}


@pytest.mark.peer
@needs_prometheus
@pytest.mark.parametrize("honor_labels", [False, True])
def test_same_series_as_prometheus_from_the_same_file(tmp_path, honor_labels):
    """Prometheus 2.42 and Swarmscope read one configuration and one target, and hold the same label sets."""
    timings = {"scrape_duration_seconds", "scrape_series_added"}
    with serving(Target(BODY, TEXT)) as target:
        job = {
            "job_name": "j",
            "scrape_interval": "1s",
            "honor_labels": honor_labels,
            "params": {"q": ["one", "two"]},
            "static_configs": [{"targets": [target], "labels": {"__meta_zone": "z", "team": "t"}}],
            "relabel_configs": TARGET_RULES,
            "metric_relabel_configs": RULES,
        }
        config = {"scrape_configs": [job]}
        with prometheus(tmp_path, config) as address:
            deadline = time.monotonic() + 20
            while not (expected := series_of(address)):
                assert time.monotonic() < deadline
                time.sleep(0.2)

        async def scene():
            async with scraping(config) as (_, sink):
                await until(lambda: any(dict(key)["__name__"] == "m" for key in list(sink.samples)))
                return {key: samples[-1][1] for key, samples in sink.samples.items()}

        got = {key: value for key, value in run(scene()).items() if dict(key)["__name__"] != "stamped"}
    assert set(got) == set(expected)
    for key, value in got.items():
        if dict(key)["__name__"] not in timings:
            assert repr(float(expected[key])) == repr(float(value)), key
