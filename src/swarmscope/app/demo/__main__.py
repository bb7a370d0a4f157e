"""`python -m swarmscope.app.demo ENDPOINT`: run the pretended fleet until a signal or the end of standard input.

The token, if one is needed, is read from the variable SWARMSCOPE_TOKEN, so that it shows in no list of processes.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time

from swarmscope.app.demo.fleet import Fleet
from swarmscope.app.demo.telemetry import FleetTelemetry

_TICK_S = 1.0


def _stop_with_parent(stopping: threading.Event) -> None:
    """Standard input is a pipe that the server holds: its end means that the server is gone, however it went."""
    sys.stdin.read()
    stopping.set()


def main() -> None:
    """Tick once a second."""
    stopping = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopping.set())
    threading.Thread(target=_stop_with_parent, args=(stopping,), daemon=True).start()
    fleet = Fleet()
    telemetry = FleetTelemetry(fleet, sys.argv[1], os.environ.get("SWARMSCOPE_TOKEN"))
    last = time.monotonic()
    while not stopping.wait(_TICK_S):
        now = time.monotonic()
        telemetry.record(fleet.tick(now - last))
        last = now
    telemetry.close()


if __name__ == "__main__":
    main()
