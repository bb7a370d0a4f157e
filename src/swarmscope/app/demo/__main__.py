"""`python -m swarmscope.app.demo ENDPOINT [SECONDS]`: the fleet of `up --demo`, with so many seconds of history first.

It ends with a signal or the end of standard input. The token, if one is needed, is read from the variable
SWARMSCOPE_TOKEN, so that it shows in no list of processes.
"""

from __future__ import annotations

import os
import signal
import sys
import threading

from swarmscope.app.demo.running import DemoFleet, DemoOptions, be_modest


def _stop_with_parent(stopping: threading.Event) -> None:
    """Standard input is a pipe that the server holds: its end means that the server is gone, however it went."""
    sys.stdin.read()
    stopping.set()


def main() -> None:
    """Run until told to stop."""
    stopping = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopping.set())
    threading.Thread(target=_stop_with_parent, args=(stopping,), daemon=True).start()
    be_modest()
    since_s = float(sys.argv[2]) if len(sys.argv) > 2 else 0.0
    DemoFleet(DemoOptions(sys.argv[1], os.environ.get("SWARMSCOPE_TOKEN"), since_s=since_s), stopping).run()


if __name__ == "__main__":
    main()
