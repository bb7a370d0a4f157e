"""What became of the telemetry of one process."""

from __future__ import annotations

import threading
from collections import Counter
from enum import StrEnum


class Signal(StrEnum):
    """A kind of telemetry."""

    TRACES = "traces"
    METRICS = "metrics"
    LOGS = "logs"


class DropReason(StrEnum):
    """Why something was not delivered."""

    QUEUE_FULL = "queue_full"  # produced faster than the endpoint takes it, or the endpoint is away
    RETRIES_EXHAUSTED = "retries_exhausted"  # the endpoint was asked as often as allowed
    REFUSED = "refused"  # the endpoint said no for good: a wrong token, a wrong path
    REJECTED = "rejected"  # the endpoint took the rest of the request
    SHUTDOWN = "shutdown"  # there was no time left
    FAILED = "failed"  # it could not be put in a message


class DeliveryCounters:
    """Counts of spans, data points and log records. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._dropped: Counter[tuple[Signal, DropReason]] = Counter()
        self._delivered: Counter[Signal] = Counter()
        self._retries: Counter[Signal] = Counter()

    def add_dropped(self, signal: Signal, reason: DropReason, n_items: int) -> None:
        """`n_items` will not arrive."""
        if n_items:
            with self._lock:
                self._dropped[signal, reason] += n_items

    def add_delivered(self, signal: Signal, n_items: int) -> None:
        """`n_items` were acknowledged."""
        with self._lock:
            self._delivered[signal] += n_items

    def add_retry(self, signal: Signal) -> None:
        """A request is made again."""
        with self._lock:
            self._retries[signal] += 1

    def dropped(self) -> dict[tuple[Signal, DropReason], int]:
        """Number of dropped items; what never happened is not listed."""
        with self._lock:
            return dict(self._dropped)

    def delivered(self) -> dict[Signal, int]:
        """Number of acknowledged items."""
        with self._lock:
            return dict(self._delivered)

    def retries(self) -> dict[Signal, int]:
        """Number of requests that were made again."""
        with self._lock:
            return dict(self._retries)

    def start_over(self) -> None:
        """A forked process counts its own."""
        self.__init__()  # type: ignore[misc]
