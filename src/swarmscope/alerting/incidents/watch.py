"""The thread that looks after incidents: what time asks for, and the graph as it is now."""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections.abc import Iterator

from swarmscope.alerting.incidents.incidents import Incidents, TopologySource
from swarmscope.instrument.metrics import INCIDENT_FAILURES
from swarmscope.model.labels import DEFAULT_TENANT

_log = logging.getLogger(__name__)
_TICK_S = 2.0
# Edges are kept by minutes.
_TOPOLOGY_S = 60.0


class IncidentWatch:
    """Refreshes the topology of each tenant that has incidents, and of `tenants`, and lets time pass."""

    def __init__(
        self, incidents: Incidents, source: TopologySource, tenants: tuple[str, ...] = (DEFAULT_TENANT,)
    ) -> None:
        self._incidents, self._source, self._tenants = incidents, source, tenants
        self._stopping = threading.Event()
        self._refreshed_s: dict[str, float] = {}

    @contextlib.contextmanager
    def watching(self) -> Iterator[None]:
        """Work, on a thread of its own, while the context lives."""
        thread = threading.Thread(target=self._run, name="incidents", daemon=True)
        thread.start()
        try:
            yield
        finally:
            self._stopping.set()
            thread.join()

    def step(self) -> None:
        """What is due; never raises."""
        now_s = time.monotonic()
        for tenant in dict.fromkeys([*self._tenants, *self._incidents.tenants()]):
            if now_s - self._refreshed_s.get(tenant, -_TOPOLOGY_S) < _TOPOLOGY_S:
                continue
            self._refreshed_s[tenant] = now_s
            try:
                self._incidents.see_topology(tenant, self._source(tenant))
            except Exception as error:
                INCIDENT_FAILURES.labels(stage="topology").inc()
                _log.warning("the graph of %s is not known: %s", tenant, error)
        self._incidents.tick()

    def _run(self) -> None:
        while not self._stopping.wait(_TICK_S):
            self.step()
