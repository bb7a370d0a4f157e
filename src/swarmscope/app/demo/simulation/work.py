"""What the roles do when they are asked."""

from __future__ import annotations

from swarmscope.app.demo.simulation.events import Step, StepKind
from swarmscope.app.demo.simulation.jobs import Doing
from swarmscope.app.demo.simulation.members import Agent
from swarmscope.app.demo.simulation.steps import Message, Size, chat, embed, publish, tell_agent, use_tool
from swarmscope.app.demo.simulation.timeline import Work
from swarmscope.app.demo.simulation.world import World

_REJECTED_SHARE = 0.2
_FLAGGED_SHARE = 0.05
_SHORT = Size(0.5, 0.3)


def research(subject: str) -> Doing:
    """Search, read, summarise."""

    def doing(world: World, agent: Agent, step: Step) -> Work:
        yield from embed(world, agent, step)
        error = yield from use_tool(world, agent, step, "vector_search", f'{{"query": "{subject}"}}')
        error = error or (yield from use_tool(world, agent, step, "web_search", f'{{"q": "{subject} causes"}}'))
        if not error and world.random.random() < 0.5:
            number = world.random.randrange(10_000)
            error = yield from use_tool(world, agent, step, "read_page", f'{{"url": "/pages/{number}"}}')
        if not error:
            error = yield from chat(world, agent, step, f"summarise what is known of {subject}")
        if not error and world.random.random() < 0.25:
            message = Message(StepKind.INTERACTION, "message", f"remember: {subject}")
            error = yield from tell_agent(world, step, world.pick("librarian"), message, remember(subject))
        world.tell(step, "ERROR" if error else "INFO", "research failed" if error else "research done", subject=subject)
        return error

    return doing


def remember(subject: str) -> Doing:
    """Write a memory."""

    def doing(world: World, agent: Agent, step: Step) -> Work:
        memory = world.span(StepKind.MEMORY, step, agent, "upsert_memory")
        memory.arguments = subject
        world.begin(memory)
        yield world.spread(0.03)
        world.end(memory)
        return ""

    return doing


def write_code(subject: str) -> Doing:
    """Write, run the tests, have it reviewed; once more when it is rejected."""

    def doing(world: World, agent: Agent, step: Step) -> Work:
        error = ""
        for attempt in (1, 2):
            error = yield from chat(world, agent, step, f"write a change for {subject}, attempt {attempt}")
            path = f'{{"path": "src/part_{world.random.randrange(10_000)}.py", "attempt": {attempt}}}'
            error = error or (yield from use_tool(world, agent, step, "write_file", path))
            error = error or (yield from _have_tested(world, step, subject))
            if error:
                break
            error = yield from _have_reviewed(world, step, f"{subject}, attempt {attempt}")
            if error or world.random.random() > _REJECTED_SHARE:
                break
            world.tell(step, "WARN", "rejected by the critic", subject=subject, attempt=attempt)
        world.tell(step, "ERROR" if error else "INFO", "change failed" if error else "change done", subject=subject)
        return error

    return doing


def _have_tested(world: World, step: Step, subject: str) -> Work:
    agent = world.agents[step.agent]
    if world.random.random() < 0.7:
        suite = f'{{"suite": "suite_{world.random.randrange(10_000)}"}}'
        return (yield from use_tool(world, agent, step, "run_tests", suite))
    message = Message(StepKind.INTERACTION, "task", f"test the change for {subject}")
    return (yield from tell_agent(world, step, world.pick("tester"), message, test_change(subject)))


def _have_reviewed(world: World, step: Step, words: str) -> Work:
    message = Message(StepKind.A2A, "review", f"review {words}")
    return (yield from tell_agent(world, step, world.pick("critic"), message, review(words)))


