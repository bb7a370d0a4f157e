"""The state of the pretended fleet, and what steps do to it: begin, end, wait for another agent."""

from __future__ import annotations

import random
from collections.abc import Sequence

from swarmscope.app.demo.simulation.events import Began, Crashed, Ended, Event, Line, Step, StepKind
from swarmscope.app.demo.simulation.jobs import OK, Job
from swarmscope.app.demo.simulation.members import Agent, make_agents
from swarmscope.app.demo.simulation.timeline import NS_PER_S, Flow, Process, Signal, Timeline, Waiting, Work

# How long an agent waits for another's answer before it gives up.
PATIENCE_S = 40.0
# Words in which tasks, queries and messages are told.
_SUBJECTS = (
    "billing export", "session store", "ranking model", "login flow", "invoice parser", "search index",
    "rate limiter", "audit trail", "image cache", "mobile sync", "price feed", "report builder", "queue consumer",
    "webhook relay", "feature flags", "data retention", "email digest", "access review", "backup job", "map tiles",
)  # fmt: skip
_ASPECTS = (
    "latency after the upgrade", "errors of last night", "missing rows", "memory of the worker", "the flaky test",
    "duplicate entries", "the new region", "an unclear contract", "costs per customer", "old records",
    "the slow query", "broken links", "time zones", "partial refunds", "the retry policy", "cold starts",
)  # fmt: skip


class World:
    """All that the simulation knows. `events` grows, in order of time, until somebody takes it."""

    def __init__(self, start_ns: int, seed: int, rate: float) -> None:
        self.timeline = Timeline(start_ns)
        self.rate = rate
        self.random = random.Random(f"behaviour {seed}")
        # Two runs of one seed at different times are different traces.
        self._ids = random.Random(f"ids {seed} {start_ns}")
        self.agents = make_agents(rate)
        self.events: list[Event] = []
        self.tools_down: set[str] = set()
        self.model_slowness: dict[str, float] = {}
        # Since the last brain state: interactions by (team, team), jobs and failed jobs by team.
        self.told: dict[tuple[str, str], int] = {}
        self.jobs: dict[str, list[int]] = {}

    @property
    def now_ns(self) -> int:
        """The time of the simulation."""
        return self.timeline.now_ns

    def some_subject(self) -> str:
        """What a task is about: a few words and a number, seldom the same twice."""
        number = self.random.randrange(1000, 99_999)
        return f"{self.random.choice(_SUBJECTS)}: {self.random.choice(_ASPECTS)} ({number})"

    def new_conversation(self) -> str:
        """An id."""
        return f"task-{self._ids.getrandbits(48):012x}"

    def span(self, kind: StepKind, parent: Step | None, agent: Agent | None, about: str = "") -> Step:
        """A step that begins now; of `agent`, or of the service `about` that is no agent."""
        return Step(
            kind,
            parent.trace_id if parent else self._ids.getrandbits(128),
            self._ids.getrandbits(64) | 1,
            parent.span_id if parent else 0,
            self.now_ns,
            agent.role.name if agent else about,
            agent.name if agent else "",
            agent.version if agent else "",
            about,
            parent.conversation if parent else "",
        )

    def begin(self, step: Step) -> Step:
        """The step is under way; everything about it that is known at its start is set."""
        self.events.append(Began(self.now_ns, step))
        return step

    def end(self, step: Step, error: str = "") -> None:
        """The step is over."""
        step.end_ns, step.error = self.now_ns, error
        self.events.append(Ended(self.now_ns, step))

    def tell(self, step: Step, severity: str, text: str, **fields: str | float) -> None:
        """Write a log line."""
        self.events.append(Line(self.now_ns, step, severity, text, fields))

    def spread(self, seconds: float, sigma: float = 0.3) -> int:
        """Nanoseconds around a median."""
        return int(seconds * self.random.lognormvariate(0.0, sigma) * NS_PER_S)

    def of_role(self, role: str, unless: Sequence[str] = ()) -> list[Agent]:
        """The agents of a role, by name."""
        return [agent for agent in self.agents.values() if agent.role.name == role and agent.name not in unless]

    def pick(self, role: str, unless: Sequence[str] = ()) -> Agent:
        """The less busy of two. Nobody knows at once who has crashed."""
        members = self.of_role(role, unless) or self.of_role(role)
        two = [self.random.choice(members), self.random.choice(members)]
        return min(two, key=lambda agent: len(agent.queue) + len(agent.running))

    def ask(self, agent: Agent, job: Job, patience_s: float | None = PATIENCE_S) -> Work:
        """Put a job into an agent's queue and wait for the reply."""
        self.put(agent, job)
        timeout_ns = None if patience_s is None else int(patience_s * NS_PER_S)
        reply = yield Waiting(job.reply, timeout_ns)
        if reply is None:
            job.reply.has_fired = True
            if job in agent.queue:
                agent.queue.remove(job)
            return "timeout"
        return "" if reply == OK else str(reply)

    def put(self, agent: Agent, job: Job) -> None:
        """Put a job into an agent's queue."""
        agent.queue.append(job)
        self.dispatch(agent)

    def dispatch(self, agent: Agent) -> None:
        """Start what the agent has room for."""
        while agent.is_up and not agent.is_held and agent.queue and len(agent.running) < agent.slots:
            self.run_job(agent, agent.queue.popleft())

    def run_job(self, agent: Agent, job: Job) -> None:
        """Start one job, whether there is room or not."""
        done = Signal()
        process = self.timeline.start(self._work(agent, job, done))
        agent.running.append(process)
        self.timeline.start(self._leave(agent, process, done))

    def _leave(self, agent: Agent, process: Process, done: Signal) -> Flow:
        yield Waiting(done)
        if process in agent.running:
            agent.running.remove(process)
        self.dispatch(agent)

    def _work(self, agent: Agent, job: Job, done: Signal) -> Flow:
        kind = StepKind.CONSUME if job.link is not None else StepKind.AGENT
        step = self.span(kind, None if job.link is not None else job.parent, agent, agent.name)
        step.conversation, step.link = job.parent.conversation, job.link
        self.begin(step)
        error = yield from job.doing(self, agent, step)
        if not error and self.random.random() < agent.failure_share:
            error = "InvalidOutputError"
            self.tell(step, "ERROR", f"{agent.name} gave no valid answer", error=error, version=agent.version)
        self.end(step, error)
        counts = self.jobs.setdefault(agent.role.team, [0, 0])
        counts[0] += 1
        counts[1] += bool(error)
        self.timeline.fire(done, OK)
        self.timeline.fire(job.reply, error or OK)

    def crash(self, agent: Agent) -> None:
        """The agent's process is gone: nothing that it was doing ever ends."""
        agent.is_up = False
        self.events.append(Crashed(self.now_ns, agent.name))
        for process in agent.running:
            process.stop()
        agent.running.clear()

    def restart(self, agent: Agent) -> None:
        """A new process, with what still waits in the queue."""
        agent.is_up, agent.leaked_bytes = True, 0
        self.dispatch(agent)

    def release(self, agent: Agent) -> None:
        """The agent takes jobs again."""
        agent.is_held = False
        self.dispatch(agent)
