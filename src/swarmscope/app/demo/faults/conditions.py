"""Faults in what agents depend on, or in themselves: tools, models, memory, values, processes, versions."""

from __future__ import annotations

from swarmscope.app.demo.faults.truth import Injection
from swarmscope.app.demo.simulation.members import Agent
from swarmscope.app.demo.simulation.timeline import NS_PER_S, Flow
from swarmscope.app.demo.simulation.world import World

_PACE_S = 2.0
_SLOW_FACTOR = 7.0
_FULL_SHARE = 0.97  # of the memory that an agent may use
_LOWEST_ALIGNMENT = 0.5
_BAD_FAILURE_SHARE = 0.45
_BAD_SLOWNESS = 1.8


def _agents(world: World, injection: Injection) -> list[Agent]:
    return [world.agents[name] for name in injection.agents]


def _last(world: World, injection: Injection, seconds: float) -> Flow:
    injection.begin_ns = world.now_ns
    yield int(seconds * NS_PER_S)
    injection.end_ns = world.now_ns


def tool_outage(world: World, injection: Injection, seconds: float) -> Flow:
    """A tool refuses every call."""
    tool = str(injection.details["tool"])
    world.tools_down.add(tool)
    yield from _last(world, injection, seconds)
    world.tools_down.discard(tool)


def slow_model(world: World, injection: Injection, seconds: float) -> Flow:
    """A model takes seven times as long."""
    model = str(injection.details["model"])
    injection.details["factor"] = _SLOW_FACTOR
    world.model_slowness[model] = _SLOW_FACTOR
    yield from _last(world, injection, seconds)
    del world.model_slowness[model]


def memory_leak(world: World, injection: Injection, seconds: float) -> Flow:
    """An agent's memory grows until nearly all that it may use is used; then it is restarted."""
    [agent] = _agents(world, injection)
    injection.begin_ns = world.now_ns
    room = int(agent.memory_limit_bytes * _FULL_SHARE) - agent.memory_bytes
    paces = int(seconds / _PACE_S)
    for pace in range(paces):
        agent.leaked_bytes = room * (pace + 1) // paces
        yield int(_PACE_S * NS_PER_S)
    agent.leaked_bytes = 0
    injection.end_ns = world.now_ns


def alignment_drift(world: World, injection: Injection, seconds: float) -> Flow:
    """What the pretended evaluator finds of an agent becomes worse and worse, until the agent is set right."""
    [agent] = _agents(world, injection)
    injection.begin_ns, healthy = world.now_ns, agent.alignment
    paces = int(seconds / _PACE_S)
    for pace in range(paces):
        agent.alignment = healthy + (_LOWEST_ALIGNMENT - healthy) * (pace + 1) / paces
        yield int(_PACE_S * NS_PER_S)
    agent.alignment = healthy
    injection.end_ns = world.now_ns


def agent_crash(world: World, injection: Injection, seconds: float) -> Flow:
    """An agent's process dies in the middle of its work, and is started again after `seconds`."""
    [agent] = _agents(world, injection)
    while not agent.running:
        yield NS_PER_S // 5
    world.crash(agent)
    yield from _last(world, injection, seconds)
    world.restart(agent)


def bad_deploy(world: World, injection: Injection, seconds: float) -> Flow:
    """Some agents of a role get a new version that is slower and often fails; then the old one again."""
    agents = _agents(world, injection)
    old = agents[0].version
    major, minor, _ = old.split(".")
    new = f"{major}.{int(minor) + 1}.0"
    injection.details |= {"from_version": old, "to_version": new}
    for agent in agents:
        agent.version, agent.failure_share, agent.slowness = new, _BAD_FAILURE_SHARE, _BAD_SLOWNESS
    yield from _last(world, injection, seconds)
    for agent in agents:
        agent.version, agent.failure_share, agent.slowness = old, 0.0, 1.0


def cascading_failure(world: World, injection: Injection, seconds: float) -> Flow:
    """The warehouse is down; first who writes queries suffers, then who waits for those."""
    injection.begin_ns = world.now_ns
    world.tools_down.add("execute_sql")
    agents = _agents(world, injection)
    for role, failure_share in (("sql-writer", 0.7), ("analyst", 0.5)):
        yield int(seconds / 3 * NS_PER_S)
        for agent in agents:
            if agent.role.name == role:
                agent.failure_share, agent.slowness = failure_share, 2.5
    yield int(seconds / 3 * NS_PER_S)
    world.tools_down.discard("execute_sql")
    for agent in agents:
        agent.failure_share, agent.slowness = 0.0, 1.0
    injection.end_ns = world.now_ns