def test_change(subject: str) -> Doing:
    """Run tests and read what they say."""

    def doing(world: World, agent: Agent, step: Step) -> Work:
        suite = f'{{"suite": "all", "for": "{subject}", "run": {world.random.randrange(10_000)}}}'
        error = yield from use_tool(world, agent, step, "run_tests", suite)
        return error or (yield from chat(world, agent, step, f"explain the tests of {subject}"))

    return doing


def review(words: str) -> Doing:
    """Read, and say in a few words what to think of it."""

    def doing(world: World, agent: Agent, step: Step) -> Work:
        error = yield from chat(world, agent, step, f"review {words}")
        return error or (yield from chat(world, agent, step, f"sum up the review of {words}", _SHORT))

    return doing


def analyse(subject: str) -> Doing:
    """Have a query written, and read its answer."""

    def doing(world: World, agent: Agent, step: Step) -> Work:
        message = Message(StepKind.INTERACTION, "task", f"a query for {subject}")
        error = yield from tell_agent(world, step, world.pick("sql-writer"), message, write_sql(subject))
        error = error or (yield from chat(world, agent, step, f"read the numbers of {subject}"))
        world.tell(step, "ERROR" if error else "INFO", "analysis failed" if error else "analysis done", subject=subject)
        return error

    return doing


def write_sql(subject: str) -> Doing:
    """Write a query and run it."""

    def doing(world: World, agent: Agent, step: Step) -> Work:
        error = yield from chat(world, agent, step, f"write SQL for {subject}")
        sql = f'{{"statement": "count_events", "subject": {world.random.randrange(100_000)}}}'
        return error or (yield from use_tool(world, agent, step, "execute_sql", sql))

    return doing


def inspect(subject: str) -> Doing:
    """A safety monitor looks at what was made."""

    def doing(world: World, agent: Agent, step: Step) -> Work:
        error = yield from chat(world, agent, step, f"is {subject} safe?")
        if not error and world.random.random() < _FLAGGED_SHARE:
            world.tell(step, "WARN", "flagged for a closer look", subject=subject)
        return error

    return doing


def plan(subject: str, doings: tuple[str, ...]) -> Doing:
    """Decompose a task, have the parts done one after the other, have the result checked."""

    def doing(world: World, agent: Agent, step: Step) -> Work:
        planning = world.begin(world.span(StepKind.PLAN, step, agent, agent.name))
        error = yield from chat(world, agent, planning, f"plan {subject}")
        world.end(planning, error)
        for role in doings:
            if error:
                break
            error = yield from _have_done(world, step, role, subject)
        yield from publish(
            world, step, world.pick("safety-monitor"), f"check {subject}", inspect(subject)
        )  # fmt: skip
        world.tell(step, "ERROR" if error else "INFO", "task failed" if error else "task done", subject=subject)
        return error

    return doing


def _have_done(world: World, step: Step, role: str, subject: str) -> Work:
    """Ask an agent of a role; when it fails, once another one."""
    asked: list[str] = []
    error = ""
    for _ in range(2):
        target = world.pick(role, asked)
        asked.append(target.name)
        message = Message(StepKind.INTERACTION, "task", f"{role}: {subject}")
        error = yield from tell_agent(world, step, target, message, WORK_OF_ROLES[role](subject))
        if not error:
            return ""
    return error


def sort_out(subject: str) -> Doing:
    """A dispatcher reads a question and hands it over to who can answer it."""

    def doing(world: World, agent: Agent, step: Step) -> Work:
        error = yield from chat(world, agent, step, f"who can answer {subject}?")
        if error:
            return error
        role = world.random.choice(("researcher", "analyst"))
        message = Message(StepKind.HANDOFF, "handoff", subject)
        return (yield from tell_agent(world, step, world.pick(role), message, WORK_OF_ROLES[role](subject)))

    return doing


WORK_OF_ROLES = {
    "researcher": research, "coder": write_code, "critic": review, "analyst": analyse, "tester": test_change,
    "sql-writer": write_sql, "safety-monitor": inspect, "librarian": remember, "dispatcher": sort_out,
}  # fmt: skip
