"""Lines that were acknowledged are there, once, whenever the process is killed."""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.acknowledged_lines import PROTOCOLS, Key, Ledger, Load, make_plans
from tests.integration.log_reading import ReadLine, get, read_lines
from tests.integration.processes import SwarmscopeServer
from tests.integration.test_nothing_lost import check_log, kill_while_starting, wait_for

pytestmark = pytest.mark.slow

ROUNDS = 20
SEED = 21
# So short that kills hit appends, inserts and removals of segments; one so long that only the journal is left.
FLUSH_AFTER = ("200ms", "500ms", "1s", "1h")
# A check asks for every stream at once.
SETTINGS = {"LOG__LEVEL": "warning", "QUERY__MAX_LOG_SERIES": "100000"}
HOUR_NS = 3_600_000_000_000


def stream_selector(protocol: str) -> str:
    """OTLP's streams have the labels that resource attributes give them."""
    if protocol.startswith("otlp"):
        return f'{{service_name="load",service_namespace="{protocol}"}}'
    return f'{{service_name="load",protocol="{protocol}"}}'


def to_key(protocol: str, line: ReadLine) -> Key:
    return Key(protocol, int(line.labels["k8s_pod_name" if protocol.startswith("otlp") else "stream"]), line.ts_ns)


def read_counts(server: SwarmscopeServer, protocol: str, end_ns: int) -> Counter[tuple[int, str]]:
    """Lines by stream and level, as metric queries count them (without a filter: from the table of counts)."""
    label = "k8s_pod_name" if protocol.startswith("otlp") else "stream"
    query = f"sum by ({label}, detected_level) (count_over_time({stream_selector(protocol)}[2h]))"
    found = get(server, "query", query=query, time=end_ns)["result"]
    return Counter(
        {(int(each["metric"][label]), each["metric"]["detected_level"]): int(each["value"][1]) for each in found}
    )


def check(server: SwarmscopeServer, ledger: Ledger, earlier: set[Key]) -> set[Key]:
    """Fail unless all that was acknowledged, and all that was seen before, is there once; returns what is seen."""
    assert not ledger.failures, ledger.failures
    end_ns = max(key.ts_ns for key in ledger.sent) + 1
    seen: set[Key] = set()
    for protocol in PROTOCOLS:
        lines = read_lines(server, stream_selector(protocol), (end_ns - 2 * HOUR_NS, end_ns))
        found = Counter(to_key(protocol, line) for line in lines)
        twice = [key for key, count in found.items() if count > 1]
        assert not twice, f"{len(twice)} of {len(found)} lines are there twice: {twice[:5]}"
        keys = set(found)
        assert keys <= ledger.sent, f"lines that nobody sent: {sorted(keys - ledger.sent)[:5]}"
        for line in lines:
            key = to_key(protocol, line)
            assert (line.line, line.metadata) == (key.line, {**key.metadata, "detected_level": key.level}), line
        expected = {key for key in ledger.acknowledged | earlier if key.protocol == protocol}
        missing = sorted(expected - keys)
        assert not missing, f"{protocol}: {len(missing)} of {len(expected)} are lost: {missing[:5]}"
        counted = Counter((key.stream, key.level) for key in keys)
        assert read_counts(server, protocol, end_ns) == counted
        seen |= keys
    return seen


@pytest.fixture
def server(tmp_path: Path) -> Iterator[SwarmscopeServer]:
    made = SwarmscopeServer(tmp_path, SETTINGS)
    made.start()
    yield made
    if made.process is not None:
        made.kill()


def test_killed_under_load(server: SwarmscopeServer) -> None:
    chance = random.Random(SEED)
    plans, ledger, seen = make_plans(SEED, 1), Ledger(), set()
    for number in range(ROUNDS):
        load = Load(server, plans, ledger)
        wait_for(ledger, 100)
        time.sleep(chance.uniform(0, 0.4))
        server.kill()
        load.stop()
        server.settings["STORAGE__FLUSH_AFTER"] = chance.choice(FLUSH_AFTER)
        if number % 4 == 0:
            kill_while_starting(server, chance.uniform(0.5, 3))
        server.start()
        if number in (ROUNDS // 2, ROUNDS - 1):
            seen = check(server, ledger, seen)
    assert ledger.sent_again > 2 * ROUNDS
    check_log(server)
    server.restart()
    check(server, ledger, seen)


def test_terminated_under_load(server: SwarmscopeServer) -> None:
    plans, ledger, seen = make_plans(1), Ledger(), set()
    for flush_after in ("300ms", "1h"):
        server.settings["STORAGE__FLUSH_AFTER"] = flush_after
        load = Load(server, plans, ledger)
        wait_for(ledger, 1000)
        server.stop_cleanly()
        load.stop()
        server.start()
        seen = check(server, ledger, seen)
    assert not list((server.data / "journal-logs").glob("*.journal"))[1:], "a clean end leaves nothing to replay"
    check_log(server)
