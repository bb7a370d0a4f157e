"""What can be asked of the fleet, as it is now and as it was. Times are nanoseconds, ranges half-open."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from swarmscope.analysis.agents.budgets import BudgetStatus
from swarmscope.analysis.agents.conversations import Conversation
from swarmscope.analysis.agents.graphs import Graph
from swarmscope.analysis.agents.runs import Run
from swarmscope.model.agents import Vocabulary
from swarmscope.model.fleet import AgentRecord, AgentState, ConversationSummary, Edges, Finding, Usage


@dataclass(frozen=True, slots=True)
class AgentView:
    """One agent in the list; the figures are of the last hour."""

    record: AgentRecord
    state: AgentState
    reason: str  # one sentence
    since_ns: int  # when it came into this state
    spans: float = 0
    errors: float = 0
    input_tokens: float = 0
    output_tokens: float = 0
    cost_usd: float = 0
    open_spans: int = 0  # announced, and not ended


@dataclass(frozen=True, slots=True)
class FleetEdges:
    """Interactions of a range: what is stored, and what is not yet; no minute counts twice."""

    edges: Edges
    vocabulary: Vocabulary


@dataclass(frozen=True, slots=True)
class FleetUsage:
    """Usage of a range, as `FleetEdges`."""

    usage: Usage
    vocabulary: Vocabulary


@dataclass(frozen=True, slots=True)
class AgentDetail:
    """One agent: what it is, does and uses in a range, and what goes wrong with it."""

    agent: AgentView
    edges: FleetEdges  # those that it is a side of
    usage: FleetUsage  # by model, operation and tool
    findings: tuple[Finding, ...]  # the newest first


class FleetView(Protocol):
    """The live view. Called from worker threads; raises UnavailableError when the store cannot be asked."""

    def agents(self, tenant: str) -> list[AgentView]:
        """All agents that are known, by name."""
        ...

    def agent(self, tenant: str, name: str, start_ns: int, end_ns: int) -> AgentDetail | None:
        """One agent; None where nothing is known of it."""
        ...

    def graph(self, tenant: str, start_ns: int, end_ns: int) -> Graph:
        """Agents and their interactions in the range, with what they did themselves."""
        ...

    def edges(self, tenant: str, start_ns: int, end_ns: int, *, by_minute: bool = False) -> FleetEdges:
        """The interactions of the range, for what a graph does not tell: versions, minutes."""
        ...

    def usage(
        self, tenant: str, start_ns: int, end_ns: int, by: tuple[str, ...], *, by_minute: bool = False
    ) -> FleetUsage:
        """Usage summed over all but the columns `by`, names of `Usage`'s columns."""
        ...

    def conversations(
        self, tenant: str, start_ns: int, end_ns: int, max_conversations: int = 100
    ) -> list[ConversationSummary]:
        """Conversations that have spans in the range, the newest first."""
        ...

    def conversation(self, tenant: str, conversation: str) -> Conversation | None:
        """One conversation, across its traces; None where it is not known."""
        ...

    def run(self, tenant: str, trace_id: bytes) -> Run | None:
        """One trace as a run of agents, out of all of its spans; None where it is not known."""
        ...

    def findings(self, tenant: str, start_ns: int, end_ns: int) -> list[Finding]:
        """Findings that lasted in the range, the newest first."""
        ...

    def budgets(self, tenant: str) -> list[BudgetStatus]:
        """All budgets that the settings name, one for each subject."""
        ...
