"""How well what goes wrong in the demo fleet is found: `python -m bench.detection [FIRST] [LAST] [SECONDS]`.

Seeds 1 to 10 are those that thresholds were chosen by; 11 to 30, which are the default, are for measuring alone.

The simulation's steps become spans as agents tell them (an open one is announced after a second, then every ten
seconds until it ends or its agent's process is gone); whose work they are is found by `SpanForest`, as in the program.
"""

from __future__ import annotations

import hashlib
import math
import sys
import time
from collections import Counter
from dataclasses import dataclass, field, fields

import numpy as np

from swarmscope.analysis.agents.forest import SpanForest
from swarmscope.analysis.agents.pathologies import detect
from swarmscope.analysis.agents.pathologies.tracker import FindingTracker
from swarmscope.analysis.agents.pathologies.window import FleetWindow
from swarmscope.analysis.agents.settled import Settled
from swarmscope.analysis.agents.usage import to_usage
from swarmscope.app.demo.simulation.events import Began, Crashed, Ended, Event, Step, StepKind
from swarmscope.app.demo.simulation.members import make_agents
from swarmscope.app.demo.story import Story, simulate
from swarmscope.model.agents import AgentOperation, AgentSpans, InteractionType, Vocabulary
from swarmscope.model.fleet import Finding, FindingKind, Usage
from swarmscope.model.labels import Utf8Column
from swarmscope.model.spans import SpanStatus

S = 10**9
ROUND_NS = 5 * S
WINDOW_NS = 900 * S
LATE_NS = 45 * S  # for so long after a fault's end a finding still belongs to it
_OPERATIONS = {
    StepKind.WORKFLOW: AgentOperation.INVOKE_WORKFLOW, StepKind.AGENT: AgentOperation.INVOKE_AGENT,
    StepKind.PLAN: AgentOperation.PLAN, StepKind.CHAT: AgentOperation.CHAT,
    StepKind.EMBEDDINGS: AgentOperation.EMBEDDINGS, StepKind.TOOL: AgentOperation.EXECUTE_TOOL,
    StepKind.RETRIEVAL: AgentOperation.RETRIEVAL, StepKind.MEMORY: AgentOperation.MEMORY,
    StepKind.INTERACTION: AgentOperation.MESSAGE, StepKind.HANDOFF: AgentOperation.HANDOFF,
    StepKind.A2A: AgentOperation.MESSAGE, StepKind.EVALUATE: AgentOperation.EVALUATE,
}  # fmt: skip
_CHANNELS = {
    StepKind.INTERACTION: InteractionType.MESSAGE, StepKind.HANDOFF: InteractionType.HANDOFF,
    StepKind.A2A: InteractionType.A2A,
}  # fmt: skip
KINDS = {
    "deadlock": FindingKind.DEADLOCK, "loop": FindingKind.REPEAT, "cycle": FindingKind.CYCLE,
    "ping_pong": FindingKind.PING_PONG, "agent_crash": FindingKind.CRASH, "cost_runaway": FindingKind.RUNAWAY_COST,
}  # fmt: skip
_TEAMS = {name: agent.role.team for name, agent in make_agents(1.0).items()}


def _hash(text: str) -> int:
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "little") if text else 0


