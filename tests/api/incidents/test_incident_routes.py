from __future__ import annotations

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from swarmscope.alerting.incidents.incidents import Incidents
from swarmscope.alerting.runbooks.ports import RunbookPorts, RunbookSettings
from swarmscope.alerting.runbooks.runbooks import Runbooks
from swarmscope.api.incidents.endpoint import JsonApiParts
from swarmscope.api.incidents.routes import incident_routes
from swarmscope.api.runbooks.routes import runbook_routes
from swarmscope.api.work import QueryQueue
from swarmscope.model.alerts import Alert
from tests.alerting.kept_state import NS, KeptState, MovedClock

RUNBOOK = """---
actions:
  - {name: hush, kind: silence, matchers: ['agent_name="{{ .Labels.agent_name }}"'], dry_run: false, approval: required}
---
# Quiet
"""


async def _run(work: Any) -> Any:
    with ThreadPoolExecutor(1) as pool:
        return await asyncio.get_running_loop().run_in_executor(pool, work)


class Served:
    def __init__(self, folder: Path) -> None:
        (folder / "quiet.md").write_text(RUNBOOK)
        (folder / "broken.md").write_text("---\nactions: 3\n---\n")
        self.clock = MovedClock()
        self.incidents = Incidents(KeptState(), self.clock)
        ports = RunbookPorts(silence=lambda request: "s-9")
        self.runbooks = Runbooks(RunbookSettings(folder), KeptState(), ports, self.clock)
        parts = JsonApiParts(QueryQueue(_run, 4))
        self.client = TestClient(
            Starlette(routes=[*incident_routes(self.incidents, parts), *runbook_routes(self.runbooks, parts)])
        )

    def fire(self, name: str, agent: str) -> None:
        now_ns = self.clock.ns
        labels = {"alertname": name, "agent_name": agent, "severity": "error"}
        self.incidents.take_alerts([Alert(labels, {}, now_ns, now_ns + 300 * NS, now_ns)])

    def get(self, path: str, code: int = 200) -> Any:
        answer = self.client.get(path)
        assert answer.status_code == code, answer.text
        return answer.json() if code == 200 else answer.json()["error"]["message"]

    def post(self, path: str, code: int = 200, **body: Any) -> Any:
        answer = self.client.post(path, json=body)
        assert answer.status_code == code, answer.text
        return answer.json() if code == 200 else answer.json()["error"]["message"]


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    made = Served(tmp_path)
    with made.client:
        yield made


def test_incidents(served: Served) -> None:
    served.fire("Crash", "a")
    served.clock.move(3600)
    served.fire("Loop", "b")
    second, first = served.get("/api/incidents")["incidents"]
    assert (first["title"], second["title"]) == ("agent a: Crash", "agent b: Loop")
    assert (first["state"], first["alerts"], first["firing"]) == ("open", 1, 1)
    assert first["opened"] == "2023-11-14T22:13:20.000Z"
    assert first["root_cause"]["name"] == "a"
    detail = served.get(f"/api/incidents/{first['id']}")
    assert detail["alerts"][0]["labels"]["agent_name"] == "a"
    assert detail["root_causes"][0]["evidence"][0]["text"] == "Crash of agent a came first"
    assert [event["kind"] for event in detail["events"]] == ["opened"]
    assert served.get("/api/incidents?state=resolved") == {"incidents": []}
    assert len(served.get("/api/incidents?limit=1")["incidents"]) == 1


def test_what_people_do(served: Served) -> None:
    served.fire("Crash", "a")
    [incident] = served.get("/api/incidents")["incidents"]
    path = f"/api/incidents/{incident['id']}"
    assert served.post(f"{path}/acknowledge", by="ann", comment="looking")["acknowledged_by"] == "ann"
    served.post(f"{path}/comment", by="bob", comment="same as last week")
    done = served.post(f"{path}/resolve", by="ann")
    assert (done["state"], done["resolved_by"]) == ("resolved", "ann")
    said = [(event["kind"], event["text"], event["by"]) for event in done["events"]]
    assert said[1:] == [
        ("acknowledged", "looking", "ann"), ("comment", "same as last week", "bob"), ("resolved", "", "ann"),
    ]  # fmt: skip
    assert "is resolved" in served.post(f"{path}/acknowledge", 409, by="ann")


