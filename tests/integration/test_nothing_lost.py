"""What was acknowledged is there, once, whenever the process is killed."""

from __future__ import annotations

import random
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cramjam
import httpx
import pytest

from swarmscope.api.remote_read.schema import MESSAGES
from tests.integration.acknowledged_load import PROTOCOLS, Key, Ledger, Load, Plan
from tests.integration.processes import SwarmscopeServer

pytestmark = pytest.mark.slow

ROUNDS = 20
SEED = 20
SENDERS_PER_PROTOCOL = 2
END_WITHIN_S = 10
# So short that kills hit appends, inserts and removals of segments; one so long that only the journal is left.
FLUSH_AFTER = ("20ms", "100ms", "400ms", "1h")
SETTINGS = {"LOG__LEVEL": "warning", "RETENTION__METRICS": "infinite"}


def make_plans(seed: int) -> list[Plan]:
    """Senders of one protocol share neither series nor times."""
    now_ms = int(time.time()) * 1000
    plans = []
    for protocol in PROTOCOLS:
        for number in range(SENDERS_PER_PROTOCOL):
            chance = random.Random(f"{seed} {protocol} {number}")
            plans.append(Plan(protocol, now_ms, chance, series=number * 1_000_000))
    return plans


def ask(server: SwarmscopeServer, query: str, at_ms: int) -> list[dict[str, Any]]:
    parameters = {"query": query, "time": str(at_ms / 1000)}
    answer = httpx.post(f"{server.prometheus_api}/api/v1/query", data=parameters, timeout=120)
    assert answer.status_code == 200, answer.text
    return answer.json()["data"]["result"]


def _key(labels: dict[str, str], ts_ms: int) -> Key:
    return Key(labels["protocol"], int(labels["series"]), ts_ms)


def read_matrix(server: SwarmscopeServer, protocol: str, at_ms: int) -> Iterator[tuple[Key, float]]:
    """Every sample by the raw range selector."""
    for series in ask(server, f'load{{protocol="{protocol}"}}[2h]', at_ms):
        for ts, text in series.get("values", []):
            yield _key(series["metric"], round(ts * 1000)), float(text)
        for ts, histogram in series.get("histograms", []):
            assert histogram["count"] == "6", histogram
            yield _key(series["metric"], round(ts * 1000)), float(histogram["sum"])


def read_counts(server: SwarmscopeServer, protocol: str, at_ms: int) -> Counter[int]:
    """Samples by series, as the engine counts them."""
    counted = ask(server, f'count_over_time(load{{protocol="{protocol}"}}[2h])', at_ms)
    return Counter({int(entry["metric"]["series"]): int(entry["value"][1]) for entry in counted})


def read_remotely(server: SwarmscopeServer, protocol: str, at_ms: int) -> Iterator[tuple[Key, float]]:
    """Every sample by remote read."""
    request = MESSAGES["ReadRequest"]()
    query = request.queries.add(start_timestamp_ms=at_ms - 7_200_000, end_timestamp_ms=at_ms)
    query.matchers.add(type=0, name="__name__", value="load")
    query.matchers.add(type=0, name="protocol", value=protocol)
    answer = httpx.post(
        f"{server.prometheus_api}/api/v1/read",
        content=bytes(cramjam.snappy.compress_raw(request.SerializeToString())),
        headers={"content-encoding": "snappy", "content-type": "application/x-protobuf"},
        timeout=120,
    )
    assert answer.status_code == 200, answer.text
    response = MESSAGES["ReadResponse"].FromString(bytes(cramjam.snappy.decompress_raw(answer.content)))
    for series in response.results[0].timeseries:
        labels = {label.name: label.value for label in series.labels}
        for sample in series.samples:
            yield _key(labels, sample.timestamp), sample.value
        for histogram in series.histograms:
            yield _key(labels, histogram.timestamp), histogram.sum


