"""What is thought of one tenant's fleet: the state of each agent, and what goes wrong."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from swarmscope.analysis.agents.settled import OpenSpans
from swarmscope.fleet.queries import BudgetView
from swarmscope.fleet.recent import Recent
from swarmscope.fleet.series import Family, Labels, SeriesTable, labels
from swarmscope.model.fleet import STATE_NUMBERS, AgentRecord, AgentState, Finding

_ACTIVE_NS, _OFFLINE_NS = 60 * 10**9, 600 * 10**9
_STATUS = (Family("agi_agent_status", "gauge", "State of an agent: " + ", ".join(
    f"{number} {state.value}" for state, number in STATE_NUMBERS.items()) + "."),)  # fmt: skip
_INFO = (Family("agi_agent_info", "gauge", "Always 1; the labels say what is known of an agent."),)
_FINDINGS = (Family("agi_agent_findings", "gauge", "Findings that last, by what they are and whom they touch."),)
FAMILIES = (_STATUS, _INFO, _FINDINGS)


@dataclass(frozen=True, slots=True)
class StandingStatus:
    """The state that an agent is in."""

    state: AgentState
    reason: str
    since_ns: int


class Judgement:
    """Not thread-safe."""

    def __init__(self, max_agents: int, seed: int) -> None:
        self._status = SeriesTable(_STATUS, max_agents, seed)
        self._info = SeriesTable(_INFO, max_agents, seed)
        self._findings = SeriesTable(_FINDINGS, max_agents, seed)
        self.statuses: dict[str, StandingStatus] = {}
        self.budgets: tuple[BudgetView, ...] = ()
        self._known: dict[str, Finding] = {}
        self._news: list[Finding] = []
        self._changed: dict[str, Finding] = {}

    def judge(self, records: Sequence[AgentRecord], recent: Recent, opened: OpenSpans, now_ns: int) -> None:
        """Look at what is there now."""
        del recent, opened
        statuses = {}
        for record in records:
            age_ns = now_ns - record.last_seen_ns
            state = AgentState.ACTIVE if age_ns < _ACTIVE_NS else AgentState.IDLE
            state = AgentState.OFFLINE if age_ns >= _OFFLINE_NS else state
            known = self.statuses.get(record.name)
            since_ns = known.since_ns if known is not None and known.state == state else now_ns
            statuses[record.name] = StandingStatus(state, f"last seen {age_ns // 10**9} s ago", since_ns)
        self.statuses = statuses

    def findings(self) -> tuple[Finding, ...]:
        """Those that last, and those that ended lately."""
        return tuple(self._known.values())

    def take_news(self) -> list[Finding]:
        """Findings that began or ended since the last call."""
        news, self._news = self._news, []
        return news

    def take_changed(self) -> tuple[Finding, ...]:
        """Findings that are not as they were last written."""
        changed, self._changed = self._changed, {}
        return tuple(changed.values())

    def keep_changed(self, findings: tuple[Finding, ...]) -> None:
        """These are still to be written."""
        self._changed = {finding.id: finding for finding in findings} | self._changed

    def tables(self, records: Sequence[AgentRecord], now_ms: int) -> list[SeriesTable]:
        """Series of what was thought last; `records` are of agents that are remembered."""
        status = {labels(agent_name=name): (float(STATE_NUMBERS[told.state]),) for name, told in self.statuses.items()}
        self._status.replace(status, now_ms)
        self._info.replace({_info_labels(record): (1.0,) for record in records}, now_ms)
        counts: dict[Labels, int] = {}
        for finding in self.findings():
            for name in finding.agents if not finding.end_ns else ():
                key = labels(kind=finding.kind.value, agent_name=name)
                counts[key] = counts.get(key, 0) + 1
        self._findings.replace({key: (float(count),) for key, count in counts.items()}, now_ms)
        return [self._status, self._info, self._findings]


def _info_labels(record: AgentRecord) -> Labels:
    return labels(
        agent_name=record.name, agent_id=record.id, team=record.team, version=record.version, model=record.model,
        framework=record.framework, service=record.service,
    )  # fmt: skip
