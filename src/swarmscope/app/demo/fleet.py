"""What the pretended agents do: a small simulation, the same for the same seed and sequence of ticks.

The numbers are made up to look like a working fleet. Nothing here stands for a measurement of intelligence: there is
no Φ, no coordination score and no alignment score, because nothing in this simulation could be measured for them.
"""

from __future__ import annotations

import math
import random
from dataclasses import dataclass, field

_MIB = 1024 * 1024
# One agent at a time gets stuck for a while, so that there is something to find.
_STALL_EVERY_S = 600
_STALL_LENGTH_S = 150
_WAVE_S = 900  # busy and quiet times alternate


@dataclass(frozen=True, slots=True)
class Model:
    """A language model with list prices in US dollars per million tokens."""

    provider: str
    name: str
    input_usd: float
    output_usd: float
    seconds_per_1k_output: float


@dataclass(frozen=True, slots=True)
class Role:
    """A kind of agent: how many there are, what they call, how often and how much."""

    name: str
    agents: int
    model: Model
    calls_per_minute: float
    input_tokens: int  # median of a call
    output_tokens: int  # median of a call
    activities: tuple[str, ...]
    memory_mib: int


LARGE = Model("example", "reasoner-large", 3.0, 15.0, 18.0)
MEDIUM = Model("example", "worker-medium", 0.8, 4.0, 9.0)
SMALL = Model("example", "guard-small", 0.1, 0.4, 4.0)
ROLES = (
    Role("planner", 4, LARGE, 3.0, 6_000, 900, ("plan", "delegate", "review"), 700),
    Role("researcher", 14, MEDIUM, 6.0, 9_000, 600, ("search", "read", "summarise"), 500),
    Role("coder", 12, LARGE, 5.0, 12_000, 1_500, ("edit", "run_tests", "debug"), 900),
    Role("critic", 8, MEDIUM, 4.0, 7_000, 400, ("review", "reject", "approve"), 400),
    Role("safety-monitor", 6, SMALL, 20.0, 1_500, 40, ("inspect", "flag"), 250),
)


@dataclass(frozen=True, slots=True)
class Call:
    """One call of a model. `error` is empty when it succeeded."""

    input_tokens: int
    output_tokens: int
    duration_s: float
    cost_usd: float
    error: str = ""


@dataclass(slots=True)
class Agent:
    """One agent and its state."""

    name: str
    role: Role
    queue: int = 0
    memory_bytes: int = 0
    is_stalled: bool = False

    @property
    def memory_limit_bytes(self) -> int:
        """What the agent may use."""
        return 2 * self.role.memory_mib * _MIB


@dataclass(slots=True)
class Activity:
    """What one agent did in one tick."""

    agent: Agent
    calls: list[Call] = field(default_factory=list)
    activities: dict[str, int] = field(default_factory=dict)


class Fleet:
    """All agents. `tick` moves time forward."""

    def __init__(self, seed: int = 1) -> None:
        self._random = random.Random(seed)
        self._now_s = 0.0
        self._stalled_until_s = 0.0
        self._next_stall_s = float(_STALL_EVERY_S)
        self.agents = [
            Agent(f"{role.name}-{number:02d}", role, memory_bytes=role.memory_mib * _MIB)
            for role in ROLES
            for number in range(1, role.agents + 1)
        ]

    def tick(self, seconds: float) -> list[Activity]:
        """Let `seconds` pass; what every agent did meanwhile, idle ones included."""
        self._now_s += seconds
        self._choose_stalled()
        load = 1.0 + 0.6 * math.sin(2 * math.pi * self._now_s / _WAVE_S)
        return [self._work(agent, seconds, load) for agent in self.agents]

    def _choose_stalled(self) -> None:
        if self._now_s >= self._next_stall_s:
            self._next_stall_s += _STALL_EVERY_S
            self._stalled_until_s = self._now_s + _STALL_LENGTH_S
            self._random.choice(self.agents).is_stalled = True
        elif self._now_s >= self._stalled_until_s:
            for agent in self.agents:
                agent.is_stalled = False

    def _work(self, agent: Agent, seconds: float, load: float) -> Activity:
        done = Activity(agent)
        rate = agent.role.calls_per_minute / 60 * seconds
        agent.queue += self._poisson(rate * load)
        if not agent.is_stalled:
            # An agent works a little faster than the average load comes in, so queues drain in quiet times.
            for _ in range(min(agent.queue, self._poisson(rate * 1.25))):
                agent.queue -= 1
                done.calls.append(self._call(agent.role))
                activity = self._random.choice(agent.role.activities)
                done.activities[activity] = done.activities.get(activity, 0) + 1
        wanted = agent.role.memory_mib * _MIB * (1 + 0.03 * agent.queue)
        noise = self._random.gauss(0, 2 * _MIB)
        memory = agent.memory_bytes + (wanted - agent.memory_bytes) * 0.1 + noise
        agent.memory_bytes = int(min(max(memory, 64 * _MIB), agent.memory_limit_bytes))
        return done

    def _call(self, role: Role) -> Call:
        model = role.model
        input_tokens = max(1, round(role.input_tokens * self._random.lognormvariate(0, 0.5)))
        output_tokens = max(1, round(role.output_tokens * self._random.lognormvariate(0, 0.6)))
        duration_s = 0.3 + output_tokens / 1000 * model.seconds_per_1k_output * self._random.lognormvariate(0, 0.25)
        if self._random.random() < 0.01:
            return Call(input_tokens, 0, duration_s, input_tokens * model.input_usd / 1e6, "timeout")
        cost_usd = (input_tokens * model.input_usd + output_tokens * model.output_usd) / 1e6
        return Call(input_tokens, output_tokens, duration_s, cost_usd)

    def _poisson(self, mean: float) -> int:
        """Knuth's method; means are small here."""
        bound, count, product = math.exp(-mean), 0, self._random.random()
        while product > bound:
            count += 1
            product *= self._random.random()
        return count
