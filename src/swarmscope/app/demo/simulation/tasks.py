"""Where work comes from: tasks of several turns, evaluations, measurements."""

from __future__ import annotations

import math
from typing import NamedTuple

from swarmscope.app.demo.simulation.events import BrainState, Evaluated, Gauge, Measured, Step, StepKind
from swarmscope.app.demo.simulation.jobs import Doing, Job
from swarmscope.app.demo.simulation.members import MIB, TEAMS, Agent
from swarmscope.app.demo.simulation.steps import Size, chat
from swarmscope.app.demo.simulation.timeline import NS_PER_S, Flow, Work
from swarmscope.app.demo.simulation.work import plan, sort_out
from swarmscope.app.demo.simulation.world import World

_TURNS_PER_S = 0.9
_WAVE_S = 900.0  # busy and quiet times alternate
_MEASURE_EVERY_S = 5.0
_EVALUATE_EVERY_S = 1.0
_BRAIN_EVERY_S = 10.0
_LOWEST_GOOD_SCORE = 0.8
# A task whose turn takes longer than this has failed.
_TURN_PATIENCE_S = 300.0


class Kind(NamedTuple):
    """A kind of task: its workflow, who takes part in which order, how often it comes, and its turns at most."""

    workflow: str
    roles: tuple[str, ...]
    share: int
    turns: int


_KINDS = (
    Kind("build_feature", ("researcher", "coder"), 4, 2),
    Kind("write_report", ("researcher", "analyst", "critic"), 3, 2),
    Kind("fix_incident", ("analyst", "coder"), 2, 1),
    Kind("answer_question", (), 3, 3),
)


def arrivals(world: World) -> Flow:
    """Tasks come in at random, more of them in busy times."""
    while True:
        load = 1.0 + 0.5 * math.sin(2 * math.pi * world.now_ns / NS_PER_S / _WAVE_S)
        yield int(world.random.expovariate(_TURNS_PER_S * 0.6 * load * world.rate) * NS_PER_S)
        kind = world.random.choices(_KINDS, [kind.share for kind in _KINDS])[0]
        world.timeline.start(task(world, kind))


def task(world: World, kind: Kind) -> Flow:
    """One conversation: a trace for each turn."""
    conversation, subject = world.new_conversation(), world.some_subject()
    lead = world.pick("planner" if kind.roles else "dispatcher")
    for turn in range(world.random.randint(1, kind.turns)):
        words = f"{subject}, turn {turn + 1}"
        root = world.span(StepKind.WORKFLOW, None, lead, kind.workflow)
        root.agent, root.conversation = "", conversation
        world.begin(root)
        doing: Doing = plan(words, kind.roles) if kind.roles else sort_out(words)
        error = yield from world.ask(lead, Job(doing, root), _TURN_PATIENCE_S)
        world.end(root, error)
        yield world.spread(4.0)


def evaluations(world: World) -> Flow:
    """The evaluators look at every other agent in turn."""
    watched = [name for name, agent in world.agents.items() if agent.role.name not in ("evaluator", "planner")]
    position = 0
    while True:
        yield int(_EVALUATE_EVERY_S * NS_PER_S)
        target = world.agents[watched[position % len(watched)]]
        position += 1
        if target.is_up:
            root = world.span(StepKind.WORKFLOW, None, world.pick("evaluator"), "evaluate_fleet")
            root.agent, root.conversation = "", world.new_conversation()
            world.timeline.start(_evaluation(world, root, target))


def _evaluation(world: World, root: Step, target: Agent) -> Flow:
    world.begin(root)
    error = yield from world.ask(world.pick("evaluator"), Job(_evaluate(target), root))
    world.end(root, error)


def _evaluate(target: Agent) -> Doing:
    def doing(world: World, agent: Agent, step: Step) -> Work:
        evaluation = world.begin(world.span(StepKind.EVALUATE, step, agent, "value_alignment"))
        words = f"does {target.name} follow its values? sample {world.random.randrange(100_000)}"
        error = yield from chat(world, agent, evaluation, words, Size(0.6, 0.5))
        if not error:
            score = min(1.0, max(0.0, target.alignment + world.random.gauss(0, 0.015)))
            target.last_score = score
            label = "aligned" if score >= _LOWEST_GOOD_SCORE else "drifting"
            world.events.append(Evaluated(world.now_ns, evaluation, target.name, score, label))
            if label == "drifting":
                world.tell(evaluation, "WARN", f"{target.name} drifts from its values", score=round(score, 3))
        world.end(evaluation, error)
        return error

    return doing


def measurements(world: World) -> Flow:
    """Queues and memory of all agents that are up."""
    while True:
        yield int(_MEASURE_EVERY_S * NS_PER_S)
        gauges = []
        for agent in world.agents.values():
            wanted = agent.role.memory_mib * MIB * (1 + 0.03 * len(agent.queue) + 0.05 * bool(agent.running))
            noise = world.random.gauss(0, 2 * MIB)
            settled = agent.memory_bytes + (wanted - agent.memory_bytes) * 0.2 + noise
            agent.memory_bytes = int(max(settled, 64 * MIB))
            if agent.is_up:
                used = min(agent.memory_bytes + agent.leaked_bytes, agent.memory_limit_bytes)
                gauges.append(Gauge(agent.name, len(agent.queue), used, agent.memory_limit_bytes))
        world.events.append(Measured(world.now_ns, tuple(gauges)))


def reflections(world: World) -> Flow:
    """What the teams did and told each other since the last time."""
    while True:
        yield int(_BRAIN_EVERY_S * NS_PER_S)
        rates = tuple(
            tuple(world.told.get((source, target), 0) / _BRAIN_EVERY_S for target in TEAMS) for source in TEAMS
        )
        done = {team: world.jobs.get(team, [0, 0]) for team in TEAMS}
        coherence = {team: 1 - failed / jobs for team, (jobs, failed) in done.items() if jobs}
        activity = tuple(done[team][0] / _BRAIN_EVERY_S for team in TEAMS)
        world.events.append(BrainState(world.now_ns, rates, TEAMS, coherence, activity))
        world.told.clear()
        world.jobs.clear()
        _reflect(world, rates, activity)


def _reflect(world: World, rates: tuple[tuple[float, ...], ...], activity: tuple[float, ...]) -> None:
    root = world.begin(world.span(StepKind.REFLECTION, None, None, "fleet-mind"))
    for number, team in enumerate(TEAMS):
        module = world.span(StepKind.MODULE, root, None, "fleet-mind")
        module.about = team
        module.numbers = {"module.activity": activity[number], "module.connections": sum(map(bool, rates[number]))}
        world.end(world.begin(module))
        for other, rate in zip(TEAMS, rates[number], strict=True):
            if rate:
                pathway = world.span(StepKind.PATHWAY, root, None, "fleet-mind")
                pathway.about, pathway.numbers = f"{team}-{other}", {"pathway.strength": rate}
                world.end(world.begin(pathway))
    world.end(root)
