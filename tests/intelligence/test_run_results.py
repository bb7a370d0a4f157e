"""How runs ended, as results for milestones."""

import numpy as np

from swarmscope.intelligence.agent_window import COLUMNS, AgentWindow
from swarmscope.intelligence.run_results import RunLedger
from swarmscope.model.agents import NO_TEXT, AgentOperation, AgentSpans
from swarmscope.model.spans import SpanStatus

S = 1_000_000_000


def window(n):
    """The first `n` of five spans."""
    spans = AgentSpans.blank(5)
    spans.operation[:] = AgentOperation.INVOKE_AGENT
    spans.operation[3] = AgentOperation.CHAT
    spans.agent[:] = [7, 7, 8, 7, NO_TEXT]
    spans.span_key[:] = [1, 2, 3, 4, 5]
    spans.start_ns[:] = np.array([0, 10, 12, 12, 12]) * S
    spans.end_ns[:] = np.array([5, 30, 20, 20, 20]) * S
    spans.status[2] = SpanStatus.ERROR
    spans = spans.take(np.arange(n))
    columns = {name: getattr(spans, name) for name in COLUMNS}
    return AgentWindow({7: "ada", 8: "bob"}, {"ada": "", "bob": ""}, columns, (0, 100 * S))


def told(results):
    return [(each.task.agent, each.task.metric, each.value, each.time_ns) for each in results]


def test_each_run_counts_once_however_late_it_comes():
    ledger = RunLedger(10 * S)
    assert told(ledger.take(window(2))) == [("ada", "success", 1.0, 30 * S), ("ada", "duration", 20.0, 30 * S)]
    assert told(ledger.take(window(5))) == [("bob", "success", 0.0, 20 * S)]
    assert told(ledger.take(window(5))) == []


def test_runs_stand_in_order_of_their_ends():
    found = told(RunLedger(0).take(window(5)))
    assert [(agent, metric) for agent, metric, _, _ in found] == [
        ("ada", "success"), ("ada", "duration"), ("bob", "success"), ("ada", "success"), ("ada", "duration"),
    ]  # fmt: skip
