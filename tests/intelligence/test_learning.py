"""Milestones of many tasks in bounded memory."""

from __future__ import annotations

import pytest

from swarmscope.analysis.intelligence.errors import ModelError
from swarmscope.intelligence.learning import Learning, Task

SUCCESS = Task("ada", "chess", "success", higher_is_better=True, is_success=True)


def test_milestones_are_counted_by_agent_domain_and_type() -> None:
    learning = Learning(10)
    for at in range(60):
        learning.observe(SUCCESS, 1.0, at)
        learning.observe(SUCCESS._replace(agent="bob"), 0.0, at)
    assert learning.totals(0) == {
        (("agent_name", "ada"), ("knowledge_domain", "chess"), ("milestone_type", "mastery")): [1.0]
    }
    ((agent, milestone),) = learning.recent
    assert (agent, milestone.at_step, milestone.at_time_ns) == ("ada", 49, 49)
    assert learning.totals(50) == {}


def test_tasks_that_are_seen_least_are_forgotten() -> None:
    learning = Learning(2)
    for at in range(60):
        for domain in ("a", "b", "c") if at == 30 else ("a", "b"):
            learning.observe(SUCCESS._replace(domain=domain), 1.0, at)
    # The third task took the place of the first, which then took that of the second.
    assert learning.totals(0) == {}
    for at in range(60, 90):
        learning.observe(SUCCESS._replace(domain="b"), 1.0, at)
    assert [milestone.domain for _, milestone in learning.recent] == ["b"]


def test_what_a_task_cannot_have_is_refused() -> None:
    with pytest.raises(ModelError, match=r"cannot be 0\.5"):
        Learning(1).observe(SUCCESS, 0.5, 0)
