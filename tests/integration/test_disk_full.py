"""A full disk: writers are told to come back, nothing acknowledged is lost, and space makes it go on."""

from __future__ import annotations

import errno
import os
import random
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import cramjam
import grpc
import httpx
import pytest

from tests.integration.acknowledged_load import PROTOCOLS, Ledger, Load, Plan, export, write_v1
from tests.integration.processes import SwarmscopeServer
from tests.integration.test_nothing_lost import check, make_plans, wait_for

pytestmark = pytest.mark.slow

SIZE = "64m"
EXPORT = "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export"


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of `SIZE` in memory."""
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={SIZE}", "tmpfs", str(folder)]
    if os.geteuid() != 0 or subprocess.run(command, capture_output=True).returncode != 0:
        pytest.skip("only root can mount a small file system")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


@pytest.fixture
def server(small_disk: Path, tmp_path: Path) -> Iterator[SwarmscopeServer]:
    made = SwarmscopeServer(tmp_path, {"LOG__LEVEL": "warning", "RETENTION__METRICS": "infinite"})
    made.data = small_disk / "data"
    yield made
    if made.process is not None:
        made.kill()


def fill(ballast: Path) -> None:
    """Take all the space that is left."""
    with ballast.open("ab", buffering=0) as file:
        for size in (1 << 20, 1 << 12, 1):
            try:
                while True:
                    file.write(bytes(size))
            except OSError as error:
                if error.errno != errno.ENOSPC:
                    raise


def probe(server: SwarmscopeServer, plan: Plan, ledger: Ledger) -> list[httpx.Response]:
    """A write over either HTTP protocol."""
    keys = plan.next_keys()
    ledger.sent.update(keys)
    snappy = {"content-encoding": "snappy", "content-type": "application/x-protobuf"}
    wire = bytes(cramjam.snappy.compress_raw(write_v1(keys)))
    write, otlp = f"{server.prometheus_api}/api/v1/write", f"http://127.0.0.1:{server.otlp_http_port}/v1/metrics"
    headers = {"content-type": "application/x-protobuf"}
    return [
        httpx.post(write, content=wire, headers=snappy, timeout=60),
        httpx.post(otlp, content=export(keys), headers=headers, timeout=60),
    ]


def expect_refusals(server: SwarmscopeServer, ledger: Ledger, ballast: Path) -> None:
    """Every protocol is told to come back, and why."""
    plan = Plan("write_v1", int(time.time()) * 1000, random.Random(0), series=9_000_000)
    deadline = time.monotonic() + 30
    answers = probe(server, plan, ledger)
    while {answer.status_code for answer in answers} != {503}:
        assert time.monotonic() < deadline, [(answer.status_code, answer.text) for answer in answers]
        fill(ballast)  # what a merge has given back
        answers = probe(server, plan, ledger)
    for answer in answers:
        assert int(answer.headers["retry-after"]) >= 1
        assert "No space left on device" in answer.text, answer.text
    body = export(plan.next_keys())
    with grpc.insecure_channel(f"127.0.0.1:{server.otlp_grpc_port}") as channel, pytest.raises(grpc.RpcError) as told:
        channel.unary_unary(EXPORT)(body, timeout=60)
    assert told.value.code() is grpc.StatusCode.UNAVAILABLE
    assert httpx.get(f"{server.address}/-/healthy").status_code == 200


@pytest.mark.parametrize("flush_after", ["1h", "200ms"])
def test_full_disk(server: SwarmscopeServer, small_disk: Path, flush_after: str) -> None:
    server.settings["STORAGE__FLUSH_AFTER"] = flush_after
    server.start()
    plans, ledger, ballast = make_plans(3), Ledger(), small_disk / "ballast"
    load = Load(server, plans, ledger)
    wait_for(ledger, 1000)
    fill(ballast)
    time.sleep(1)
    load.stop()
    expect_refusals(server, ledger, ballast)
    seen = check(server, ledger, set())

    ballast.unlink()
    load = Load(server, plans, ledger)
    wait_for(ledger, 1000)
    load.stop()
    assert {key.protocol for key in ledger.acknowledged} == set(PROTOCOLS)
    seen = check(server, ledger, seen)
    server.kill()
    server.start()
    check(server, ledger, seen)
    server.stop_cleanly()
