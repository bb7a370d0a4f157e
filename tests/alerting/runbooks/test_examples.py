from __future__ import annotations

from pathlib import Path

import swarmscope.alerting.runbooks
from swarmscope.alerting.runbooks.execution import Execution
from swarmscope.alerting.runbooks.ports import RunbookPorts
from swarmscope.alerting.runbooks.runbook_files import load_runbooks
from swarmscope.alerting.runbooks.runs import Run, RunState
from swarmscope.lang.promql import parse_promql

EXAMPLES = Path(swarmscope.alerting.runbooks.__file__).parent / "examples"


def test_the_runbooks_that_ship_are_sound_and_do_nothing_by_themselves() -> None:
    loaded = load_runbooks(EXAMPLES)
    assert loaded.problems == ()
    assert sorted(loaded.runbooks) == ["restart-agent", "runaway-cost", "tool-outage"]
    for runbook in loaded.runbooks.values():
        assert runbook.actions
        for action in runbook.actions:
            assert action.dry_run
            labels = {"alertname": "X", "agent_name": 'a"b', "tool": "t", "kind": "crash"}
            run = Run("1", runbook.name, action.name, str(action.kind), RunState.QUEUED, 0, "x", labels=labels)
            asked: list[str] = []
            ports = RunbookPorts(holds=lambda tenant, query: not asked.append(query))  # noqa: B023
            Execution(ports, {}).prepare(run, action)
            for query in asked:
                parse_promql(query)
