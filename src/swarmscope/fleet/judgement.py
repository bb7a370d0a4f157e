"""What is thought of one tenant's fleet: the state of each agent, what goes wrong, and how far budgets are used up."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from swarmscope.analysis.agents.settled import OpenSpans
from swarmscope.fleet.finding_tracker import FindingTracker
from swarmscope.fleet.queries import BudgetView
from swarmscope.fleet.recent import Recent
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
    vocabulary: Vocabulary
    now_ns: int


@dataclass(frozen=True, slots=True)
class StandingStatus:
    """The state that an agent is in."""

    state: AgentState
    reason: str
    since_ns: int


class Verdict(NamedTuple):
    """What a judge thinks: the state of each agent with its reason, all that goes wrong now, and the budgets."""

    states: dict[str, tuple[AgentState, str]]
    findings: Sequence[Finding]
    budgets: Sequence[BudgetView] = ()


Judge = Callable[[FleetMoment], Verdict]


class Judgement:
    """What the judge thought last, and since when. Not thread-safe."""

    def __init__(self, judge: Judge, max_agents: int, seed: int) -> None:
        self._judge = judge
        self._status = SeriesTable(_STATUS, max_agents, seed)
        self._info = SeriesTable(_INFO, max_agents, seed)
        self._findings = SeriesTable(_FINDINGS, _MAX_SERIES, seed)
        self._budgets = SeriesTable(_BUDGETS, _MAX_SERIES, seed)
        self.statuses: dict[str, StandingStatus] = {}
        self.budgets: tuple[BudgetView, ...] = ()
        self.findings = FindingTracker()

    def judge(self, moment: FleetMoment) -> None:
        """Look at what is there now."""
        verdict = self._judge(moment)
        statuses = {}
        for name, (state, reason) in verdict.states.items():
            known = self.statuses.get(name)
            since_ns = known.since_ns if known is not None and known.state == state else moment.now_ns
            statuses[name] = StandingStatus(state, reason, since_ns)
        self.statuses = statuses
        self.budgets = tuple(verdict.budgets)
        self.findings.update(verdict.findings, moment.now_ns)

    def tables(self, records: Sequence[AgentRecord], now_ms: int) -> list[SeriesTable]:
        """Series of what was thought last; `records` are of agents that are remembered."""
        status = {labels(agent_name=name): (float(STATE_NUMBERS[told.state]),) for name, told in self.statuses.items()}
        self._status.replace(status, now_ms)
        self._info.replace({_info_labels(record): (1.0,) for record in records}, now_ms)
        counts: dict[Labels, int] = {}
        for finding in self.findings.all():
            for name in finding.agents if not finding.end_ns else ():
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


def _budget_labels(budget: BudgetView) -> Labels:
    return labels(budget=budget.name, scope=budget.scope, subject=budget.subject, unit=budget.unit)


def _budget_values(budget: BudgetView) -> tuple[float | None, ...]:
    exhausted_s = None if budget.exhausted_ns is None else budget.exhausted_ns / _NS_PER_S
    return budget.used, budget.limit, budget.used_ratio, budget.burn_rate, exhausted_s
