"""What has been taken in and is not durable yet: bounded, so that senders wait instead of the memory filling up."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from prometheus_client import Gauge

from swarmscope.model.errors import LimitExceededError

# A commit takes a tenth of a second or two; a sender that comes back after a second finds room.
RETRY_AFTER_S = 1.0


class InFlight:
    """Counts what is on its way, by unit. Thread-safe."""

    def __init__(self, prefix: str, most: Mapping[str, int], gauges: Mapping[str, Gauge]) -> None:
        """`most` by unit (`lines`, `bytes`); the setting `<prefix>.max_<unit>_in_flight` is named in refusals."""
        self._prefix = prefix
        self._most = most
        self._gauges = gauges
        self._there = dict.fromkeys(most, 0)
        self._lock = threading.Lock()

    @contextmanager
    def holding(self, coming: Mapping[str, int]) -> Iterator[None]:
        """Count `coming` (the same units) while the context lives. Raises LimitExceededError where it is too much."""
        with self._lock:
            for unit, count in coming.items():
                there, most = self._there[unit], self._most[unit]
                # A single batch above the limit is let through alone: waiting could never make it fit.
                if there and there + count > most:
                    name = f"{self._prefix}.max_{unit}_in_flight"
                    raise LimitExceededError(
                        f"{name} is {most}: {there} {unit} are not durable yet, and {count} more arrived",
                        limit=name,
                        retry_after_s=RETRY_AFTER_S,
                    )
            for unit, count in coming.items():
                self._there[unit] += count
        for unit, count in coming.items():
            self._gauges[unit].inc(count)
        try:
            yield
        finally:
            with self._lock:
                for unit, count in coming.items():
                    self._there[unit] -= count
            for unit, count in coming.items():
                self._gauges[unit].dec(count)
