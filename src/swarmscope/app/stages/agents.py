"""The watch over the fleet of agents: made between the store and the receivers, and asked by the API."""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from swarmscope.app.settings import Settings
from swarmscope.app.stages.writing import Watched
from swarmscope.fleet.live_view import LiveFleet
from swarmscope.fleet.low_water import LowWaterMarks
from swarmscope.fleet.recovery import SpanSource
from swarmscope.fleet.watch import FleetOutlets, FleetSources, FleetWatch
from swarmscope.ingest.genai.normaliser import SpanNormaliser
from swarmscope.ingest.genai.observed_logs import ObservedLogSink
from swarmscope.ingest.genai.observed_spans import ObservedSpanSink
from swarmscope.ingest.genai.price_files import load_price_file
from swarmscope.ingest.genai.prices import Prices
from swarmscope.intelligence.score_series import OWN_METRICS as SCORE_METRICS
from swarmscope.model.agents import Vocabulary
from swarmscope.model.contracts import Clock, FleetReader, FleetSink, LogSink, Sink, SpanSink
from swarmscope.store.embedded.store import EmbeddedStore

SEED_FILE, MARKS_FILE = "agents.seed", "agents-unwritten.json"
_SEED_BYTES = 8
# Ordinary spans are a minute long at most, so that the mark on disk seldom moves for them.
_MARGIN_NS = 60 * 1_000_000_000


class FleetStore(FleetSink, FleetReader, Protocol):
    """Where the fleet's past is."""

    def stored_keys(self, tenant: str, since_ns: int) -> NDArray[np.uint64]:
        """Keys [n] of spans that are stored and ended at or after a time."""
        ...


@dataclass(frozen=True, slots=True)
class Fleet:
    """What the rest of the program needs of it."""

    watch: FleetWatch
    view: LiveFleet
    prices: Prices
    watched: Watched

    @contextlib.contextmanager
    def watching(self) -> Iterator[None]:
        """Watch while the context lives, and write one last time when it ends."""
        self.watch.start()
        try:
            yield
        finally:
            self.watch.close()


class FleetStores(NamedTuple):
    """All that is read and written."""

    store: EmbeddedStore
    fleet: FleetStore
    metrics: Sink  # takes the series that are made
    lines: LogSink  # and the lines


def make_fleet(settings: Settings, stores: FleetStores, vocabulary: Vocabulary, clock: Clock) -> Fleet:
    """The watch, not yet begun. Raises OSError and PriceFileError."""
    chosen, store, fleet = settings.agents, stores.store, stores.fleet
    prices = Prices(load_price_file(chosen.prices) if chosen.prices is not None else ())
    normaliser = SpanNormaliser(vocabulary, fleet_seed(settings.data), prices)
    told = chosen.to_settings()
    spans = SpanSource(store.span_reader, normaliser.normalise)
    sources = FleetSources(
        store=fleet,
        metrics=store.reader,
        lines=store.log_reader,
        marks=LowWaterMarks(settings.data / MARKS_FILE, _MARGIN_NS),
        spans=spans,
        stored_keys=fleet.stored_keys,
        rules=chosen.to_rules(),
        own_metrics=SCORE_METRICS,
    )
    sinks = FleetOutlets(fleet, stores.metrics, store.index, stores.lines, store.log_index)
    watch = FleetWatch(told, vocabulary, sinks, sources, clock)
    view = LiveFleet(watch, fleet, spans, vocabulary, clock)
    watched = Watched(
        spans=partial(_watched_spans, normaliser=normaliser, watch=watch),
        lines=partial(_watched_lines, normaliser=normaliser, watch=watch),
    )
    return Fleet(watch, view, prices, watched)


def fleet_seed(folder: Path) -> int:
    """What spans are numbered with: the same for as long as the data folder lives. Raises OSError."""
    path = folder / SEED_FILE
    with contextlib.suppress(FileNotFoundError):
        return int.from_bytes(path.read_bytes()[:_SEED_BYTES], "little")
    draft = path.with_suffix(".new")
    draft.write_bytes(secrets.token_bytes(_SEED_BYTES))
    os.replace(draft, path)
    return int.from_bytes(path.read_bytes(), "little")


def _watched_spans(inner: SpanSink, *, normaliser: SpanNormaliser, watch: FleetWatch) -> SpanSink:
    return ObservedSpanSink(inner, normaliser, watch)


def _watched_lines(inner: LogSink, *, normaliser: SpanNormaliser, watch: FleetWatch) -> LogSink:
    return ObservedLogSink(inner, normaliser, watch)
