"""How well what goes wrong in the demo fleet is found: `python -m bench.detection [SEEDS] [SECONDS]`.

The simulation's steps become spans as agents tell them (an open one is announced after a second, then every ten
seconds until it ends or its agent's process is gone); whose work they are is found by `SpanForest`, as in the program.
"""

from __future__ import annotations

import hashlib
import sys
import time
from collections import Counter, defaultdict
from dataclasses import fields

import numpy as np

from swarmscope.analysis.agents.forest import SpanForest
from swarmscope.analysis.agents.pathologies import detect
from swarmscope.analysis.agents.pathologies.tracker import FindingTracker
from swarmscope.analysis.agents.pathologies.window import FleetWindow
from swarmscope.analysis.agents.usage import to_usage
from swarmscope.app.demo.simulation.events import Began, Crashed, Ended, Step, StepKind
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
        self._settled: list = []
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

    def _take(self, event, ended: list[Step]) -> None:
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


def score(story: Story, found: list[tuple[int, Finding]]) -> dict[str, tuple[int, int, int, list[float], list[str]]]:
    """By fault: injected, found, wrongly found, seconds to detection, and what was wrong in words."""
    last_ns = story.events[-1].at_ns
    scores = {}
    for fault, kind in KINDS.items():
        # What began less than a minute before the end had no time to show.
        truth = [
            each for each in story.truth if each.kind == fault and each.begin_ns and last_ns - each.begin_ns > 60 * S
        ]
        findings = [(at_ns, finding) for at_ns, finding in found if finding.kind == kind]
        delays, wrong, hit = [], [], set()
        for at_ns, finding in findings:
            matches = [
                number for number, each in enumerate(story.truth)
                if each.kind == fault and each.begin_ns and set(each.agents) & set(finding.agents)
                and each.begin_ns <= at_ns <= (each.end_ns or last_ns) + LATE_NS
            ]  # fmt: skip
            if not matches:
                wrong.append(f"{finding.summary} ({', '.join(finding.agents)})")
            for number in matches:
                if number not in hit and story.truth[number] in truth:
                    delays.append((at_ns - story.truth[number].begin_ns) / S)
                hit.add(number)
        n_found = sum(story.truth.index(each) in hit for each in truth)
        missed = [f"missed: {each.kind} {each.agents}" for each in truth if story.truth.index(each) not in hit]
        scores[fault] = (len(truth), n_found, len(wrong), delays, wrong + missed)
    return scores


def main() -> None:
    """Print precision, recall and time to detection by fault."""
    seeds, seconds = int(sys.argv[1]) if len(sys.argv) > 1 else 20, float(sys.argv[2]) if len(sys.argv) > 2 else 620.0
    sums: dict[str, Counter] = defaultdict(Counter)
    delays, others = defaultdict(list), Counter()
    begin = time.process_time()
    for seed in range(1, seeds + 1):
        story = simulate(seed, seconds)
        found = Replay().run(story)
        others.update(finding.kind.value for _, finding in found)
        for fault, (injected, hit, wrong, late, words) in score(story, found).items():
            sums[fault].update(injected=injected, found=hit, wrong=wrong)
            delays[fault] += late
            for line in words:
                print(f"seed {seed} {fault}: {line}", flush=True)
    for fault, each in sums.items():
        recall = each["found"] / max(each["injected"], 1)
        precision = each["found"] / max(each["found"] + each["wrong"], 1)
        late = sorted(delays[fault]) or [float("nan")]
        print(
            f"{fault:13} injected {each['injected']:3} precision {precision:.3f} recall {recall:.3f} "
            f"time to detection {late[len(late) // 2]:.0f} s, at most {late[-1]:.0f} s"
        )
    print("findings", dict(others), f"{time.process_time() - begin:.0f} CPU-s")


if __name__ == "__main__":
    main()
