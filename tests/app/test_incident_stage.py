"""Incidents and runbooks as the program puts them together, over series in memory."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from tests.alerting.kept_state import NS, KeptState, MovedClock

from swarmscope.alerting.incidents.watch import IncidentWatch
from swarmscope.alerting.runbooks.ports import RunbookSettings
from swarmscope.analysis.agents.graphs import Graph
from swarmscope.app.stages.incidents import RunbookSources, link, make_incidents, make_runbooks, topology_source
from swarmscope.fleet.queries import FleetUsage
from swarmscope.model.agents import Vocabulary
from swarmscope.model.alerts import Alert
from swarmscope.model.fleet import Usage, UsageMeasure
from swarmscope.query.promql.engine import PromqlEngine
from swarmscope.query.promql.memory_reader import MemoryReader
from swarmscope.testing.sinks import RecordingLogSink

RUNBOOK = """---
title: Look after it
alerts: ['alertname="Down"']
actions:
  - {name: hush, kind: silence, matchers: ['agent_name="{{ .Labels.agent_name }}"'], when: {query: 'up == 0'}}
---
"""


class OneAgent:
    """A fleet of which only what one agent uses is known."""

    def graph(self, tenant: str, start_ns: int, end_ns: int) -> Graph:
        return Graph((), (), 900.0)

    def usage(self, tenant: str, start_ns: int, end_ns: int, by: tuple[str, ...]) -> FleetUsage:
        vocabulary = Vocabulary()
        blank = {name: np.zeros(1, np.uint32) for name in ("agent_version", "team", "provider", "model")}
        measures = np.zeros((1, len(UsageMeasure)))
        measures[0, UsageMeasure.TOOL_CALLS] = 3
        usage = Usage(
            minute_ns=np.zeros(1, np.int64), agent=np.array([vocabulary.code_of("a")], np.uint32),
            operation=np.zeros(1, np.uint8), tool=np.array([vocabulary.code_of("search")], np.uint32),
            measures=measures, **blank,
        )  # fmt: skip
        return FleetUsage(usage, vocabulary)


def test_all_of_it_together(tmp_path: Path) -> None:
    (tmp_path / "down.md").write_text(RUNBOOK)
    clock, reader, lines = MovedClock(), MemoryReader(), RecordingLogSink()
    now_ms = clock.ns // 1_000_000
    reader.add({"__name__": "up", "job": "x"}, [(now_ms, 0.0)])
    edge = {"__name__": "traces_service_graph_request_total", "client": "web", "server": "db"}
    reader.add(edge, [(now_ms - 60_000, 0.0), (now_ms, 5.0)])
    engine = PromqlEngine(reader)
    sources = RunbookSources(engine, lines, lines.index, None)
    runbooks = make_runbooks(RunbookSettings(tmp_path), KeptState(), sources, clock)
    incidents = make_incidents(KeptState(), clock, "", runbooks)
    link(runbooks, incidents)
    watch = IncidentWatch(incidents, topology_source(OneAgent(), engine, clock))  # type: ignore[arg-type]
    watch.step()

    def alert(name: str, **labels: str) -> Alert:
        return Alert({"alertname": name, **labels}, {}, clock.ns, clock.ns + 300 * NS, clock.ns)

    for each in (alert("Down", agent_name="a"), alert("ToolErrors", tool="search"), alert("Slow", service="db")):
        incidents.take_alerts([each])
        runbooks.take_alerts([each])
    runbooks.look()
    services, tools = sorted(incidents.incidents("default"), key=lambda each: len(each.alerts))
    assert (tools.causes[0].node.name, tools.impact[0].node.name) == ("search", "a")
    assert (services.causes[0].node.name, services.impact[0].node.name) == ("db", "web")
    assert (tools.runbook, tools.action) == ("down", "Look after it: hush (silence)")
    [run] = runbooks.runs("default")
    assert (str(run.state), run.incident) == ("dry_run", tools.id)
    assert tools.events[-1].text == "down: hush dry_run: nothing was done: this is a dry run"
    told = [json.loads(line.line) for line in lines.lines()]
    assert [(each["runbook"], each["state"], each["incident"]) for each in told] == [("down", "dry_run", tools.id)]
