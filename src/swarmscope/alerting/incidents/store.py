"""Incidents on disk: each change is written before the call that made it returns, and nothing else with it."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Iterable, Mapping

from swarmscope.alerting.incidents.incident import (
    Incident,
    IncidentAlert,
    from_record,
    to_alert_record,
    to_record,
)
from swarmscope.instrument.metrics import INCIDENT_WRITE_FAILURES
from swarmscope.model.contracts import StateStore
from swarmscope.model.errors import UnavailableError

KIND, ALERT_KIND = "incident", "incident_alert"
_log = logging.getLogger(__name__)
_Told = dict[str, tuple[int, int]]  # by alert: what of it is on disk, its start and its end


class IncidentStore:
    """What is changed and cannot be written waits for the next write. Not thread-safe."""

    def __init__(self, state: StateStore) -> None:
        self._state = state
        self._late: set[str] = set()
        self._told: dict[str, _Told] = {}

    def load(self) -> list[Incident]:
        """All that are kept, the oldest first; a record that cannot be read is left out and logged."""
        alerts: dict[str, list[bytes]] = defaultdict(list)
        for key, record in self._state.load(ALERT_KIND).items():
            alerts[key.partition("/")[0]].append(record)
        found = []
        for key, record in self._state.load(KIND).items():
            try:
                incident = from_record(record, alerts[key])
            except (ValueError, KeyError, TypeError, AttributeError) as error:
                _log.error("the record of incident %s cannot be read: %s", key, error)
                continue
            self._told[key] = {each.id: _state_of(each) for each in incident.alerts.values()}
            found.append(incident)
        return sorted(found, key=lambda each: (each.opened_ns, each.id))

    def write(self, incidents: Iterable[Incident], gone: Iterable[str], known: Mapping[str, Incident]) -> None:
        """Write these and delete those; `known` are all, for what an earlier write could not do. Never raises."""
        changed = {each.id: each for each in incidents} | {id_: known[id_] for id_ in self._late if id_ in known}
        lost = {*gone, *(id_ for id_ in self._late if id_ not in known)}
        told = {id_: {} if each.merged_into else _states(each) for id_, each in changed.items()}
        told |= {id_: {} for id_ in lost}
        records: dict[str, bytes | None] = {}
        for id_, states in told.items():
            before = self._told.get(id_, {})
            records |= {f"{id_}/{alert}": None for alert in before.keys() - states.keys()}
            records |= {
                f"{id_}/{alert}": to_alert_record(changed[id_].alerts[alert])
                for alert, state in states.items()
                if before.get(alert) != state
            }
        try:
            # Alerts first: without their incident they are nothing, and it without them would be wrong.
            self._state.write(ALERT_KIND, records)
            self._state.write(KIND, {id_: to_record(each) for id_, each in changed.items()} | dict.fromkeys(lost))
        except UnavailableError as error:
            INCIDENT_WRITE_FAILURES.inc()
            self._late |= changed.keys() | lost
            _log.warning("incidents are not written: %s", error)
            return
        self._late.clear()
        self._told |= told
        for id_ in lost:
            del self._told[id_]


def _states(incident: Incident) -> _Told:
    return {each.id: _state_of(each) for each in incident.alerts.values()}


def _state_of(alert: IncidentAlert) -> tuple[int, int]:
    return alert.starts_ns, alert.over_ns
