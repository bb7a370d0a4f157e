"""What a full disk does: every sender of every signal is told to come back, and nothing acknowledged is lost."""

from __future__ import annotations

import errno
import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import grpc
import httpx
import pytest

from tests.integration.acknowledged_load import HttpRoute
from tests.integration.acknowledged_signals import SETTINGS, Loads
from tests.integration.processes import SwarmscopeServer
from tests.portion import portion

pytestmark = pytest.mark.slow

SIZE = "64m"
ENOUGH = 300  # records of each signal


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
    made = SwarmscopeServer(tmp_path, SETTINGS)
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


def probe(loads: Loads, server: SwarmscopeServer) -> Iterator[tuple[str, str, str]]:
    """A request of every protocol: what it is, how it was refused, and the words."""
    for signal in loads.signals:
        for plan in signal.plans:
            route, keys = plan.route(server), plan.next_keys()
            signal.ledger.sent.update(keys)
            if isinstance(route, HttpRoute):
                url = f"http://127.0.0.1:{route.port}{route.path}"
                answer = httpx.post(url, content=route.encode(keys), headers=route.headers, timeout=60)
                told = f"{answer.status_code} {int(answer.headers.get('retry-after', 0)) >= 1}"
                yield f"{route.path} {plan.protocol}", told, answer.text
                continue
            with grpc.insecure_channel(f"127.0.0.1:{route.port}") as channel:
                try:
                    channel.unary_unary(route.method)(route.encode(keys), timeout=60)
                except grpc.RpcError as error:
                    yield route.method, error.code().name, error.details()
                else:
                    yield route.method, "taken", ""


def expect_refusals(loads: Loads, server: SwarmscopeServer, ballast: Path) -> None:
    """Every protocol is told to come back, and why."""
    deadline = time.monotonic() + 60
    while True:
        answers = list(probe(loads, server))
        if {told for _, told, _ in answers} == {"503 True", "UNAVAILABLE"}:
            break
        assert time.monotonic() < deadline, answers
        fill(ballast)  # what a merge has given back
    for what, _, text in answers:
        assert "No space left on device" in text, (what, text)
    assert httpx.get(f"{server.address}/-/healthy").status_code == 200


@pytest.mark.parametrize("flush_after", ["200ms", "1h"][: portion(2, 1)])
def test_full_disk(server: SwarmscopeServer, small_disk: Path, flush_after: str) -> None:
    server.settings["STORAGE__FLUSH_AFTER"] = flush_after
    server.start()
    loads, ballast = Loads(server, 3), small_disk / "ballast"
    loads.run(ENOUGH)
    fill(ballast)
    time.sleep(1)
    loads.stop()
    expect_refusals(loads, server, ballast)
    loads.check()

    ballast.unlink()
    loads.run(ENOUGH)
    loads.stop()
    server.kill()
    server.start()
    loads.check()
    server.stop_cleanly()