def to_spans(steps: list[Step], is_open: list[bool], vocabulary: Vocabulary) -> AgentSpans:
    """Steps as the normaliser gives them; prices are made up (3 and 15 USD per million tokens)."""
    spans = AgentSpans.blank(len(steps))
    for at, step in enumerate(steps):
        spans.trace_id[at] = np.frombuffer(step.trace_id.to_bytes(16, "big"), np.uint8)
        spans.span_id[at] = np.frombuffer(step.span_id.to_bytes(8, "big"), np.uint8)
        spans.span_key[at], spans.parent_key[at] = step.span_id, step.parent_id
        spans.start_ns[at], spans.end_ns[at] = step.start_ns, 0 if is_open[at] else step.end_ns
        spans.operation[at] = _OPERATIONS.get(step.kind, AgentOperation.NONE)
        spans.channel[at] = _CHANNELS.get(step.kind, InteractionType.NONE)
        spans.status[at] = SpanStatus.ERROR if step.error else SpanStatus.UNSET
        texts = {"agent": step.agent, "target": step.target, "service": step.service, "error_type": step.error,
                 "agent_version": step.version, "team": _TEAMS.get(step.agent, "")}  # fmt: skip
        texts["tool"] = step.about if step.kind == StepKind.TOOL else ""
        for name, text in texts.items():
            getattr(spans, name)[at] = vocabulary.code_of(text)
        spans.conversation_key[at], spans.content[at] = _hash(step.conversation), _hash(step.arguments)
        spans.payload_bytes[at] = step.payload_bytes
        if step.model is not None and not is_open[at]:
            spans.input_tokens[at], spans.output_tokens[at] = step.input_tokens, step.output_tokens
            spans.cost_usd[at] = step.input_tokens * 3e-6 + step.output_tokens * 15e-6
    spans.conversation = Utf8Column.from_strings([step.conversation for step in steps])
    return spans


class Replay:
    """One story as the fleet's watch sees it, in rounds."""

    def __init__(self) -> None:
        self._vocabulary = Vocabulary()
        self._forest = SpanForest(self._vocabulary, 1 << 17)
        self._tracker = FindingTracker(keep_ns=10**18)
        self._settled: list[Settled] = []
        self._usage: list[Usage] = []
        self._open: dict[int, Step] = {}
        self._told_ns: dict[int, int] = {}

    def run(self, story: Story) -> list[tuple[int, Finding]]:
        """Findings with the time at which each was found."""
        found, at, events = [], 0, story.events
        now_ns = events[0].at_ns
        while at < len(events):
            now_ns += ROUND_NS
            ended: list[Step] = []
            while at < len(events) and events[at].at_ns <= now_ns:
                self._take(events[at], ended)
                at += 1
            self._settle(ended, now_ns)
            news = self._tracker.update(detect(self._window(now_ns)), now_ns)
            found += [(now_ns, finding) for finding in news if not finding.end_ns]
        return found

    def _take(self, event: Event, ended: list[Step]) -> None:
        if isinstance(event, Began):
            self._open[event.step.span_id] = event.step
            self._told_ns[event.step.span_id] = event.at_ns - 9 * S  # the first time after one second
        elif isinstance(event, Ended):
            self._open.pop(event.step.span_id, None)
            ended.append(event.step)
        elif isinstance(event, Crashed):
            # With its process go the calls that it waited for.
            gone = {key for key, step in self._open.items() if step.agent == event.agent}
            for key, step in list(self._open.items()):
                if key in gone or (step.parent_id in gone and not step.agent):
                    gone.add(key)
                    del self._open[key]

    def _settle(self, ended: list[Step], now_ns: int) -> None:
        due = [step for key, step in self._open.items() if now_ns - self._told_ns[key] >= 10 * S]
        self._told_ns |= {step.span_id: now_ns for step in due}
        steps = due + ended
        batch = to_spans(steps, [True] * len(due) + [False] * len(ended), self._vocabulary)
        for settled in (self._forest.settle(batch, now_ns), self._forest.expire(now_ns)):
            if len(settled):
                self._settled.append(settled)
                self._usage.append(to_usage(settled))
        self._settled = [each for each in self._settled if int(each.spans.end_ns.max()) > now_ns - WINDOW_NS]

    def _window(self, now_ns: int) -> FleetWindow:
        parts = self._settled
        spans = AgentSpans.concat([each.spans for each in parts]) if parts else AgentSpans.blank(0)
        caller = np.concatenate([each.caller for each in parts]) if parts else np.zeros(0, np.uint32)
        columns = {
            field.name: np.concatenate([getattr(usage, field.name) for usage in self._usage]) for field in fields(Usage)
        }
        return FleetWindow(spans, caller, self._forest.open_spans(now_ns), Usage(**columns), now_ns, self._vocabulary)


