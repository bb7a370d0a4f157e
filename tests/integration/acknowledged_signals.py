"""Load of all signals at once on one server: samples, lines and spans."""

from __future__ import annotations

from types import ModuleType
from typing import Any

from tests.integration import acknowledged_lines, acknowledged_samples, acknowledged_spans
from tests.integration.acknowledged_load import Ledger, Load
from tests.integration.processes import CUT_OFF, SwarmscopeServer

SIGNALS: tuple[ModuleType, ...] = (acknowledged_samples, acknowledged_lines, acknowledged_spans)
JOURNALS = ("journal", "journal-logs", "journal-spans")
SETTINGS = {"LOG__LEVEL": "warning", "RETENTION__METRICS": "infinite", **acknowledged_lines.SETTINGS}


class Signal:
    """The load of one signal, and what was seen of it."""

    def __init__(self, module: ModuleType, seed: int) -> None:
        self.plans = module.make_plans(seed)
        self.ledger = Ledger()
        self._module = module
        self._seen: set[Any] = set()

    def check(self, server: SwarmscopeServer) -> None:
        """Fail unless everything is there once."""
        self._seen = self._module.check(server, self.ledger, self._seen)


class Loads:
    """Senders of all signals at once, through any number of servers."""

    def __init__(self, server: SwarmscopeServer, seed: int) -> None:
        self.signals = [Signal(module, seed) for module in SIGNALS]
        self._server = server
        self._running: list[Load] = []

    def run(self, enough: int) -> None:
        """Begin, and wait until so many records of each signal are acknowledged."""
        self._running = [Load(self._server, signal.plans, signal.ledger) for signal in self.signals]
        for signal in self.signals:
            signal.ledger.wait_for(enough)

    def stop(self) -> None:
        """End all senders."""
        for load in self._running:
            load.stop()

    def check(self) -> None:
        """Fail unless everything is there once."""
        for signal in self.signals:
            signal.check(self._server)


def check_log(server: SwarmscopeServer) -> None:
    """Fail where the server has logged an error; whether it was cut off is told by its exit code."""
    lines = (server.folder / "log").read_text(errors="replace").splitlines()
    bad = [line for line in lines if ("Traceback" in line or " ERROR " in line) and CUT_OFF not in line]
    assert not bad, bad[:10]
