"""What is thought of one tenant's fleet: the state of each agent, what goes wrong, and how far budgets are used up."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import numpy as np

from swarmscope.analysis.agents.budgets import Budget, BudgetStatus, Spend, judge_budget, to_findings, to_spends
from swarmscope.analysis.agents.pathologies import detect
from swarmscope.analysis.agents.pathologies.settings import DetectionSettings
from swarmscope.analysis.agents.pathologies.tracker import FindingTracker
from swarmscope.analysis.agents.pathologies.window import FleetWindow
from swarmscope.analysis.agents.settled import OpenSpans
from swarmscope.analysis.agents.status import StatusSettings, judge_agents
from swarmscope.fleet.recent import Recent
from swarmscope.fleet.recent_usage import RecentUsage
from swarmscope.fleet.series import Family, Labels, SeriesTable, labels
from swarmscope.model.agents import Vocabulary
from swarmscope.model.fleet import STATE_NUMBERS, AgentRecord, AgentState, Finding

_NUMBERS = ", ".join(f"{number} {state.value}" for state, number in STATE_NUMBERS.items())
_STATUS = (Family("agi_agent_status", "gauge", f"State of an agent: {_NUMBERS}."),)
_INFO = (Family("agi_agent_info", "gauge", "Always 1; the labels say what is known of an agent."),)
_FINDINGS = (Family("agi_agent_findings", "gauge", "Findings that last, by what they are and whom they touch."),)
_BUDGETS = (
    Family("agi_budget_used", "gauge", "What is used of a budget in its period, in its unit."),
    Family("agi_budget_limit", "gauge", "What may be used in the period."),
    Family("agi_budget_used_ratio", "gauge", "Share of a budget that is used; above 1 it is exceeded."),
    Family("agi_budget_burn_rate", "gauge", "How fast it is used; at 1 it lasts exactly as long as its period."),
    Family(
        "agi_budget_exhaustion_timestamp_seconds", "gauge", "When it is or will be used up, as Unix time.", "seconds"
    ),
)
FAMILIES = (_STATUS, _INFO, _FINDINGS, _BUDGETS)
_NS_PER_S = 1_000_000_000
_MAX_SERIES = 10_000


class FleetMoment(NamedTuple):
    """One tenant's fleet, as it is looked at; only for the time of the call."""

    recent: Recent
    opened: OpenSpans
    agents: Sequence[AgentRecord]
    usage: RecentUsage
    conversations: dict[str, tuple[float, float, int]]  # money, tokens and last minute [ns] of the dearest
    now_ns: int


@dataclass(frozen=True, slots=True)
class Rules:
    """What counts as wrong, and what may be spent. `detect` is handed in by tests alone."""

    detection: DetectionSettings = field(default_factory=DetectionSettings)
    status: StatusSettings = field(default_factory=StatusSettings)
    budgets: tuple[Budget, ...] = ()
    detect: Callable[[FleetWindow], list[Finding]] = detect

    @property
    def horizon_ns(self) -> int:
        """How far back usage is needed."""
        return max((budget.period_ns for budget in self.budgets), default=0)


@dataclass(frozen=True, slots=True)
class StandingStatus:
    """The state that an agent is in."""

    state: AgentState
    reason: str
    since_ns: int


