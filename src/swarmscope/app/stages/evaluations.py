"""The watch over evaluations: made between the store and the receivers, beside the watch over the fleet."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass

from swarmscope.app.settings import Settings
from swarmscope.app.stages.agents import Fleet, fleet_seed
from swarmscope.app.stages.writing import Watched
from swarmscope.ingest.genai.observed_evaluations import EvaluatedLogSink, EvaluatedSpanSink
from swarmscope.intelligence.evaluations import EvaluationOutlets, EvaluationWatch
from swarmscope.model.contracts import Clock, LogSink, SeriesIndex, Sink, SpanSink

EVALUATIONS_FILE = "evaluations.json"


@dataclass(frozen=True, slots=True)
class Evaluations:
    """What the rest of the program needs of it."""

    watch: EvaluationWatch
    watched: Watched

    @contextlib.contextmanager
    def watching(self) -> Iterator[None]:
        """Watch while the context lives, and write one last time when it ends."""
        self.watch.start()
        try:
            yield
        finally:
            self.watch.close()


def make_evaluations(
    settings: Settings, metrics: Sink, series: SeriesIndex, fleet: Fleet | None, clock: Clock
) -> Evaluations:
    """The watch, not yet begun; what tells it of results also tells `fleet` of spans. Raises OSError."""
    outlets = EvaluationOutlets(metrics, series, settings.data / EVALUATIONS_FILE)
    # Spans are numbered as those of the fleet, which knows whose work they are.
    seed = fleet_seed(settings.data)
    agent_of = None if fleet is None else fleet.watch.agent_of
    watch = EvaluationWatch(settings.evaluations.to_settings(), outlets, agent_of, clock)
    told = Watched() if fleet is None else fleet.watched

    def spans(inner: SpanSink) -> SpanSink:
        return EvaluatedSpanSink(told.spans(inner), watch, seed)

    def lines(inner: LogSink) -> LogSink:
        return EvaluatedLogSink(told.lines(inner), watch, seed)

    return Evaluations(watch, Watched(spans, lines))