@dataclass
class Score:
    """How one kind of fault was found."""

    n_injected: int = 0
    n_found: int = 0
    n_wrong: int = 0  # findings of its kind that no such fault explains
    delays_s: list[float] = field(default_factory=list)  # from the beginning of each that was found
    words: list[str] = field(default_factory=list)  # what was wrong or missed

    def __iadd__(self, other: Score) -> Score:
        self.n_injected += other.n_injected
        self.n_found += other.n_found
        self.n_wrong += other.n_wrong
        self.delays_s += other.delays_s
        self.words += other.words
        return self

    @property
    def recall(self) -> float:
        """NaN where nothing was injected."""
        return self.n_found / self.n_injected if self.n_injected else math.nan

    @property
    def precision(self) -> float:
        """NaN where nothing was found."""
        return self.n_found / (self.n_found + self.n_wrong) if self.n_found + self.n_wrong else math.nan


def wilson(hits: int, n: int) -> tuple[float, float]:
    """The 95 % interval of a share (Wilson 1927, Probable inference, the law of succession)."""
    if n == 0:
        return 0.0, 1.0
    z = 1.959964
    middle, width = hits / n + z * z / (2 * n), z * math.sqrt(hits * (n - hits) / n**3 + z * z / (4 * n * n))
    return (middle - width) / (1 + z * z / n), (middle + width) / (1 + z * z / n)


def score(story: Story, found: list[tuple[int, Finding]]) -> dict[str, Score]:
    """By fault. A finding is right while a fault of its kind lasts, or shortly after, and names none but its agents."""
    last_ns = story.events[-1].at_ns
    scores = {}
    for fault, kind in KINDS.items():
        truth = [each for each in story.truth if each.kind == fault and each.begin_ns]
        # What began less than a minute before the end had no time to show.
        due = [each for each in truth if last_ns - each.begin_ns > 60 * S]
        delays_s: dict[int, float] = {}  # by number in `truth`
        words = []
        for at_ns, finding in found:
            if finding.kind != kind:
                continue
            matches = [
                number for number, each in enumerate(truth)
                if finding.agents and set(finding.agents) <= set(each.agents)
                and each.begin_ns <= at_ns <= (each.end_ns or last_ns) + LATE_NS
            ]  # fmt: skip
            for number in matches:
                delays_s.setdefault(number, (at_ns - truth[number].begin_ns) / S)
            if not matches:
                words.append(f"wrong: {finding.summary} ({', '.join(finding.agents)})")
        hits = [number for number, each in enumerate(truth) if number in delays_s and each in due]
        missed = [f"missed: {each.agents}" for number, each in enumerate(truth) if each in due and number not in hits]
        delays = [delays_s[number] for number in hits]
        scores[fault] = Score(len(due), len(hits), len(words), delays, words + missed)
    return scores


def main() -> None:
    """Print precision, recall and time to detection by fault."""
    numbers = [*map(float, sys.argv[1:]), *(11, 30, 620)[len(sys.argv) - 1 :]]
    first, last, seconds = int(numbers[0]), int(numbers[1]), numbers[2]
    sums = {fault: Score() for fault in KINDS}
    others: Counter[str] = Counter()
    begin = time.process_time()
    for seed in range(first, last + 1):
        story = simulate(seed, seconds)
        found = Replay().run(story)
        others.update(finding.kind.value for _, finding in found)
        for fault, each in score(story, found).items():
            sums[fault] += each
            for line in each.words:
                print(f"seed {seed} {fault}: {line}", flush=True)
    for fault, each in sums.items():
        late = sorted(each.delays_s) or [math.nan]
        precision, recall = wilson(each.n_found, each.n_found + each.n_wrong), wilson(each.n_found, each.n_injected)
        print(
            f"{fault:13} injected {each.n_injected:3} found {each.n_found:3} wrong {each.n_wrong:3} "
            f"precision {each.precision:.3f} [{precision[0]:.3f}, {precision[1]:.3f}] "
            f"recall {each.recall:.3f} [{recall[0]:.3f}, {recall[1]:.3f}] "
            f"time to detection {late[len(late) // 2]:.0f} s, at most {late[-1]:.0f} s"
        )
    print("findings", dict(others), f"{time.process_time() - begin:.0f} CPU-s")


if __name__ == "__main__":
    main()
