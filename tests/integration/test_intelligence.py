"""A running program measures teams: of agents that drive each other, and of agents that do not."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.integration.log_reading import wait_until
from tests.integration.processes import SwarmscopeServer
from tests.integration.span_sending import SentSpan, send_export
from tests.integration.trace_reading import CLIENT, get_json

pytestmark = pytest.mark.slow

TENANT = "minds"
NS_PER_S = 1_000_000_000
N_BINS = 900
QUICK = {
    "INTELLIGENCE__INTERVAL": "3s",
    "INTELLIGENCE__CPU_SHARE": "1",
    "INTELLIGENCE__NICENESS": "0",
    "INTELLIGENCE__TIMEOUT": "5m",
    "INTELLIGENCE__RESAMPLES": "50",
    "AGENTS__WATCH__WRITE_INTERVAL": "500ms",
}
NETWORK = {  # OR, COPY and XOR of each other; Φ is 2.3125 in the state that follows
    "tpm": [[0, 0, 0], [0, 0, 1], [1, 0, 1], [1, 0, 0], [1, 1, 0], [1, 1, 1], [1, 1, 1], [1, 1, 0]],
    "cm": [[0, 0, 1], [1, 0, 1], [1, 1, 0]],
    "state": [1, 0, 0],
}


def ring(team: str, begin_ns: int, *, is_coupled: bool) -> Iterator[SentSpan]:
    """Three agents in bins of a second: each does, mostly, what the one before it did; or what a coin says."""
    chance, was = random.Random(team), [True, False, True]
    number = {"driven": 1, "alone": 100_001}[team]
    for step in range(N_BINS):
        now = []
        for agent in range(3):
            source = (agent - 1) % 3
            p = (0.9 if was[source] else 0.1) if is_coupled else 0.5
            now.append(chance.random() < p)
            if not now[agent]:
                continue
            attributes = {
                "gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": f"{team}-{agent}",
                "gen_ai.team.name": team,
            }  # fmt: skip
            begin = begin_ns + step * NS_PER_S + 100_000_000
            yield SentSpan(
                number, number, begin, attributes=attributes, duration_ns=800_000_000
            )  # fmt: skip
            number += 1
        was = now


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SwarmscopeServer]:
    made = SwarmscopeServer(tmp_path_factory.mktemp("minds"), QUICK)
    made.start()
    begin_ns = (time.time_ns() // NS_PER_S - N_BINS - 30) * NS_PER_S
    for team, is_coupled in (("driven", True), ("alone", False)):
        answer = send_export(made, list(ring(team, begin_ns, is_coupled=is_coupled)), TENANT)
        assert answer.status_code == 200, answer.text
        # Whose work a span is shows a moment later.
        wait_until(lambda: compute(made, kind="coordination", teams=[team]).status_code == 200, team)  # noqa: B023
    yield made
    made.stop_cleanly()


def compute(server: SwarmscopeServer, **body: Any) -> httpx.Response:
    return CLIENT.post(
        f"{server.address}/api/intelligence/compute", json=body, headers={"x-scope-orgid": TENANT}, timeout=400
    )


def test_teams_that_drive_each_other_are_integrated(server: SwarmscopeServer) -> None:
    found = {}
    for team in ("driven", "alone"):
        answer = compute(server, kind="phi", teams=[team], since="1h", bin="1s")
        assert answer.status_code == 200, answer.text
        (found[team],) = answer.json()["results"]
    driven, alone = found["driven"], found["alone"]
    assert (driven["valid"], driven["significant"]) == (True, True), driven
    assert driven["p_value"] == pytest.approx(0.01)
    assert driven["value"] > 0.1
    assert driven["ci_low"] <= driven["raw"]
    assert (driven["integration_type"], driven["n_units"], driven["bin_ns"]) == ("iit_3.0", 3, NS_PER_S)
    assert sorted(driven["extra"]["units"]) == ["driven-0", "driven-1", "driven-2"]
    assert (alone["valid"], alone["significant"], alone["value"]) == (True, False, 0)


@pytest.mark.parametrize("kind", ["emergence", "coherence", "coordination"])
def test_other_kinds_answer_or_say_why_not(server: SwarmscopeServer, kind: str) -> None:
    answer = compute(server, kind=kind, teams=["driven"], since="1h", bin="1s")
    assert answer.status_code == 200, answer.text
    (found,) = answer.json()["results"]
    assert found["group"] == "driven"
    assert found["valid"] or found["reason"]


def test_a_declared_model_is_computed_exactly(server: SwarmscopeServer) -> None:
    (found,) = compute(server, kind="phi", model=NETWORK).json()["results"]
    assert (found["value"], found["integration_type"]) == (pytest.approx(2.3125, abs=5e-6), "iit_3.0")
    assert (found["extra"]["ei"], found["extra"]["mip"]) == (pytest.approx(2.5), {"from": [1, 2], "to": [0]})
    (cheaper,) = compute(server, kind="phi", model=NETWORK, integration_type="ei_mip").json()["results"]
    assert (cheaper["value"], cheaper["integration_type"]) == (pytest.approx(1.5), "ei_mip")


def test_series_are_written(server: SwarmscopeServer) -> None:
    def series(query: str) -> dict[str, float]:
        found = get_json(server, "/prometheus/api/v1/query", TENANT, query=query)["data"]["result"]
        return {each["metric"].get("brain_region", ""): float(each["value"][1]) for each in found}

    deadline = time.monotonic() + 180  # others have the processor too
    while not {"driven", "alone", "all"} <= series("agi_consciousness_phi").keys():
        assert time.monotonic() < deadline, series("agi_consciousness_phi")
        time.sleep(0.5)
    valid = series("agi_consciousness_phi_valid")
    assert valid.keys() >= {"driven", "alone", "all"}
    if valid["alone"]:
        assert series("agi_consciousness_phi_n_units")["alone"] == 3
    latest = get_json(server, "/api/intelligence", TENANT, kind="phi")["results"]
    assert {each["group"] for each in latest} >= {"driven", "alone", "all"}
    log = (server.folder / "log").read_text()
    assert " ERROR " not in log
    assert "Traceback" not in log


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"kind": "soul"}, "'kind' is one of phi"),
        ({"integration_type": "iit_5"}, "'integration_type' is one of auto"),
        ({"units": 1}, "'units' is a whole number from 2"),
        ({"modules": ["x"]}, "there is no module 'x'"),
        ({"start": "5", "end": "4"}, "'start' must be before 'end'"),
        ({"bin": "-1s"}, "'bin'"),
        ({"model": []}, "'model' is an object"),
        ({"model": {**NETWORK, "state": [1, 0]}}, "3 units have a state"),
        ({"model": {**NETWORK, "tpm": [[0, 0, 2], *NETWORK["tpm"][1:]]}}, "row 0, unit 2 is 2.0, not a probability"),
    ],
)
def test_what_is_wrong_is_named(server: SwarmscopeServer, body: dict[str, Any], words: str) -> None:
    answer = compute(server, **body)
    assert answer.status_code == 400, answer.text
    assert words in answer.json()["error"]["message"]


def test_a_long_computation_is_a_job_and_can_be_cancelled(server: SwarmscopeServer) -> None:
    chance = random.Random(7)
    tpm = [[chance.random() for _ in range(8)] for _ in range(256)]
    answer = compute(server, model={"tpm": tpm, "state": [0] * 8})
    assert answer.status_code == 200, answer.text
    job = answer.json()["job"]
    url, headers = f"{server.address}/api/intelligence/jobs/{job['id']}", {"x-scope-orgid": TENANT}
    wait_until(lambda: CLIENT.get(url, headers=headers).json()["state"] == "running", "a job that runs")
    assert CLIENT.get(url).status_code == 404, "another tenant's"
    assert CLIENT.delete(url, headers=headers).status_code == 200
    wait_until(lambda: CLIENT.get(url, headers=headers).json()["state"] == "cancelled", "a job that was cancelled")
