"""Programs under test as real processes: Swarmscope's command line and Debian's Prometheus, on free ports."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping
from pathlib import Path

import cramjam
import httpx

from swarmscope.receivers.remote_write.schema import V1, message_class

# A first start compiles. For the end the command line promises ten seconds, on a machine with nothing else to do.
START_TIMEOUT_S = 600
STOP_TIMEOUT_S = 60
LAST_LINES = 40
CUT_OFF = "not everything ended within"
BUSY_LOAD = 3  # for each processor; the whole test run alone stays below

Samples = Iterable[tuple[int, float]]  # milliseconds, value
Series = tuple[Mapping[str, str], Samples]


def free_port() -> int:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        return int(held.getsockname()[1])


class Server:
    """One process that is started, waited for, and stopped; its output goes to `folder/log`."""

    def __init__(self, folder: Path, port: int) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.port = port
        self.address = f"http://127.0.0.1:{port}"
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def prometheus_api(self) -> str:
        """Where `/api/v1` and `/federate` are."""
        return self.address

    def command(self) -> list[str]:
        raise NotImplementedError

    def environment(self) -> dict[str, str]:
        return dict(os.environ)

    def log_tail(self) -> str:
        path = self.folder / "log"
        return "\n".join(path.read_text(errors="replace").splitlines()[-LAST_LINES:]) if path.exists() else ""

    def start(self) -> None:
        """Start it and wait until `/-/ready` answers 200."""
        assert self.process is None
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(self.command(), stdout=log, stderr=log, env=self.environment())
        deadline = time.monotonic() + START_TIMEOUT_S
        while True:
            code = self.process.poll()
            assert code is None, f"{self.command()[0]} ended with {code}:\n{self.log_tail()}"
            try:
                if httpx.get(f"{self.address}/-/ready", timeout=5).status_code == 200:
                    return
            except httpx.TransportError:
                pass
            assert time.monotonic() < deadline, f"not ready:\n{self.log_tail()}"
            time.sleep(0.05)

    def stop(self) -> int:
        """SIGTERM; returns the exit code. A process that does not end in time is killed, and that fails."""
        process, self.process = self.process, None
        assert process is not None
        process.send_signal(signal.SIGTERM)
        try:
            return process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise AssertionError(f"no end within {STOP_TIMEOUT_S} s of SIGTERM:\n{self.log_tail()}") from None

    def kill(self) -> None:
        """SIGKILL."""
        process, self.process = self.process, None
        assert process is not None
        process.kill()
        process.wait()


class SwarmscopeServer(Server):
    """`swarmscope up` over `folder/data`; `settings` as environment variables without the prefix."""

    def __init__(self, folder: Path, settings: Mapping[str, str] | None = None) -> None:
        super().__init__(folder, free_port())
        self.data = folder / "data"
        self.otlp_grpc_port = free_port()
        self.otlp_http_port = free_port()
        self.settings = dict(settings or {})

    @property
    def prometheus_api(self) -> str:
        return f"{self.address}/prometheus"

    def command(self) -> list[str]:
        return [
            str(Path(sys.executable).parent / "swarmscope"), "up", "--data", str(self.data), "--port", str(self.port),
            "--otlp-grpc-port", str(self.otlp_grpc_port), "--otlp-http-port", str(self.otlp_http_port),
        ]  # fmt: skip

    def environment(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("SWARMSCOPE_")}
        # A test needs a small part of what is compiled, and waits for that part alone.
        settings = {"API__WARM_UP": "false"} | self.settings
        return kept | {f"SWARMSCOPE_{name}": value for name, value in settings.items()}

    def stop_cleanly(self) -> None:
        """SIGTERM, and an end as promised: all is written within ten seconds."""
        assert self.stop() == 0 or self.was_cut_off(), self.log_tail()

    def was_cut_off(self) -> bool:
        """Whether the last end took longer than promised on a machine that others keep busy; nothing is lost by it."""
        is_busy = os.getloadavg()[0] > BUSY_LOAD * (os.cpu_count() or 1)
        return is_busy and CUT_OFF in "".join(self.log_tail().splitlines()[-1:])

    def restart(self) -> None:
        """A clean end and a start on the same folder and ports; connections have to be made anew."""
        self.stop_cleanly()
        self.start()


class PrometheusServer(Server):
    """Debian's Prometheus. One head block takes samples of any age; nothing is compacted or expires while it runs."""

    def __init__(self, folder: Path, config: str = "global: {}\n") -> None:
        super().__init__(folder, free_port())
        (folder / "prometheus.yml").write_text(config)

    def command(self) -> list[str]:
        return [
            shutil.which("prometheus") or "prometheus", f"--config.file={self.folder}/prometheus.yml",
            f"--storage.tsdb.path={self.folder}/data", f"--web.listen-address=127.0.0.1:{self.port}",
            "--web.enable-remote-write-receiver", "--query.lookback-delta=5m", "--log.level=warn",
            "--enable-feature=native-histograms,exemplar-storage,promql-at-modifier,promql-negative-offset",
            "--storage.tsdb.retention.time=200y", "--storage.tsdb.min-block-duration=100y",
            "--storage.tsdb.max-block-duration=100y",
        ]  # fmt: skip


def write_request(series: Iterable[Series]) -> bytes:
    """The body of a remote write 1.0 request, uncompressed."""
    request = message_class(V1)()
    for labels, samples in series:
        entry = request.timeseries.add()
        for name in sorted(labels):
            entry.labels.add(name=name, value=labels[name])
        for ts_ms, value in samples:
            entry.samples.add(timestamp=ts_ms, value=value)
    return request.SerializeToString()


def remote_write(server: Server, body: bytes, tenant: str | None = None) -> None:
    """Send a body (`write_request`) and fail unless it is taken whole."""
    headers = {
        "content-encoding": "snappy",
        "content-type": "application/x-protobuf",
        "x-prometheus-remote-write-version": "0.1.0",
    }
    if tenant is not None:
        headers["x-scope-orgid"] = tenant
    compressed = bytes(cramjam.snappy.compress_raw(body))
    answer = httpx.post(f"{server.prometheus_api}/api/v1/write", content=compressed, headers=headers, timeout=60)
    assert answer.status_code in (200, 204), f"{answer.status_code} {answer.text}"
