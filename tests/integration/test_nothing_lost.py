"""What was acknowledged is there, once, whenever the process is killed: samples, lines and spans."""

from __future__ import annotations

import math
import random
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.integration import acknowledged_spans
from tests.integration.acknowledged_load import Ledger, Load
from tests.integration.acknowledged_signals import JOURNALS, SETTINGS, Loads, check_log
from tests.integration.processes import SwarmscopeServer
from tests.portion import portion

pytestmark = pytest.mark.slow

ROUNDS = portion(20, 2)
SEED = 20
SHARE = 0.3
SAMPLED = {
    "TRACES__SAMPLING_RATE": str(SHARE), "TRACES__SAMPLING_THRESHOLD": "0", "TRACES__SAMPLING_WAIT": "3s",
    "TRACES__KEEP_SLOWEST": "0", "STORAGE__FLUSH_AFTER": "200ms",
}  # fmt: skip
ENOUGH = 60  # records of each signal in a round
# So short that kills hit appends, inserts and removals of segments; one so long that only the journal is left.
FLUSH_AFTER = ("50ms", "200ms", "600ms", "1h")


def kill_while_starting(server: SwarmscopeServer, after_s: float) -> None:
    """Start and send SIGKILL a while later, however far the start has got."""
    with (server.folder / "log").open("ab") as log:
        starting = subprocess.Popen(server.command(), stdout=log, stderr=log, env=server.environment())
    time.sleep(after_s)
    starting.kill()
    starting.wait()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[SwarmscopeServer]:
    made = SwarmscopeServer(tmp_path, SETTINGS)
    made.start()
    yield made
    if made.process is not None:
        made.kill()


def test_killed_and_terminated_under_load(server: SwarmscopeServer) -> None:
    chance = random.Random(SEED)
    loads = Loads(server, SEED)
    for number in range(ROUNDS):
        loads.run(ENOUGH)
        time.sleep(chance.uniform(0, 0.6))
        server.kill()
        loads.stop()
        server.settings["STORAGE__FLUSH_AFTER"] = chance.choice(FLUSH_AFTER)
        if number % 4 == 1:
            kill_while_starting(server, chance.uniform(0.5, 3))
        server.start()
        if number in (ROUNDS // 2, ROUNDS - 1):
            loads.check()
    assert all(signal.ledger.sent_again > ROUNDS for signal in loads.signals)

    for flush_after in ("100ms", "1h")[: portion(2, 1)]:
        server.settings["STORAGE__FLUSH_AFTER"] = flush_after
        loads.run(10 * ENOUGH)
        server.stop_cleanly()
        loads.stop()
        for folder in JOURNALS:
            left = list((server.data / folder).glob("*.journal"))
            assert server.was_cut_off() or not left[1:], f"a clean end leaves nothing to replay: {left}"
        server.start()
    loads.check()
    check_log(server)


def test_sampled_traces_are_whole(tmp_path: Path) -> None:
    server = SwarmscopeServer(tmp_path, SETTINGS | SAMPLED)
    plans, ledger = acknowledged_spans.make_plans(SEED, requests_per_trace=2), Ledger()
    cut: set[bytes] = set()
    for _ in range(portion(2, 1)):
        server.start()
        load = Load(server, plans, ledger)
        ledger.wait_for(900)
        server.kill()
        load.stop()
        # Of these more comes only after a restart, perhaps too late.
        cut |= {plan.key_of(trace).trace_id for plan in plans for trace in (plan.trace, plan.trace - 1)}
    server.start()
    server.restart()  # from now on all is judged

    sent = Counter(key.trace_id for key in ledger.sent)
    failed = {key.trace_id for key in ledger.sent if key.is_error} - cut
    found = Counter(key.trace_id for key in acknowledged_spans.read_spans(server, ledger.sent))
    parts = {trace_id.hex(): (n, sent[trace_id]) for trace_id, n in found.items() if n != sent[trace_id]}
    assert not parts.keys() - {trace_id.hex() for trace_id in cut}, parts
    assert failed
    assert failed <= found.keys(), f"{len(failed - found.keys())} of {len(failed)} traces with errors are gone"
    ordinary = sent.keys() - cut - failed
    assert len(ordinary) > portion(100, 40)
    deviation = math.sqrt(SHARE * (1 - SHARE) / len(ordinary))
    assert len(ordinary & found.keys()) / len(ordinary) == pytest.approx(SHARE, abs=4 * deviation)
    server.kill()


def test_second_process_is_told_who_holds_the_folder(swarmscope_server: SwarmscopeServer, tmp_path: Path) -> None:
    server = swarmscope_server
    second = SwarmscopeServer(tmp_path / "second", SETTINGS)
    second.data = server.data
    ended = subprocess.run(second.command(), env=second.environment(), capture_output=True, text=True, timeout=120)
    assert ended.returncode == 1
    assert server.process is not None
    said = " ".join(ended.stderr.split())
    assert f"is in use by process {server.process.pid} (" in said, said
    assert "swarmscope up" in said
    assert httpx.get(f"{server.address}/-/ready").status_code == 200
