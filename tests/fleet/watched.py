"""A watch over a fleet with a clock that tests move, and plain spans to tell it of."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from swarmscope.fleet.judgement import Rules
from swarmscope.fleet.live_view import LiveFleet
from swarmscope.fleet.low_water import LowWaterMarks
from swarmscope.fleet.recovery import SpanSource
from swarmscope.fleet.settings import FleetSettings
from swarmscope.fleet.watch import FleetOutlets, FleetSources, FleetWatch
from swarmscope.ingest.genai.normaliser import SpanNormaliser
from swarmscope.ingest.genai.prices import Prices
from swarmscope.model.agents import Vocabulary
from swarmscope.model.staleness import STALE_BITS
from swarmscope.query.promql.memory_reader import MemoryReader
from swarmscope.testing.memory_fleet import MemoryFleet
from swarmscope.testing.memory_log_reader import MemoryLogReader
from swarmscope.testing.memory_span_reader import MemorySpanReader
from swarmscope.testing.plain_spans import NO_SPAN, PlainSpan, span_id, to_batch, trace_id
from swarmscope.testing.sinks import RecordingLogSink, RecordingSink

NS = 1_000_000_000
START_NS = 1_700_000_040 * NS  # a whole minute
PRICED = {"gen_ai.usage.input_tokens": 1000, "gen_ai.usage.output_tokens": 100, "gen_ai.usage.cost": 0.25}


@dataclass
class MovedClock:
    """A clock that stands until it is moved."""

    ns: int = START_NS

    def now_ns(self) -> int:
        return self.ns


def span(number: int, operation: str = "", *, parent: int = 0, trace: int = 1, at_s: float = 0.0, took_s: float = 1.0,
         status: int = 0, service: str = "crew", **said: object) -> PlainSpan:  # fmt: skip
    """A span that began `at_s` after the start; `said`: attributes with `_` for the dots behind `gen_ai`."""
    attributes = {
        {
            "agent": "gen_ai.agent.name",
            "model": "gen_ai.request.model",
            "tool": "gen_ai.tool.name",
            "conversation": "gen_ai.conversation.id",
        }.get(name, name): value
        for name, value in said.items()
    }
    if operation:
        attributes["gen_ai.operation.name"] = operation
    begin = START_NS + round(at_s * NS)
    return PlainSpan(
        trace_id(trace), span_id(number), operation or "work", begin, begin + round(took_s * NS),
        span_id(parent) if parent else NO_SPAN, 1, status, attributes=attributes,  # type: ignore[arg-type]
        resource={"service.name": service},
    )  # fmt: skip


@dataclass
class Watched:
    """Everything around a watch, in memory; `again` is the next process on the same folder and stores."""

    folder: Path
    settings: FleetSettings = field(default_factory=FleetSettings)
    clock: MovedClock = field(default_factory=MovedClock)
    vocabulary: Vocabulary = field(default_factory=Vocabulary)
    metrics: RecordingSink = field(default_factory=RecordingSink)
    lines: RecordingLogSink = field(default_factory=RecordingLogSink)
    reader: MemoryReader = field(default_factory=MemoryReader)
    log_reader: MemoryLogReader = field(default_factory=MemoryLogReader)
    spans: MemorySpanReader = field(default_factory=MemorySpanReader)
    rules: Rules = field(default_factory=Rules)
    store: MemoryFleet = field(init=False)

    def __post_init__(self) -> None:
        self.store = MemoryFleet(self.vocabulary)
        self.again()

    def again(self) -> None:
        """A new process; what the old one had in memory is gone."""
        self.normaliser = SpanNormaliser(self.vocabulary, 99, Prices())
        source = SpanSource(self.spans, self.normaliser.normalise)
        sources = FleetSources(
            self.store, self.reader, self.log_reader, LowWaterMarks(self.folder / "marks.json", NS), source,
            self.store.stored_keys, self.rules,
        )  # fmt: skip
        outlets = FleetOutlets(self.store, self.metrics, self.metrics.index, self.lines, self.lines.index)
        self.watch = FleetWatch(self.settings, self.vocabulary, outlets, sources, self.clock)
        self.view = LiveFleet(self.watch, self.store, source, self.vocabulary, self.clock)

    def send(self, *spans: PlainSpan, tenant: str = "t", stored: bool = True) -> None:
        """Spans are acknowledged: stored, and then observed."""
        if stored:
            self.spans.add(spans, tenant)
        self.watch.observe_spans(self.normaliser.normalise(to_batch(spans, tenant)))

    def step(self, after_s: float = 0.0) -> None:
        self.clock.ns += round(after_s * NS)
        self.watch.step()

    def run(self, seconds: float, step_s: float = 1.0) -> None:
        for _ in range(round(seconds / step_s)):
            self.step(step_s)

    def last(self, name: str, *names: str) -> dict[tuple[str, ...], float]:
        """The last sample of each series that has not ended, by its labels `names`."""
        found: dict[tuple[str, ...], float] = {}
        for own, _, value in self.metrics.samples():
            if own["__name__"] == name:
                key = tuple(own.get(label, "") for label in names)
                found.pop(key, None)
                if np.array([value]).view(np.uint64)[0] != STALE_BITS:
                    found[key] = value
        return found
