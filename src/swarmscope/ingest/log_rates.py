"""How many bytes of lines a tenant may bring in a second."""

from __future__ import annotations

import threading

from swarmscope.model.contracts import Clock

_NS_PER_S = 1_000_000_000
# Requests bring what has gathered for some seconds; a bucket of one second would refuse steady senders.
_BURST_S = 10
# Full buckets say nothing; when so many tenants are known, those are forgotten.
_REMEMBERED_TENANTS = 10_000


class ByteRates:
    """A token bucket for each tenant, holding ten seconds' worth of bytes. Thread-safe."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._debts: dict[str, tuple[float, int]] = {}  # tenant → bytes taken and not yet paid back, as of ns

    def take(self, tenant: str, n_bytes: int, bytes_per_second: int) -> float:
        """Take `n_bytes` out; 0.0, or the seconds after which they will fit, when nothing is taken.

        What could never fit passes when the bucket is full: waiting would not help.
        """
        now_ns = self._clock.now_ns()
        capacity = bytes_per_second * _BURST_S
        with self._lock:
            owed, since_ns = self._debts.get(tenant, (0.0, now_ns))
            owed = max(owed - max(now_ns - since_ns, 0) * bytes_per_second / _NS_PER_S, 0.0)
            if owed and owed + n_bytes > capacity:
                if now_ns < since_ns:  # the clock was set back: what is owed is paid from now on, not from then
                    self._debts[tenant] = (owed, now_ns)
                return min(owed, owed + n_bytes - capacity) / bytes_per_second
            if len(self._debts) >= _REMEMBERED_TENANTS:
                self._forget(now_ns)
            self._debts[tenant] = (owed + n_bytes, now_ns)
        return 0.0

    def _forget(self, now_ns: int) -> None:
        """Forget who has not sent for the time in which any bucket of an admitted size fills up, else the oldest."""
        old_ns = now_ns - _BURST_S * _NS_PER_S
        self._debts = {tenant: debt for tenant, debt in self._debts.items() if debt[1] > old_ns}
        while len(self._debts) >= _REMEMBERED_TENANTS:
            del self._debts[next(iter(self._debts))]
