"""The systems side by side: how each is started on a free loopback port, and what it calls things."""

from __future__ import annotations

import http.client
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

HOST = "127.0.0.1"
_INSTALL = "apt-get install prometheus victoria-metrics"

# Debian's 2.42 takes samples out of order only where it is told to.
_PROMETHEUS_CONFIG = "storage:\n  tsdb:\n    out_of_order_time_window: 2h\n"


@dataclass(frozen=True, slots=True)
class System:
    """One kind of server."""

    name: str
    program: str  # what must be on the PATH
    command: Callable[[int, Path], list[str]]  # main port, folder for the data
    write_path: str
    query_path: str
    ready_path: str
    journal: tuple[str, ...]  # folders of the data folder that hold a log of what is not in the main form yet
    query_extra: str = ""
    force_merge_path: str = ""
    snapshot_path: str = ""

    @property
    def missing(self) -> str:
        """Why it cannot take part; "" when it can."""
        if shutil.which(self.program) or Path(self.program).exists():
            return ""
        return f"{self.program} is not installed: {_INSTALL}"

    def version(self) -> str:
        """The first version number the program prints."""
        flag = "version" if self.name == "swarmscope" else "--version"
        done = subprocess.run([self.program, flag], capture_output=True, text=True, timeout=60)
        lines = (done.stdout + done.stderr).strip().splitlines()
        return lines[0][:60] if lines else ""


def free_port() -> int:
    """A loopback port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def answers(port: int, path: str) -> bool:
    """Whether GET `path` is answered with 200."""
    connection = http.client.HTTPConnection(HOST, port, timeout=5)
    try:
        connection.request("GET", path)
        return connection.getresponse().status == http.client.OK
    except OSError:
        return False
    finally:
        connection.close()


def _swarmscope_program() -> str:
    beside = Path(sys.executable).with_name("swarmscope")
    return str(beside) if beside.exists() else "swarmscope"


def _swarmscope(port: int, folder: Path) -> list[str]:
    listeners = ["--port", str(port), "--otlp-grpc-port", str(free_port()), "--otlp-http-port", str(free_port())]
    return [_swarmscope_program(), "up", "--data", str(folder), "--host", HOST, *listeners]


def _victoria_metrics(port: int, folder: Path) -> list[str]:
    # Without the cache of answers, which would measure the repetition of a query; samples count at once.
    return [
        "victoria-metrics",
        f"-storageDataPath={folder}",
        f"-httpListenAddr={HOST}:{port}",
        "-search.disableCache",
        "-search.latencyOffset=0s",
        "-loggerLevel=WARN",
    ]


def _prometheus(port: int, folder: Path) -> list[str]:
    config = folder.with_name("prometheus.yml")
    config.write_text(_PROMETHEUS_CONFIG)
    return [
        "prometheus",
        f"--config.file={config}",
        f"--storage.tsdb.path={folder}",
        f"--web.listen-address={HOST}:{port}",
        "--web.enable-remote-write-receiver",
        "--web.enable-admin-api",
        "--log.level=warn",
    ]


SWARMSCOPE = System(
    name="swarmscope",
    program=_swarmscope_program(),
    command=_swarmscope,
    write_path="/prometheus/api/v1/write",
    query_path="/prometheus/api/v1",
    ready_path="/-/ready",
    journal=("journal",),
)
VICTORIA_METRICS = System(
    name="victoria-metrics",
    program="victoria-metrics",
    command=_victoria_metrics,
    write_path="/api/v1/write",
    query_path="/prometheus/api/v1",
    ready_path="/health",
    journal=(),
    query_extra="&nocache=1",
    force_merge_path="/internal/force_merge",
)
PROMETHEUS = System(
    name="prometheus",
    program="prometheus",
    command=_prometheus,
    write_path="/api/v1/write",
    query_path="/api/v1",
    ready_path="/-/ready",
    journal=("wal", "wbl"),
    snapshot_path="/api/v1/admin/tsdb/snapshot",
)
SYSTEMS = (SWARMSCOPE, VICTORIA_METRICS, PROMETHEUS)
