"""How runs ended, as results for milestones."""

import numpy as np

from swarmscope.intelligence.agent_window import COLUMNS, AgentWindow
from swarmscope.intelligence.run_results import run_results
from swarmscope.model.agents import NO_TEXT, AgentOperation, AgentSpans
from swarmscope.model.spans import SpanStatus

S = 1_000_000_000


def test_runs_that_ended_since_then():
    spans = AgentSpans.blank(5)
    spans.operation[:] = AgentOperation.INVOKE_AGENT
    spans.operation[3] = AgentOperation.CHAT
    spans.agent[:] = [7, 7, 8, 7, NO_TEXT]
    spans.start_ns[:] = np.array([0, 10, 12, 12, 12]) * S
    spans.end_ns[:] = np.array([5, 30, 20, 20, 20]) * S
    spans.status[2] = SpanStatus.ERROR
    columns = {name: getattr(spans, name) for name in COLUMNS}
    window = AgentWindow({7: "ada", 8: "bob"}, {"ada": "", "bob": ""}, columns, (0, 100 * S))
    found = [(each.task.agent, each.task.metric, each.value, each.time_ns) for each in run_results(window, 10 * S)]
    assert found == [
        ("bob", "success", 0.0, 20 * S), ("ada", "success", 1.0, 30 * S), ("ada", "duration", 20.0, 30 * S),
    ]  # fmt: skip
    assert list(run_results(window, 31 * S)) == []
