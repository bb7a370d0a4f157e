"""Real Prometheus servers on free ports of this machine."""

from __future__ import annotations

import contextlib
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import cramjam
import httpx
import pytest

from swarmscope.api.remote_read.schema import MESSAGES

needs_prometheus = pytest.mark.skipif(shutil.which("prometheus") is None, reason="no prometheus on this machine")


def free_port() -> int:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        return int(held.getsockname()[1])


@contextlib.contextmanager
def prometheus(folder: Path, config: str) -> Iterator[str]:
    """A Prometheus with this configuration; yields its address."""
    folder.mkdir(parents=True, exist_ok=True)
    port = free_port()
    (folder / "prometheus.yml").write_text(config.replace("PORT", str(port)))
    command = [
        "prometheus", f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/data",
        f"--web.listen-address=127.0.0.1:{port}", "--web.enable-remote-write-receiver",
        "--enable-feature=native-histograms",
    ]  # fmt: skip
    with (folder / "log").open("w") as log, subprocess.Popen(command, stdout=log, stderr=log) as process:
        try:
            address = f"http://127.0.0.1:{port}"
            deadline = time.monotonic() + 20
            while True:
                with contextlib.suppress(httpx.TransportError):
                    if httpx.get(f"{address}/-/ready").status_code == 200:
                        break
                assert time.monotonic() < deadline, (folder / "log").read_text()
                time.sleep(0.1)
            yield address
        finally:
            process.terminate()


def remote_write(address: str, series: bytes) -> None:
    """Send the bytes of a `WriteRequest` (its series field has the number of `QueryResult`'s)."""
    answer = httpx.post(
        f"{address}/api/v1/write",
        content=bytes(cramjam.snappy.compress_raw(series)),
        headers={"content-encoding": "snappy", "content-type": "application/x-protobuf"},
    )
    assert answer.status_code == 204, answer.text


def time_series(labels: dict[str, str]):
    """An empty `TimeSeries` with sorted labels."""
    message = MESSAGES["TimeSeries"]()
    for name in sorted(labels):
        message.labels.add(name=name, value=labels[name])
    return message