def test_merging_and_splitting(served: Served) -> None:
    served.fire("Crash", "a")
    served.clock.move(3600)
    served.fire("Loop", "b")
    second, first = (each["id"] for each in served.get("/api/incidents")["incidents"])
    merged = served.post(f"/api/incidents/{second}/merge", by="ann", **{"with": first})
    assert (merged["id"], len(merged["alerts"])) == (first, 2)
    assert served.get(f"/api/incidents/{second}")["id"] == first
    alert = merged["alerts"][1]["id"]
    assert served.post(f"/api/incidents/{first}/split", by="ann", alerts=[alert])["split_from"] == first
    assert "not all of them" in served.post(f"/api/incidents/{first}/split", 409, by="ann", alerts=[])


@pytest.mark.parametrize(
    ("path", "body", "code", "words"),
    [
        ("/api/incidents/none/resolve", {"by": "a"}, 404, "no incident 'none'"),
        ("/api/incidents/none/resolve", {}, 400, "'by' is missing"),
        ("/api/incidents/none/resolve", {"by": 3}, 400, "'by' is text"),
        ("/api/incidents/none/split", {"by": "a", "alerts": "x"}, 400, "'alerts' is a list"),
        ("/api/runbooks/none/runs", {"by": "a", "action": "b"}, 404, "no runbook 'none'"),
        ("/api/runbooks/quiet/runs", {"by": "a", "action": "b"}, 404, "no action 'b'"),
        ("/api/runbooks/quiet/runs", {"by": "a", "action": "hush", "labels": [1]}, 400, "'labels' is an object"),
        ("/api/runbooks/quiet/runs", {"by": "a", "action": "hush", "dry_run": "no"}, 400, "'dry_run' is true"),
        ("/api/runbooks/runs/none/approve", {"by": "a"}, 404, "no run 'none'"),
    ],
)
def test_what_cannot_be_done(served: Served, path: str, body: dict[str, Any], code: int, words: str) -> None:
    assert words in served.post(path, code, **body)


def test_a_page_of_another_origin_cannot_post(served: Served) -> None:
    answer = served.client.post(
        "/api/runbooks/runs/x/approve", content='{"by": "a"}', headers={"content-type": "text/plain"}
    )
    assert answer.status_code == 415
    answer = served.client.post(
        "/api/runbooks/runs/x/approve", content="{", headers={"content-type": "application/json"}
    )
    assert answer.status_code == 400


def test_queries_are_checked(served: Served) -> None:
    assert "'state' is one of open" in served.get("/api/incidents?state=bad", 400)
    assert "'limit' is a whole number" in served.get("/api/incidents?limit=0", 400)
    assert "no incident 'x'" in served.get("/api/incidents/x", 404)
    assert "no runbook 'x'" in served.get("/api/runbooks/x", 404)


def test_runbooks(served: Served) -> None:
    found = served.get("/api/runbooks")
    assert [each["name"] for each in found["runbooks"]] == ["quiet"]
    assert "broken.md:2:10" in found["problems"][0]
    one = served.get("/api/runbooks/quiet")
    assert (one["title"], one["text"]) == ("Quiet", "# Quiet\n")
    assert one["actions"][0]["approval"] == "required"


def test_runs_and_approval(served: Served) -> None:
    asked = served.post("/api/runbooks/quiet/runs", by="ann", action="hush", labels={"agent_name": "a"})
    assert asked["state"] == "waiting"
    assert asked["input"] == {"matchers": ['agent_name="a"'], "duration_s": 3600.0}
    done = served.post(f"/api/runbooks/runs/{asked['id']}/approve", by="bob")
    assert (done["state"], done["requested_by"], done["approved_by"], done["output"]) == (
        "done", "ann", "bob", "silence s-9",
    )  # fmt: skip
    assert "waits for nobody" in served.post(f"/api/runbooks/runs/{asked['id']}/refuse", 409, by="bob")
    served.clock.move(601)
    other = served.post("/api/runbooks/quiet/runs", by="ann", action="hush", labels={"agent_name": "b"})
    assert served.post(f"/api/runbooks/runs/{other['id']}/refuse", by="bob", comment="no")["state"] == "refused"
    assert [run["state"] for run in served.get("/api/runbooks/runs")["runs"]] == ["refused", "done"]
    assert len(served.get("/api/runbooks/quiet/runs?state=done")["runs"]) == 1
    assert served.get(f"/api/runbooks/runs/{asked['id']}")["id"] == asked["id"]
