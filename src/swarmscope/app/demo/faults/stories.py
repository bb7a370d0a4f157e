"""Faults in what agents do with one another: waiting in a circle, repeating, handing to and fro, spending."""

from __future__ import annotations

from swarmscope.app.demo.faults.truth import Injection
from swarmscope.app.demo.simulation.events import Step, StepKind
from swarmscope.app.demo.simulation.jobs import Doing, Job
from swarmscope.app.demo.simulation.members import Agent
from swarmscope.app.demo.simulation.steps import Message, Size, chat, tell_agent, try_tool
from swarmscope.app.demo.simulation.timeline import NS_PER_S, Flow, Work
from swarmscope.app.demo.simulation.work import review
from swarmscope.app.demo.simulation.world import World

_LOOK_EVERY_NS = NS_PER_S // 5
_SHORT = Size(0.4, 0.3)
_HUGE = Size(20.0, 2.5)
_MIN_ROUNDS = 8


def _until_idle(world: World, root: Step, agents: list[Agent]) -> Flow:
    """Take no new jobs, and wait until the old ones are done.

    Who is ready waits for the others in a step of its own: an agent that neither works nor says anything while
    others wait for it could not be told from one that died, and is no part of the fault.
    """
    steps: list[Step] = []
    for agent in agents:
        agent.is_held = True
    while any(agent.running for agent in agents):
        ready = {step.agent for step in steps}
        free = [agent for agent in agents if not agent.running and agent.name not in ready]
        steps += [world.begin(world.span(StepKind.AGENT, root, agent, agent.name)) for agent in free]
        yield _LOOK_EVERY_NS
    for step in steps:
        world.end(step)


def _root(world: World, workflow: str) -> Step:
    root = world.span(StepKind.WORKFLOW, None, world.pick("planner"), workflow)
    root.agent, root.conversation = "", world.new_conversation()
    return world.begin(root)


def deadlock(world: World, injection: Injection, seconds: float) -> Flow:
    """Each agent waits for the next one's answer, the last for the first's; all give up after `seconds`."""
    agents = [world.agents[name] for name in injection.agents]
    root, waiting = _root(world, "joint_change"), []
    yield from _until_idle(world, root, agents)

    def waits_for(other: Agent) -> Doing:
        def doing(world: World, agent: Agent, step: Step) -> Work:
            yield from chat(world, agent, step, f"what does {other.name} need of the joint change?", _SHORT)
            waiting.append(agent.name)
            if len(waiting) == len(agents):
                injection.begin_ns = world.now_ns
            message = Message(StepKind.INTERACTION, "task", f"give me your part first, {other.name}")
            error = yield from tell_agent(world, step, other, message, review("the joint change"), seconds)
            injection.end_ns = injection.end_ns or world.now_ns
            return error

        return doing

    jobs = [Job(waits_for(other), root) for other in agents[1:] + agents[:1]]
    for agent, job in zip(agents, jobs, strict=True):
        world.run_job(agent, job)
    while any(agent.running for agent in agents):
        yield _LOOK_EVERY_NS
    world.end(root, "timeout")
    for agent in agents:
        world.release(agent)


def loop(world: World, injection: Injection, seconds: float) -> Flow:
    """One agent makes the same call of a tool again and again."""
    agent = world.agents[injection.agents[0]]
    tool = str(injection.details.setdefault("tool", "read_page"))
    subject = world.some_subject()

    def doing(world: World, agent: Agent, step: Step) -> Work:
        injection.begin_ns = world.now_ns
        end_ns = world.now_ns + int(seconds * NS_PER_S)
        while world.now_ns < end_ns:
            yield from chat(world, agent, step, f"what is next for {subject}?", _SHORT)
            yield from try_tool(world, agent, step, tool, f'{{"url": "/pages/{subject}"}}')
        injection.end_ns = world.now_ns
        return "MaxIterationsError"

    yield from _alone(world, agent, doing, "stuck_reading")


def cost_runaway(world: World, injection: Injection, seconds: float) -> Flow:
    """One agent calls its model with ever the largest context, about a hundred times its usual cost a second."""
    agent = world.agents[injection.agents[0]]

    def doing(world: World, agent: Agent, step: Step) -> Work:
        injection.begin_ns = world.now_ns
        end_ns = world.now_ns + int(seconds * NS_PER_S)
        while world.now_ns < end_ns:
            yield from chat(world, agent, step, f"reconsider everything, and {world.some_subject()}", _HUGE)
        injection.end_ns = world.now_ns
        return ""

    yield from _alone(world, agent, doing, "deep_reflection")


def _alone(world: World, agent: Agent, doing: Doing, workflow: str) -> Flow:
    root = _root(world, workflow)
    yield from _until_idle(world, root, [agent])
    world.run_job(agent, Job(doing, root))
    while agent.running:
        yield _LOOK_EVERY_NS
    world.end(root)
    world.release(agent)


def hand_around(world: World, injection: Injection, seconds: float) -> Flow:
    """The same thing is handed from agent to agent and comes round again: two of them, or more."""
    agents = [world.agents[name] for name in injection.agents]
    root, subject = _root(world, "whose_is_it"), world.some_subject()
    yield from _until_idle(world, root, agents)
    parent, position = root, 0
    injection.begin_ns = world.now_ns
    end_ns = world.now_ns + int(seconds * NS_PER_S)
    # With slow models too it comes round often enough to be no usual handing over.
    while world.now_ns < end_ns or position < _MIN_ROUNDS * len(agents):
        agent, other = agents[position % len(agents)], agents[(position + 1) % len(agents)]
        position += 1
        step = world.begin(world.span(StepKind.AGENT, parent, agent, agent.name))
        yield from chat(world, agent, step, f"is {subject} mine?", _SHORT)
        parent = world.span(StepKind.HANDOFF, step, agent, other.name)
        parent.target, parent.interaction, parent.arguments = other.name, "handoff", f'{{"task": "{subject}"}}'
        parent.payload_bytes = len(parent.arguments)
        world.begin(parent)
        yield world.spread(0.02)
        world.end(parent)
        world.end(step)
    injection.end_ns = world.now_ns
    injection.details["handoffs"] = position
    world.end(root, "MaxIterationsError")
    for agent in agents:
        world.release(agent)
