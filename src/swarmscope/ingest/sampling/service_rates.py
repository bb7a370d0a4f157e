"""How many new traces each service begins a second."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from swarmscope.model.contracts import Clock

_NS_PER_S = 1_000_000_000
# Services beyond share a row, and with it a rate: there the share of kept traces is lower than it had to be.
_MAX_SERVICES = 10_000
_SHARED_ROW = 0


class ServiceRates:
    """Counts by service, for this second and for the one before. Not thread-safe: the owner holds a lock."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._rows: dict[tuple[str, str], int] = {}
        self.counts = np.zeros((16, 2), np.float64)  # [n_rows, 2]
        self._second = 0

    def rows(self, tenant: str, services: list[str]) -> NDArray[np.int64]:
        """The row [n] of each service."""
        rows = np.empty(len(services), np.int64)
        for position, service in enumerate(services):
            key = (tenant, service)
            row = self._rows.get(key)
            if row is None:
                row = len(self._rows) + 1 if len(self._rows) < _MAX_SERVICES else _SHARED_ROW
                if row != _SHARED_ROW:
                    self._rows[key] = row
            rows[position] = row
        if len(self._rows) >= len(self.counts):
            grown = np.zeros((4 * len(self._rows), 2), np.float64)
            grown[: len(self.counts)] = self.counts
            self.counts = grown
        return rows

    def turn(self) -> float:
        """Begin a new second where it is time; how much of the present one is over, 0 … 1."""
        now_ns = self._clock.now_ns()
        second = now_ns // _NS_PER_S
        if second != self._second:
            follows = second == self._second + 1
            self.counts[:, 1] = self.counts[:, 0] if follows else 0
            self.counts[:, 0] = 0
            self._second = second
        return (now_ns % _NS_PER_S) / _NS_PER_S
