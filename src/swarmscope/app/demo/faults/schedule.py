"""Which faults there are, whom they strike, and when: all of them within ten minutes, with quiet in between."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple

from swarmscope.app.demo.faults import conditions, stories
from swarmscope.app.demo.faults.truth import Injection
from swarmscope.app.demo.simulation.members import ROLES
from swarmscope.app.demo.simulation.timeline import NS_PER_S, Flow
from swarmscope.app.demo.simulation.world import World

_QUIET_S = 45.0  # at the start of each round
_SPACING_S = 36.0
_LAST_S = 123.0  # from the beginning of the last slot to the end of the round: all of it is over
# Each of these has one job at a time, and is one of several of its role.
_WORKERS = ("researcher", "coder", "critic", "analyst", "sql-writer")
_TOOL_USERS = {"web_search": "researcher", "run_tests": "coder", "vector_search": "researcher"}


class Fault(NamedTuple):
    """A kind of fault: how long it lasts, whom it strikes, and what it does."""

    seconds: float
    choose: Callable[[World, set[str]], Injection]
    run: Callable[[World, Injection, float], Flow]


def _some(kind: str, count: int) -> Callable[[World, set[str]], Injection]:
    def choose(world: World, struck: set[str]) -> Injection:
        free = [name for name, agent in world.agents.items() if agent.role.name in _WORKERS and name not in struck]
        return Injection(kind, tuple(world.random.sample(free, count)))

    return choose


def _choose_busy(world: World, struck: set[str]) -> Injection:
    free = [agent for role in ("researcher", "coder") for agent in world.of_role(role, tuple(struck))]
    return Injection("agent_crash", (world.random.choice([agent for agent in free if agent.running] or free).name,))


def _choose_tool(world: World, struck: set[str]) -> Injection:
    tool = world.random.choice(list(_TOOL_USERS))
    agents = tuple(agent.name for agent in world.of_role(_TOOL_USERS[tool]))
    return Injection("tool_outage", agents, details={"tool": tool})


def _choose_model(world: World, struck: set[str]) -> Injection:
    model = world.random.choice(sorted({role.model.name for role in ROLES if role.name in _WORKERS}))
    agents = tuple(name for name, agent in world.agents.items() if agent.role.model.name == model)
    return Injection("slow_model", agents, details={"model": model})


def _choose_version(world: World, struck: set[str]) -> Injection:
    role = world.random.choice(("researcher", "coder", "critic"))
    # Seven, eight and six of them; the other faults strike fewer than five at a time.
    members = [agent.name for agent in world.of_role(role, tuple(struck))]
    return Injection("bad_deploy", tuple(members[: max(2, len(members) // 2)]), details={"role": role})


def _choose_data_team(world: World, struck: set[str]) -> Injection:
    return Injection(
        "cascading_failure", tuple(name for name, agent in world.agents.items() if agent.role.team == "data"),
        details={"tool": "execute_sql"},
    )  # fmt: skip


FAULTS: dict[str, Fault] = {
    "memory_leak": Fault(240.0, _some("memory_leak", 1), conditions.memory_leak),
    "alignment_drift": Fault(240.0, _some("alignment_drift", 1), conditions.alignment_drift),
    "deadlock": Fault(60.0, _some("deadlock", 2), stories.deadlock),
    "loop": Fault(40.0, _some("loop", 1), stories.loop),
    "cycle": Fault(40.0, _some("cycle", 3), stories.hand_around),
    "ping_pong": Fault(40.0, _some("ping_pong", 2), stories.hand_around),
    "tool_outage": Fault(50.0, _choose_tool, conditions.tool_outage),
    "slow_model": Fault(50.0, _choose_model, conditions.slow_model),
    "cost_runaway": Fault(45.0, _some("cost_runaway", 1), stories.cost_runaway),
    "agent_crash": Fault(75.0, _choose_busy, conditions.agent_crash),
    "bad_deploy": Fault(90.0, _choose_version, conditions.bad_deploy),
    "cascading_failure": Fault(60.0, _choose_data_team, conditions.cascading_failure),
}
_BROAD = ("tool_outage", "slow_model")  # they strike whole roles, and nobody's own process
_SLOW = ("memory_leak", "alignment_drift")  # they come first, so that a round ends with all healthy


def parse_faults(text: str) -> tuple[str, ...]:
    """Names of faults out of `a,b`, `all` or `none`. Raises ValueError for a name that there is not."""
    if text == "none":
        return ()
    names = tuple(FAULTS) if text == "all" else tuple(name.strip() for name in text.split(","))
    for name in names:
        if name not in FAULTS:
            raise ValueError(f"there is no fault {name!r}; there are {', '.join(FAULTS)}")
    return names


def schedule(world: World, names: Iterable[str], truth: list[Injection]) -> Flow:
    """Inject the named faults in rounds for ever; what is injected is appended to `truth`."""
    chosen = list(dict.fromkeys(names))
    while chosen:
        yield int(_QUIET_S * NS_PER_S)
        early = [name for name in chosen if name in _SLOW]
        rest = [name for name in chosen if name not in _SLOW]
        world.random.shuffle(rest)
        for name in early + rest:
            fault = FAULTS[name]
            # Who is struck already, or was in this minute, is left alone.
            recent_ns = world.now_ns - 60 * NS_PER_S
            struck = {
                agent
                for each in truth
                if each.kind not in _BROAD and (not each.end_ns or each.end_ns > recent_ns)
                for agent in each.agents
            }
            injection = fault.choose(world, struck)
            truth.append(injection)
            world.timeline.start(fault.run(world, injection, fault.seconds))
            yield int(_SPACING_S * NS_PER_S)
        yield int(_LAST_S * NS_PER_S)