class Judgement:
    """What was thought last, and since when. Not thread-safe."""

    def __init__(self, tenant: str, rules: Rules, vocabulary: Vocabulary, max_agents: int, seed: int) -> None:
        self._tenant, self._rules, self._vocabulary = tenant, rules, vocabulary
        self._status = SeriesTable(_STATUS, max_agents, seed)
        self._info = SeriesTable(_INFO, max_agents, seed)
        self._findings = SeriesTable(_FINDINGS, _MAX_SERIES, seed)
        self._budgets = SeriesTable(_BUDGETS, _MAX_SERIES, seed)
        self.statuses: dict[str, StandingStatus] = {}
        self.budgets: tuple[BudgetStatus, ...] = ()
        self._tracker = FindingTracker()
        self._news: list[Finding] = []
        self._written: dict[str, Finding] = {}  # findings as they were last handed to the store

    def judge(self, moment: FleetMoment) -> None:
        """Look at what is there now."""
        rules, now_ns = self._rules, moment.now_ns
        window = FleetWindow(
            moment.recent.spans, moment.recent.caller, moment.opened, moment.usage.last_hour(now_ns), now_ns,
            self._vocabulary, rules.detection,
        )  # fmt: skip
        self.budgets = tuple(self._judge_budgets(moment))
        found = [*rules.detect(window), *to_findings(list(self.budgets), self._tenant)]
        self._news += self._tracker.update((replace(one, tenant=self._tenant) for one in found), now_ns)
        last_seen_ns = {record.name: record.last_seen_ns for record in moment.agents}
        judged = judge_agents(window, last_seen_ns, self._tracker.lasting(), rules.status)
        statuses = {}
        for name, told in judged.items():
            known = self.statuses.get(name)
            since_ns = known.since_ns if known is not None and known.state == told.state else now_ns
            statuses[name] = StandingStatus(told.state, told.reason, since_ns)
        self.statuses = statuses

    def _judge_budgets(self, moment: FleetMoment) -> Iterator[BudgetStatus]:
        usage = moment.usage.all(moment.now_ns) if self._rules.budgets else None
        for budget in self._rules.budgets:
            if budget.per == "conversation" or usage is None:
                spends = _spends_of_conversations(budget, moment.conversations)
            else:
                spends = to_spends(usage, self._vocabulary, budget)
            yield from judge_budget(budget, spends, moment.now_ns)

    def findings(self) -> tuple[Finding, ...]:
        """Those that last, and those that ended lately."""
        return self._tracker.findings()

    def take_news(self) -> list[Finding]:
        """Findings that began or ended since the last call."""
        news, self._news = self._news, []
        return news

    def take_changed(self) -> tuple[Finding, ...]:
        """Findings that are not as they were last taken."""
        now = {finding.id: finding for finding in self._tracker.findings()}
        changed = tuple(finding for name, finding in now.items() if self._written.get(name) != finding)
        self._written = now
        return changed

    def keep_changed(self, findings: tuple[Finding, ...]) -> None:
        """These are still to be written."""
        for finding in findings:
            self._written.pop(finding.id, None)

    def tables(self, records: Sequence[AgentRecord], now_ms: int) -> list[SeriesTable]:
        """Series of what was thought last; `records` are of agents that are remembered."""
        status = {labels(agent_name=name): (float(STATE_NUMBERS[told.state]),) for name, told in self.statuses.items()}
        self._status.replace(status, now_ms)
        self._info.replace({_info_labels(record): (1.0,) for record in records}, now_ms)
        counts: dict[Labels, int] = {}
        for finding in self._tracker.lasting():
            for name in finding.agents:
                key = labels(kind=finding.kind.value, agent_name=name)
                counts[key] = counts.get(key, 0) + 1
        self._findings.replace({key: (float(count),) for key, count in counts.items()}, now_ms)
        self._budgets.replace({_budget_labels(each): _budget_values(each) for each in self.budgets}, now_ms)
        return [self._status, self._info, self._findings, self._budgets]


def _info_labels(record: AgentRecord) -> Labels:
    return labels(
        agent_name=record.name, agent_id=record.id, team=record.team, version=record.version, model=record.model,
        framework=record.framework, service=record.service,
    )  # fmt: skip


def _spends_of_conversations(budget: Budget, conversations: dict[str, tuple[float, float, int]]) -> dict[str, Spend]:
    """What they have spent so far, as if all of it in their last minute: only the sum is told for them."""
    spends = {}
    for name, (cost_usd, tokens, minute_ns) in conversations.items():
        amount = cost_usd if budget.unit == "usd" else tokens
        if amount > 0 and budget.of in ("", name):
            spends[name] = Spend(np.array([minute_ns]), np.array([amount]))
    return spends


def _budget_labels(status: BudgetStatus) -> Labels:
    budget = status.budget
    return labels(budget=budget.name, scope=budget.per, subject=status.subject, unit=budget.unit)


def _budget_values(status: BudgetStatus) -> tuple[float | None, ...]:
    exhausted_s = None if status.exhausted_ns is None else status.exhausted_ns / _NS_PER_S
    return status.used, status.budget.limit, status.used_ratio, status.burn_rate, exhausted_s
