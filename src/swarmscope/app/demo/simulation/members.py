"""Who is in the pretended fleet: 42 agents of six teams, their models and tools. The figures are made up."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from swarmscope.app.demo.simulation.jobs import Job
    from swarmscope.app.demo.simulation.timeline import Process

MIB = 1024 * 1024


class Wording(StrEnum):
    """The convention that a team's instrumentation follows."""

    CURRENT = "current"  # OpenTelemetry's conventions from 1.37 on
    LEGACY = "legacy"  # those up to 1.36
    OPENINFERENCE = "openinference"
    OPENLLMETRY = "openllmetry"


@dataclass(frozen=True, slots=True)
class Model:
    """A language model by its public name, and how fast it is here."""

    provider: str
    name: str
    first_token_s: float
    s_per_1k_output: float
    input_usd: float  # a million tokens, for the sender's own counter of cost
    output_usd: float


GPT = Model("openai", "gpt-4.1", 0.30, 2.4, 2.0, 8.0)
GPT_MINI = Model("openai", "gpt-4.1-mini", 0.20, 1.5, 0.4, 1.6)
CLAUDE = Model("anthropic", "claude-sonnet-4-5", 0.35, 2.8, 3.0, 15.0)
HAIKU = Model("anthropic", "claude-haiku-4-5", 0.15, 1.2, 1.0, 5.0)
GEMINI = Model("gcp.gemini", "gemini-2.5-flash", 0.15, 1.1, 0.3, 2.5)
MISTRAL = Model("mistral_ai", "mistral-small-latest", 0.15, 1.2, 0.1, 0.3)
EMBEDDER = Model("openai", "text-embedding-3-small", 0.04, 0.0, 0.02, 0.0)


@dataclass(frozen=True, slots=True)
class Role:
    """A kind of agent."""

    name: str
    team: str
    agents: int
    model: Model
    wording: Wording
    input_tokens: int  # median of a call
    output_tokens: int  # median of a call
    memory_mib: int
    version: str
    is_wide: bool = False  # waits for others most of the time, so it has many jobs at once


ROLES = (
    Role("planner", "planning", 4, CLAUDE, Wording.CURRENT, 3_200, 420, 700, "3.1.0", is_wide=True),
    Role("dispatcher", "planning", 2, GPT_MINI, Wording.CURRENT, 900, 60, 300, "1.8.2", is_wide=True),
    Role("researcher", "research", 7, GPT, Wording.CURRENT, 5_200, 380, 500, "2.6.1"),
    Role("librarian", "research", 1, GPT_MINI, Wording.CURRENT, 1_400, 120, 900, "2.6.1"),
    Role("coder", "coding", 8, CLAUDE, Wording.CURRENT, 7_500, 700, 900, "4.2.0"),
    Role("tester", "coding", 2, GPT_MINI, Wording.OPENLLMETRY, 2_200, 180, 600, "4.2.0"),
    Role("critic", "review", 6, GEMINI, Wording.OPENINFERENCE, 4_100, 260, 400, "1.3.4"),
    Role("analyst", "data", 3, MISTRAL, Wording.LEGACY, 2_900, 240, 500, "0.9.7"),
    Role("sql-writer", "data", 3, MISTRAL, Wording.LEGACY, 1_700, 140, 450, "0.9.7"),
    Role("safety-monitor", "safety", 4, HAIKU, Wording.CURRENT, 900, 30, 250, "2.0.3"),
    Role("evaluator", "safety", 2, HAIKU, Wording.CURRENT, 1_800, 60, 300, "2.0.3"),
)
TEAMS = tuple(dict.fromkeys(role.team for role in ROLES))
TOOLS = ("web_search", "read_page", "write_file", "run_tests", "execute_sql", "vector_search")


@dataclass(slots=True, eq=False)
class Agent:
    """One agent and its state."""

    name: str
    role: Role
    slots: int  # jobs at once
    version: str
    memory_bytes: int
    queue: deque[Job] = field(default_factory=deque)
    running: list[Process] = field(default_factory=list)
    is_up: bool = True
    is_held: bool = False  # takes no new jobs
    failure_share: float = 0.0  # of its jobs, because of its version
    slowness: float = 1.0  # factor on the durations of its steps
    leaked_bytes: int = 0
    alignment: float = 0.94  # what the pretended evaluator finds, but for noise
    last_score: float | None = None

    @property
    def memory_limit_bytes(self) -> int:
        """What the agent may use."""
        return 2 * self.role.memory_mib * MIB

    @property
    def is_idle(self) -> bool:
        """Whether it has nothing to do."""
        return self.is_up and not self.is_held and not self.running and not self.queue


def make_agents(rate: float) -> dict[str, Agent]:
    """All agents by name; at a higher rate each has more slots."""
    width = max(1, round(rate))
    return {
        name: Agent(
            name, role, width * (6 if role.is_wide else 1), role.version, memory_bytes=role.memory_mib * MIB
        )
        for role in ROLES
        for name in (f"{role.name}-{number:02d}" for number in range(1, role.agents + 1))
    }  # fmt: skip
