"""A server under test: started, watched through /proc, and stopped. Times are those of all threads and children."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

_TICKS_PER_S = os.sysconf("SC_CLK_TCK")
_KIB = 1024
_STOP_S = 30.0
# Below this share of one core a server counts as idle; all three have timers that never rest.
_IDLE_CORES = 0.04
_IDLE_WINDOW_S = 2.0


def _tree(pid: int) -> list[int]:
    """The process and everything that descends from it."""
    found = [pid]
    for parent in found:
        for listing in Path(f"/proc/{parent}/task").glob("*/children"):
            try:
                found.extend(map(int, listing.read_text().split()))
            except OSError:
                continue
    return found


def cpu_s(pid: int) -> float:
    """CPU seconds, user and system, of a process tree; ended children that were waited for are included."""
    ticks = 0
    for member in _tree(pid):
        try:
            text = Path(f"/proc/{member}/stat").read_text()
        except OSError:
            continue
        # The name in parentheses may hold spaces. After it: state is field 3, utime stime cutime cstime are 14 to 17.
        ticks += sum(map(int, text.rpartition(")")[2].split()[11:15]))
    return ticks / _TICKS_PER_S


def memory_bytes(pid: int) -> dict[str, int]:
    """Resident memory of a process tree: `peak` (each process at its highest), `now`, and `anonymous` of it."""
    names = {"VmHWM": "peak", "VmRSS": "now", "RssAnon": "anonymous"}
    total = dict.fromkeys(names.values(), 0)
    for member in _tree(pid):
        try:
            lines = Path(f"/proc/{member}/status").read_text().splitlines()
        except OSError:
            continue
        for line in lines:
            key, _, value = line.partition(":")
            if key in names:
                total[names[key]] += int(value.split()[0]) * _KIB
    return total


@dataclass(frozen=True, slots=True)
class Settling:
    """How long to wait for work in the background: at least, and at most, seconds."""

    minimum_s: float
    maximum_s: float


class ServerProcess:
    """A started server. Used as a context manager it never outlives the block."""

    def __init__(self, command: Sequence[str], log: Path, environment: dict[str, str] | None = None) -> None:
        self.log = log
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env={**os.environ, **(environment or {})},
                start_new_session=True,
            )
        self.pid = self._process.pid

    def __enter__(self) -> ServerProcess:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def cpu_s(self) -> float:
        """CPU seconds so far."""
        return cpu_s(self.pid)

    def memory_bytes(self) -> dict[str, int]:
        """See `memory_bytes` of the module."""
        return memory_bytes(self.pid)

    def wait_ready(self, is_ready: Callable[[], bool], timeout_s: float) -> float:
        """Seconds until `is_ready`; raises RuntimeError with the end of the log when it dies or takes too long."""
        begun = time.monotonic()
        while not is_ready():
            if self._process.poll() is not None or time.monotonic() - begun > timeout_s:
                tail = self.log.read_text(errors="replace")[-2000:]
                raise RuntimeError(f"{self._process.args!r} does not serve (exit {self._process.poll()}):\n{tail}")
            time.sleep(0.02)
        return time.monotonic() - begun

    def settle(self, settling: Settling) -> float:
        """Wait until the server is idle within the bounds; returns the seconds waited."""
        begun = time.monotonic()
        history = [(begun, self.cpu_s())]
        while (now := time.monotonic()) - begun < settling.maximum_s:
            history.append((now, self.cpu_s()))
            window = [entry for entry in history if entry[0] >= now - _IDLE_WINDOW_S]
            use = (window[-1][1] - window[0][1]) / _IDLE_WINDOW_S
            if now - begun >= max(settling.minimum_s, _IDLE_WINDOW_S) and use < _IDLE_CORES:
                break
            time.sleep(0.2)
        return time.monotonic() - begun

    def stop(self) -> float:
        """End it with SIGTERM, with SIGKILL when that takes too long; returns the seconds it took."""
        begun = time.monotonic()
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
            try:
                self._process.wait(_STOP_S)
            except subprocess.TimeoutExpired:
                os.killpg(self.pid, signal.SIGKILL)
                self._process.wait()
        return time.monotonic() - begun
