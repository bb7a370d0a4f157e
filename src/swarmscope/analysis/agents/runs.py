"""One trace as a run of several agents: what it waited for, and who did it."""

from __future__ import annotations

from dataclasses import dataclass

from swarmscope.model.fleet import StoredAgentSpans


@dataclass(frozen=True, slots=True)
class PathStep:
    """A stretch of the critical path in which one span was what the run waited for."""

    agent: str  # empty where no agent is known
    name: str  # of the span
    operation: str
    model: str
    tool: str
    span_id: str
    begin_ns: int
    end_ns: int


@dataclass(frozen=True, slots=True)
class AgentTime:
    """How an agent spent the run: work + waiting + idle = the run's duration."""

    agent: str
    work_s: float  # some span of its own open, of which no child of another agent runs
    waiting_s: float  # its spans are open, and all of them wait for children of other agents
    idle_s: float  # no span of its own is open
    critical_s: float
    critical_share: float  # of the run's duration, 0 … 1


@dataclass(frozen=True, slots=True)
class Run:
    """One trace."""

    begin_ns: int
    end_ns: int
    path: tuple[PathStep, ...]  # in order of time, without gaps
    agents: tuple[AgentTime, ...]  # by share of the critical path, the largest first


def to_run(stored: StoredAgentSpans, now_ns: int) -> Run:
    """The run that these spans of one trace are, settled; open spans are taken to last until `now_ns`.

    Raises ValueError where there is no span.
    """
    raise NotImplementedError
