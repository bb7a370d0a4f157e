"""Learning milestones of a fleet: one monitor for each agent and domain, and counters of what they tell."""

from __future__ import annotations

from collections import Counter, OrderedDict, deque
from typing import NamedTuple

import numpy as np

from swarmscope.analysis.intelligence.milestones.milestone import Milestone, TaskSeries
from swarmscope.analysis.intelligence.milestones.monitor import LearningMonitor
from swarmscope.fleet.series import Family, Labels, labels

MILESTONES = (
    Family("agi_learning_milestones_total", "counter", "Milestones that were found in series of results, by type."),
)
_MAX_RECENT = 1_000


class Task(NamedTuple):
    """What an agent's results are of, and which of them are better."""

    agent: str
    domain: str  # the label `knowledge_domain`
    metric: str
    higher_is_better: bool
    is_success: bool = False  # results are 0 and 1


class Learning:
    """Monitors of one tenant: some 20 kB each. Not thread-safe; a result costs some 0.4 ms."""

    def __init__(self, max_tasks: int) -> None:
        """Of more tasks, those whose last result is the oldest are forgotten; their counters stay."""
        self._max_tasks = max_tasks
        self._monitors: OrderedDict[Task, LearningMonitor] = OrderedDict()
        self._totals: Counter[Labels] = Counter()
        self._seen_ns: dict[Labels, int] = {}
        self.recent: deque[tuple[str, Milestone]] = deque(maxlen=_MAX_RECENT)  # agent and what it reached

    def observe(self, task: Task, value: float, time_ns: int) -> tuple[Milestone, ...]:
        """One more result of a task; what is reached by it. Raises ModelError for one that the task cannot have."""
        monitor = self._monitors.get(task)
        if monitor is None:
            if len(self._monitors) >= self._max_tasks:
                self._monitors.popitem(last=False)
            monitor = self._monitors[task] = LearningMonitor(_to_series(task))
        self._monitors.move_to_end(task)
        found = monitor.observe(value, time_ns)
        for milestone in found:
            self._count(task.agent, milestone, time_ns)
        return found

    def _count(self, agent: str, milestone: Milestone, time_ns: int) -> None:
        key = labels(agent_name=agent, knowledge_domain=milestone.domain, milestone_type=milestone.type.value)
        self._totals[key] += 1
        self._seen_ns[key] = time_ns
        self.recent.append((agent, milestone))

    def totals(self, since_ns: int) -> dict[Labels, list[float | None]]:
        """Values of MILESTONES by labels; those to which nothing was added since then are forgotten."""
        for key in [key for key, seen_ns in self._seen_ns.items() if seen_ns < since_ns]:
            del self._seen_ns[key], self._totals[key]
        return {key: [float(total)] for key, total in self._totals.items()}


def _to_series(task: Task) -> TaskSeries:
    return TaskSeries(
        name=f"{task.agent}\0{task.domain}\0{task.metric}",
        domain=task.domain,
        metric=task.metric,
        values=np.zeros(0),
        times_ns=np.zeros(0, np.int64),
        higher_is_better=task.higher_is_better,
        is_success=task.is_success,
    )
