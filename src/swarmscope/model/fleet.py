"""The fleet: what `analysis.agents` finds in spans, as it is stored and told. Counts are those before sampling."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum, StrEnum

import numpy as np
from numpy.typing import NDArray

from swarmscope.model.agents import AgentSpans, Vocabulary
from swarmscope.model.labels import DEFAULT_TENANT

GRAIN_NS = 60_000_000_000  # edges and usage are kept by minutes: of a span's end, rounded down
# Durations are counted in buckets: bucket i holds those below FIRST_BOUND_NS * 2 ** (i / BUCKETS_PER_OCTAVE), the last
# one all longer ones (from 35 minutes on). A quantile read from them is off by 13 % at most.
FIRST_BOUND_NS = 1_000_000
BUCKETS_PER_OCTAVE = 3
N_DURATION_BUCKETS = 64


class AgentState(StrEnum):
    """What an agent is doing, as the registry tells it; `model.fleet.STATE_NUMBERS` is the series' value."""

    ACTIVE = "active"
    IDLE = "idle"
    DEGRADED = "degraded"
    STALLED = "stalled"
    LOOPING = "looping"
    DEADLOCKED = "deadlocked"
    OFFLINE = "offline"


# The value of `agi_agent_status`; larger is worse, but that an agent is offline says nothing of its health.
STATE_NUMBERS = {state: number for number, state in enumerate(AgentState)}


class FindingKind(StrEnum):
    """What can go wrong between agents."""

    REPEAT = "repeat"  # the same step again and again
    CYCLE = "cycle"  # A calls B calls C calls A, again and again
    PING_PONG = "ping_pong"  # two agents hand the same thing to and fro
    NO_PROGRESS = "no_progress"
    RETRY_STORM = "retry_storm"
    RUNAWAY_COST = "runaway_cost"
    DEADLOCK = "deadlock"
    STARVATION = "starvation"
    DUPLICATED_WORK = "duplicated_work"
    CRASH = "crash"  # an agent fell silent in the middle of its work
    BUDGET = "budget"  # a budget is used up, or will be before its period ends


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that went wrong, with its evidence. The same trouble keeps its `id` while it lasts."""

    id: str
    kind: FindingKind
    agents: tuple[str, ...]  # sorted but for cycles, which are in the order of calls
    begin_ns: int
    end_ns: int  # when it was last seen to last; 0 while it does
    confidence: float  # 0 … 1, see docs/agents.md
    summary: str  # one sentence
    evidence: dict[str, object] = field(default_factory=dict)  # JSON: traces, spans, counts, what it was compared with
    tenant: str = DEFAULT_TENANT


@dataclass(frozen=True, slots=True)
class AgentRecord:
    """One agent, as any signal has shown it."""

    name: str
    first_seen_ns: int
    last_seen_ns: int
    id: str = ""
    team: str = ""
    version: str = ""
    model: str = ""  # the one it used last
    provider: str = ""
    framework: str = ""
    service: str = ""
    tenant: str = DEFAULT_TENANT


class EdgeMeasure(IntEnum):
    """The columns of `Edges.measures`."""

    COUNT = 0
    ERRORS = 1
    DURATION_S = 2  # sum
    PAYLOAD_BYTES = 3  # sum of those that are known
    COST_USD = 4  # of what the target did inside this interaction
    TOKENS = 5  # of the same


@dataclass(frozen=True, slots=True)
class Edges:
    """Interactions by minute, source, target, type and the versions of both sides [n], codes of a `Vocabulary`."""

    minute_ns: NDArray[np.int64]  # [n] start of the minute, a multiple of GRAIN_NS
    source: NDArray[np.uint32]  # [n]
    target: NDArray[np.uint32]  # [n]
    type: NDArray[np.uint8]  # [n] InteractionType
    source_version: NDArray[np.uint32]  # [n]
    target_version: NDArray[np.uint32]  # [n]
    measures: NDArray[np.float64]  # [n, len(EdgeMeasure)]
    durations: NDArray[np.uint32]  # [n, N_DURATION_BUCKETS]

    def __len__(self) -> int:
        return len(self.minute_ns)


class UsageMeasure(IntEnum):
    """The columns of `Usage.measures`."""

    SPANS = 0
    ERRORS = 1
    INFERENCES = 2  # calls of models
    TOOL_CALLS = 3
    BUSY_S = 4  # durations of the agent's own steps: model and tool calls
    INPUT_TOKENS = 5
    OUTPUT_TOKENS = 6
    CACHED_TOKENS = 7
    REASONING_TOKENS = 8
    COST_USD = 9
    UNPRICED_TOKENS = 10  # of models for which no price is known


@dataclass(frozen=True, slots=True)
class Usage:
    """What agents did and used, by minute, agent, version, team, provider, model, operation and tool [n]."""

    minute_ns: NDArray[np.int64]  # [n] start of the minute, a multiple of GRAIN_NS
    agent: NDArray[np.uint32]  # [n]
    agent_version: NDArray[np.uint32]  # [n]
    team: NDArray[np.uint32]  # [n]
    provider: NDArray[np.uint32]  # [n]
    model: NDArray[np.uint32]  # [n]
    operation: NDArray[np.uint8]  # [n] AgentOperation
    tool: NDArray[np.uint32]  # [n]
    measures: NDArray[np.float64]  # [n, len(UsageMeasure)]

    def __len__(self) -> int:
        return len(self.minute_ns)


@dataclass(frozen=True, slots=True)
class FleetRows:
    """What is written at once. Edges and usage are what is to be ADDED to what their minutes hold already.

    `spans` say something of agents, and their `agent` is settled: inherited from an ancestor where need was.
    """

    spans: AgentSpans
    caller: NDArray[np.uint32]  # [n_spans] the agent that the span's agent works for here, NO_TEXT for none
    edges: Edges
    usage: Usage
    agents: tuple[AgentRecord, ...] = ()
    findings: tuple[Finding, ...] = ()
    tenant: str = DEFAULT_TENANT


@dataclass(frozen=True, slots=True)
class AgentSpanRequest:
    """Which stored spans of agents: start_ns <= end of span < end_ns, and what is given of the rest."""

    start_ns: int
    end_ns: int
    agents: tuple[str, ...] = ()
    conversation: str | None = None
    trace_ids: tuple[bytes, ...] = ()
    max_spans: int = 100_000


@dataclass(frozen=True, slots=True)
class StoredAgentSpans:
    """Spans out of the store, in order of their start; codes are of `vocabulary`, which is the store's own."""

    spans: AgentSpans
    caller: NDArray[np.uint32]  # [n]
    vocabulary: Vocabulary


@dataclass(frozen=True, slots=True)
class ConversationSummary:
    """One conversation in a list."""

    id: str
    begin_ns: int
    end_ns: int
    agents: tuple[str, ...]
    traces: int
    spans: int
    errors: int
    input_tokens: int
    output_tokens: int
    cost_usd: float