def check(server: SwarmscopeServer, ledger: Ledger, earlier: set[Key]) -> set[Key]:
    """Fail unless all that was acknowledged, and all that was seen before, is there once; returns what is seen."""
    assert not ledger.failures, ledger.failures
    at_ms = max(key.ts_ms for key in ledger.sent) + 1
    seen: set[Key] = set()
    for protocol in PROTOCOLS:
        for source in (read_matrix, read_remotely):
            found = list(source(server, protocol, at_ms))
            keys = {key for key, _ in found}
            assert len(keys) == len(found), f"{source.__name__}: a sample is there twice"
            assert keys <= ledger.sent, f"{source.__name__}: samples that nobody sent: {sorted(keys - ledger.sent)[:5]}"
            wrong = [(key, value) for key, value in found if value != key.value]
            assert not wrong, f"{source.__name__}: {wrong[:5]}"
            expected = {key for key in ledger.acknowledged | earlier if key.protocol == protocol}
            missing = sorted(expected - keys)
            assert not missing, f"{source.__name__}: {len(missing)} of {len(expected)} are lost: {missing[:5]}"
        assert read_counts(server, protocol, at_ms) == Counter(key.series for key in keys)
        seen |= keys
    return seen


def wait_for(ledger: Ledger, n: int) -> None:
    """Until `n` samples more are acknowledged."""
    wanted = len(ledger.acknowledged) + n
    deadline = time.monotonic() + 30
    while len(ledger.acknowledged) < wanted and not ledger.failures:
        assert time.monotonic() < deadline, "nothing is acknowledged"
        time.sleep(0.01)


def kill_while_starting(server: SwarmscopeServer, after_s: float) -> None:
    """Start and send SIGKILL a while later, however far the start has got."""
    with (server.folder / "log").open("ab") as log:
        starting = subprocess.Popen(server.command(), stdout=log, stderr=log, env=server.environment())
    time.sleep(after_s)
    starting.kill()
    starting.wait()


def check_log(server: SwarmscopeServer) -> None:
    lines = (server.folder / "log").read_text(errors="replace").splitlines()
    bad = [line for line in lines if "Traceback" in line or " ERROR " in line]
    assert not bad, bad[:10]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[SwarmscopeServer]:
    made = SwarmscopeServer(tmp_path, SETTINGS)
    made.start()
    yield made
    if made.process is not None:
        made.kill()


def test_killed_under_load(server: SwarmscopeServer) -> None:
    chance = random.Random(SEED)
    plans, ledger, seen = make_plans(SEED), Ledger(), set()
    for number in range(ROUNDS):
        load = Load(server, plans, ledger)
        wait_for(ledger, 100)
        time.sleep(chance.uniform(0, 0.8))
        server.kill()
        load.stop()
        server.settings["STORAGE__FLUSH_AFTER"] = chance.choice(FLUSH_AFTER)
        if number % 3 == 0:
            kill_while_starting(server, chance.uniform(0.5, 3))
        server.start()
        if number % 4 == 3 or number == ROUNDS - 1:
            seen = check(server, ledger, seen)
    check_log(server)
    server.restart()
    check(server, ledger, seen)


def test_terminated_under_load(server: SwarmscopeServer) -> None:
    plans, ledger, seen = make_plans(1), Ledger(), set()
    for flush_after in ("100ms", "1h"):
        server.settings["STORAGE__FLUSH_AFTER"] = flush_after
        load = Load(server, plans, ledger)
        wait_for(ledger, 1000)
        begun = time.monotonic()
        server.stop_cleanly()
        assert time.monotonic() - begun < END_WITHIN_S
        load.stop()
        server.start()
        seen = check(server, ledger, seen)
    assert not list((server.data / "journal").glob("*.journal"))[1:], "a clean end leaves nothing to replay"
    check_log(server)


def test_second_process_is_told_who_holds_the_folder(server: SwarmscopeServer, tmp_path: Path) -> None:
    second = SwarmscopeServer(tmp_path / "second", SETTINGS)
    second.data = server.data
    ended = subprocess.run(second.command(), env=second.environment(), capture_output=True, text=True, timeout=120)
    assert ended.returncode == 1
    assert server.process is not None
    said = " ".join(ended.stderr.split())
    assert f"is in use by process {server.process.pid} (" in said, said
    assert "swarmscope up" in said
    assert httpx.get(f"{server.address}/-/ready").status_code == 200
