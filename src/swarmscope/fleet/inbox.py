"""What waits between those who bring spans and the one thread that looks at them: bounded, and never slow."""

from __future__ import annotations

import threading
from collections import deque

import numpy as np

from swarmscope.instrument.metrics import FLEET_QUEUED_SPANS, FLEET_UNWATCHED_SPANS
from swarmscope.model.agents import AgentSpans

# Handed over at once: some 25 MB, and a fraction of a second of work.
_MAX_BATCH_SPANS = 100_000
# As `agents.max_queued_bytes` says; a span's columns take some 300 bytes beside what it says of its conversation.
_COLUMN_BYTES = 300


def n_bytes(spans: AgentSpans) -> int:
    """About what a batch takes."""
    return len(spans) * _COLUMN_BYTES + len(spans.conversation.buffer) + spans.link_key.nbytes


class Inbox:
    """Batches in order of arrival. Thread-safe."""

    def __init__(self, max_spans: int, max_bytes: int) -> None:
        self._max_spans, self._max_bytes = max_spans, max_bytes
        self._waiting: deque[AgentSpans] = deque()
        self._n_spans, self._n_bytes, self._n_refused = 0, 0, 0
        self._lock = threading.Lock()
        self._arrived = threading.Event()

    def put(self, spans: AgentSpans) -> bool:
        """Whether there was room. What finds none is counted, and not watched."""
        size = n_bytes(spans)
        with self._lock:
            # A batch larger than all the room is let in alone.
            if self._waiting and (
                self._n_spans + len(spans) > self._max_spans or self._n_bytes + size > self._max_bytes
            ):
                self._n_refused += len(spans)
                FLEET_UNWATCHED_SPANS.labels(reason="overload").inc(len(spans))
                return False
            self._waiting.append(spans)
            self._n_spans += len(spans)
            self._n_bytes += size
            FLEET_QUEUED_SPANS.set(self._n_spans)
        self._arrived.set()
        return True

    def take(self) -> tuple[list[AgentSpans], int]:
        """The oldest batches, joined by tenant, and how many spans found no room since the last call."""
        parts: dict[str, list[AgentSpans]] = {}
        with self._lock:
            n = 0
            while self._waiting and n < _MAX_BATCH_SPANS:
                spans = self._waiting.popleft()
                n += len(spans)
                self._n_bytes -= n_bytes(spans)
                parts.setdefault(spans.tenant, []).append(spans)
            self._n_spans -= n
            FLEET_QUEUED_SPANS.set(self._n_spans)
            if not self._waiting:
                self._arrived.clear()
            refused, self._n_refused = self._n_refused, 0
        return [AgentSpans.concat(part) if len(part) > 1 else part[0] for part in parts.values()], refused

    def wait(self, timeout_s: float) -> bool:
        """Whether something came before `timeout_s` have passed."""
        return self._arrived.wait(timeout_s)

    def earliest_ns(self) -> int | None:
        """The earliest start of a span that waits here; None where none does."""
        with self._lock:
            starts = [int(np.min(spans.start_ns)) for spans in self._waiting if len(spans)]
        return min(starts, default=None)
