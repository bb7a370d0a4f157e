"""What happens in the pretended fleet. Times are Unix nanoseconds of the simulation; nothing here knows of a wire."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum

from swarmscope.app.demo.simulation.members import Model


class StepKind(IntEnum):
    """What a step is; each becomes one span."""

    WORKFLOW = 1
    AGENT = 2  # an agent works on what it was given
    PLAN = 3
    CHAT = 4
    EMBEDDINGS = 5
    TOOL = 6
    RETRIEVAL = 7
    MEMORY = 8
    INTERACTION = 9  # one agent tells another something and waits for the answer
    HANDOFF = 10
    A2A = 11
    MCP_CLIENT = 12
    MCP_SERVER = 13
    DATABASE = 14
    PUBLISH = 15
    CONSUME = 16
    EVALUATE = 17
    REFLECTION = 18  # a look at the state of the whole fleet
    MODULE = 19
    PATHWAY = 20


@dataclass(slots=True, eq=False)
class Step:
    """One step of one agent. `end_ns` is 0 while it lasts; a step of an agent that crashed never ends."""

    kind: StepKind
    trace_id: int  # 128 bits
    span_id: int  # 64 bits
    parent_id: int  # 0 for a root
    start_ns: int
    service: str
    agent: str = ""  # "" for tools and databases, which are no agents
    version: str = ""
    about: str = ""  # the tool, the workflow, the method, the database …
    conversation: str = ""
    target: str = ""  # the agent that is told, called or handed control to
    interaction: str = ""
    arguments: str = ""
    payload_bytes: int = -1
    model: Model | None = None
    input_tokens: int = 0  # cached ones included
    output_tokens: int = 0
    cached_tokens: int = 0
    link: Step | None = None
    end_ns: int = 0
    error: str = ""
    numbers: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Began:
    """A step starts."""

    at_ns: int
    step: Step


@dataclass(frozen=True, slots=True)
class Ended:
    """A step is over; its `end_ns` and `error` are set."""

    at_ns: int
    step: Step


@dataclass(frozen=True, slots=True)
class Line:
    """An agent writes a log line in the course of a step."""

    at_ns: int
    step: Step
    severity: str  # INFO, WARN, ERROR
    text: str
    fields: dict[str, str | int | float]


@dataclass(frozen=True, slots=True)
class Evaluated:
    """The pretended evaluator has looked at an agent's work. The score is a number of the simulation."""

    at_ns: int
    step: Step  # the evaluator's
    agent: str
    score: float  # 0 … 1
    label: str


@dataclass(frozen=True, slots=True)
class Gauge:
    """One agent at one moment."""

    agent: str
    queue: int
    memory_bytes: int
    memory_limit_bytes: int


@dataclass(frozen=True, slots=True)
class Measured:
    """All agents that are up, each few seconds."""

    at_ns: int
    gauges: tuple[Gauge, ...]


@dataclass(frozen=True, slots=True)
class BrainState:
    """What teams did and told each other in the last while, in the form of the SDK's JSON Schema."""

    at_ns: int
    neural_connectivity: tuple[tuple[float, ...], ...]  # [n_teams, n_teams] interactions a second
    units: tuple[str, ...]  # [n_teams]
    coherence_by_region: dict[str, float]  # team → share of its jobs that succeeded
    activity: tuple[float, ...]  # [n_teams] jobs a second


@dataclass(frozen=True, slots=True)
class Crashed:
    """An agent's process is gone; its open steps never end, and it tells nothing until it is back."""

    at_ns: int
    agent: str


Event = Began | Ended | Line | Evaluated | Measured | BrainState | Crashed
