"""The fixtures themselves: real processes that take samples in, answer, and end."""

from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import httpx
import pytest

from tests.integration.processes import STOP_TIMEOUT_S, Server, SwarmscopeServer, remote_write, write_request
from tests.portion import portion

pytestmark = [pytest.mark.peer, pytest.mark.slow]


def _newest(server: Server, headers: dict[str, str]) -> list:
    asked = {"query": "started", "time": "1600000007"}
    answer = httpx.get(f"{server.prometheus_api}/api/v1/query", params=asked, headers=headers)
    return answer.json()["data"]["result"]


def test_what_is_written_is_answered(swarmscope_server, prometheus_server) -> None:
    body = write_request([({"__name__": "started", "job": "a"}, [(1_600_000_000_000, 1.5), (1_600_000_005_000, 2.5)])])
    expected = [{"metric": {"__name__": "started", "job": "a"}, "value": [1600000007, "2.5"]}]
    tenant = "start-stop"
    for server in (swarmscope_server, prometheus_server):
        remote_write(server, body, tenant)
        assert _newest(server, {"x-scope-orgid": tenant}) == expected


SIGNALS = ((signal.SIGINT, signal.SIGTERM), (signal.SIGTERM,), (signal.SIGTERM, signal.SIGINT))[: portion(3, 1)]


def end_impatiently(server: SwarmscopeServer, signals: Sequence[signal.Signals]) -> None:
    """Signals to the very last: the end of the interpreter takes a while too."""
    process, server.process = server.process, None
    assert process is not None
    deadline, sent = time.monotonic() + STOP_TIMEOUT_S, 0
    while process.poll() is None and time.monotonic() < deadline:
        process.send_signal(signals[sent % len(signals)])
        sent += 1
        time.sleep(0.02)
    try:
        assert process.wait(1) == 0, server.log_tail()
    except subprocess.TimeoutExpired:
        process.kill()
        raise AssertionError(f"no end within {STOP_TIMEOUT_S} s:\n{server.log_tail()}") from None
    assert sent > 2


def test_every_end_keeps_what_was_written(start_swarmscope) -> None:
    server: SwarmscopeServer = start_swarmscope({"RETENTION__METRICS": "infinite", "STORAGE__FLUSH_AFTER": "1h"})
    ends = [server.stop_cleanly, *(partial(end_impatiently, server, signals) for signals in SIGNALS)]
    for number, end in enumerate(ends):
        remote_write(server, write_request([({"__name__": "started"}, [(1_600_000_000_000 + number, number + 0.5)])]))
        end()
        # All was flushed: nothing is left in the journal to be replayed.
        assert not list(Path(server.data).glob("journal*/*.journal")), number
        server.start()
        assert _newest(server, {})[0]["value"] == [1600000007, f"{number}.5"]
    log = (server.folder / "log").read_text()
    assert "Traceback" not in log
    assert " ERROR " not in log
