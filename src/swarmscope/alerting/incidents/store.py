"""Incidents on disk: each change is written before the call that made it returns."""

from __future__ import annotations

import logging
from collections.abc import Iterable

from swarmscope.alerting.incidents.incident import Incident, from_record, to_record
from swarmscope.instrument.metrics import INCIDENT_WRITE_FAILURES
from swarmscope.model.contracts import StateStore
from swarmscope.model.errors import UnavailableError

KIND = "incident"
_log = logging.getLogger(__name__)


class IncidentStore:
    """What is changed and cannot be written waits for the next write."""

    def __init__(self, state: StateStore) -> None:
        self._state = state
        self._late: set[str] = set()

    def load(self) -> list[Incident]:
        """All that are kept, the oldest first; a record that cannot be read is left out and logged."""
        found = []
        for key, record in self._state.load(KIND).items():
            try:
                found.append(from_record(record))
            except (ValueError, KeyError, TypeError, AttributeError) as error:
                _log.error("the record of incident %s cannot be read: %s", key, error)
        return sorted(found, key=lambda each: (each.opened_ns, each.id))

    def write(self, incidents: Iterable[Incident], gone: Iterable[str], known: dict[str, Incident]) -> None:
        """Write these and delete those; `known` are all, for what an earlier write could not do. Never raises."""
        records: dict[str, bytes | None] = dict.fromkeys(gone)
        records |= {each.id: to_record(each) for each in incidents}
        records |= {id_: to_record(known[id_]) if id_ in known else None for id_ in self._late - records.keys()}
        try:
            self._state.write(KIND, records)
            self._late.clear()
        except UnavailableError as error:
            INCIDENT_WRITE_FAILURES.inc()
            self._late |= records.keys()
            _log.warning("incidents are not written: %s", error)
