"""What was found and is not stored yet: handed to the store in one piece after the other, and seen by queries."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from typing import NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from swarmscope.fleet.sums import sum_edges, sum_usage
from swarmscope.instrument.metrics import FLEET_LOST_SPANS
from swarmscope.model.agents import AgentSpans
from swarmscope.model.fleet import AgentRecord, Edges, Finding, FleetRows, Usage

T = TypeVar("T")
_TRIES = 3
_MAX_IMPOSSIBLE = 5
_MAX_PARTS = 64  # of counts; more are added up, so that what waits for the store stays small
_USAGE_COLUMNS = ("agent", "agent_version", "team", "provider", "model", "operation", "tool")


@dataclass(slots=True)
class _Gathered:
    """Rows in the making."""

    spans: list[AgentSpans] = field(default_factory=list)
    caller: list[NDArray[np.uint32]] = field(default_factory=list)
    edges: list[Edges] = field(default_factory=list)
    usage: list[Usage] = field(default_factory=list)

    @property
    def n_spans(self) -> int:
        return sum(map(len, self.caller))


class Outcome(Enum):
    """What became of a write."""

    STORED = "stored"
    UNAVAILABLE = "unavailable"  # the store takes nothing now
    IMPOSSIBLE = "impossible"


class Seen(NamedTuple):
    """What is not stored, as one moment has it."""

    spans: list[tuple[AgentSpans, NDArray[np.uint32]]]  # with the agents that they work for
    edges: list[Edges]
    usage: list[Usage]


class Unwritten:
    """Of one tenant. Thread-safe; one thread at a time writes, between `begin` and `end`."""

    def __init__(self, tenant: str, max_spans: int) -> None:
        self._tenant, self._max_spans = tenant, max_spans
        self._lock = threading.Lock()
        self._next = _Gathered()
        self._in_flight: FleetRows | None = None
        self._store_changes = threading.Lock()  # held while rows go from here to the store
        self._n_impossible = 0
        self._version = 0  # odd while they do

    def add(self, spans: AgentSpans, caller: NDArray[np.uint32], edges: Edges, usage: Usage) -> None:
        """Keep these until they are written. Where there is no room the oldest spans go, and their counts stay."""
        with self._lock:
            gathered = self._next
            if len(spans):
                gathered.spans.append(spans)
                gathered.caller.append(caller)
            if len(edges):
                gathered.edges.append(edges)
            if len(usage):
                gathered.usage.append(usage)
            if len(gathered.edges) > _MAX_PARTS:
                gathered.edges = [sum_edges(gathered.edges, by_minute=True)]
            if len(gathered.usage) > _MAX_PARTS:
                gathered.usage = [sum_usage(gathered.usage, _USAGE_COLUMNS, by_minute=True)]
            while gathered.n_spans > self._max_spans and len(gathered.spans) > 1:
                FLEET_LOST_SPANS.inc(len(gathered.spans.pop(0)))
                gathered.caller.pop(0)

    def begin(self, agents: tuple[AgentRecord, ...], findings: tuple[Finding, ...]) -> FleetRows | None:
        """What is to be written now: what could not be written before, else all that is new; None for nothing.

        `end` MUST follow unless the answer is None. `agents` and `findings` stay the caller's unless the answer has
        them.
        """
        with self._lock:
            if self._in_flight is None:
                gathered = self._next
                if not (gathered.spans or gathered.edges or gathered.usage or agents or findings):
                    return None
                self._next = _Gathered()
                self._in_flight = self._to_rows(gathered, agents, findings)
            rows = self._in_flight
        self._store_changes.acquire()
        self._version += 1
        return rows

    def end(self, outcome: Outcome) -> None:
        """What became of the rows that `begin` gave; they are given again unless they are stored.

        A store that takes nothing now will do so later; rows that it cannot take at all are given up after some tries.
        """
        with self._lock:
            self._n_impossible += outcome is Outcome.IMPOSSIBLE
            if self._n_impossible >= _MAX_IMPOSSIBLE and self._in_flight is not None:
                FLEET_LOST_SPANS.inc(len(self._in_flight.spans))
                outcome = Outcome.STORED
            if outcome is Outcome.STORED:
                self._in_flight, self._n_impossible = None, 0
            self._version += 1
        self._store_changes.release()

    def _to_rows(
        self, gathered: _Gathered, agents: tuple[AgentRecord, ...], findings: tuple[Finding, ...]
    ) -> FleetRows:
        return FleetRows(
            spans=AgentSpans.concat(gathered.spans) if gathered.spans else AgentSpans.blank(0, self._tenant),
            caller=np.concatenate([np.zeros(0, np.uint32), *gathered.caller]),
            edges=sum_edges(gathered.edges, by_minute=True),
            usage=sum_usage(gathered.usage, _USAGE_COLUMNS, by_minute=True),
            agents=agents,
            findings=findings,
            tenant=self._tenant,
        )

    def beside(self, read: Callable[[], T]) -> tuple[T, Seen]:
        """What `read` finds in the store, and what is not in it: nothing is in both, nothing in neither."""
        for _ in range(_TRIES):
            version = self._version
            seen = self.seen()
            stored = read()
            if version % 2 == 0 and self._version == version:
                return stored, seen
            # Rows are on their way right now; that takes some hundredths of a second.
            with self._store_changes:
                pass
        # Slow path: rows wait until this reader is done.
        with self._store_changes:
            return read(), self.seen()

    def seen(self) -> Seen:
        """What is not stored."""
        with self._lock:
            flying, coming = self._in_flight, self._next
            spans = [*zip(coming.spans, coming.caller, strict=True)]
            if flying is None:
                return Seen(spans, [*coming.edges], [*coming.usage])
            return Seen(
                [(flying.spans, flying.caller), *spans], [flying.edges, *coming.edges], [flying.usage, *coming.usage]
            )

    def earliest_ns(self) -> int | None:
        """The earliest start of a span that is not stored; None where all are."""
        return min((int(spans.start_ns.min()) for spans, _ in self.seen().spans if len(spans)), default=None)
