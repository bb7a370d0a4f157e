"""The incidents of all tenants: an `AlertSink` that groups, and what people do with what it made."""

from __future__ import annotations

import hashlib
import logging
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence

from swarmscope.alerting.incidents.incident import Event, Incident, IncidentAlert, IncidentState
from swarmscope.alerting.incidents.settings import IncidentSettings
from swarmscope.alerting.incidents.store import IncidentStore
from swarmscope.alerting.incidents.telling import notification_json
from swarmscope.analysis.rootcause.grouping import OnlineGrouping
from swarmscope.analysis.rootcause.impact import predict_impact
from swarmscope.analysis.rootcause.ranking import rank_causes
from swarmscope.analysis.rootcause.topology import NOTHING, Topology
from swarmscope.instrument.metrics import INCIDENT_EVENTS, INCIDENT_FAILURES, INCIDENTS
from swarmscope.model.alerts import Alert
from swarmscope.model.contracts import Clock, StateStore

_log = logging.getLogger(__name__)
_ID_BYTES = 6
_MAX_PARTED = 200  # lasting alerts; every pair of them is looked at
# By tenant; blocks for as long as a query takes.
TopologySource = Callable[[str], Topology]
# What is to be done: the name of the runbook and one line, "" where there is none.
Advice = Callable[[Incident], tuple[str, str]]


class UnknownIncidentError(Exception):
    """There is no such incident, or it is in a state in which that cannot be done; the text says which."""


def _no_advice(incident: Incident) -> tuple[str, str]:
    for alert in incident.alerts.values():
        told = alert.annotations.get("action") or alert.labels.get("action", "")
        if told:
            return "", told
    return "", ""


class Incidents:
    """Groups alerts as they come and keeps what came of it. Thread-safe."""

    def __init__(
        self,
        state: StateStore,
        clock: Clock,
        settings: IncidentSettings | None = None,
        advice: Advice = _no_advice,
        external_url: str = "",
    ) -> None:
        """Read what is kept. Raises UnavailableError."""
        self._settings = settings or IncidentSettings()
        self._clock, self._advice, self._external_url = clock, advice, external_url.rstrip("/")
        self._lock = threading.RLock()
        self._store = IncidentStore(state)
        self._topologies: dict[str, Topology] = {}
        self._groupings: dict[str, OnlineGrouping] = {}
        self._incidents: dict[str, Incident] = {each.id: each for each in self._store.load()}
        # Alert (tenant, id) → its incident, or one that was joined to that.
        self._homes: dict[tuple[str, str], str] = {}
        self._unranked: set[str] = set()
        self._fading: dict[str, Incident] = {}  # resolved ones whose alerts still link
        self._looked_at: dict[str, tuple[int, int, int]] = {}  # for parts, by incident: nothing has changed since
        for incident in self._incidents.values():
            self._remember(incident)

    # What alerts do

    def take_alerts(self, alerts: Sequence[Alert]) -> None:
        """As `AlertSink.take_alerts`."""
        try:
            with self._lock:
                self._take(alerts)
        except Exception:
            INCIDENT_FAILURES.labels(stage="take").inc()
            _log.exception("alerts were not grouped")

    def incident_of(self, alert: Alert) -> str:
        """As `IncidentGrouper.incident_of`."""
        key = (alert.tenant, alert.fingerprint)
        with self._lock:
            if key not in self._homes:
                self.take_alerts([alert])
            home = self._homes.get(key)
            if home is None:
                return alert.fingerprint  # it was over when it came, or grouping failed: one of its own
            found = self._survivor(home)
            kept = None if found is None else found.alerts.get(alert.fingerprint)
            return home if kept is None else kept.place

    def place_of(self, tenant: str, alert: str) -> str:
        """The incident of an alert by its fingerprint, "" where it has none."""
        with self._lock:
            found = self._survivor(self._homes.get((tenant, alert), ""))
            return "" if found is None else found.id

    def describe_incident(self, incident: str) -> Mapping[str, object] | None:
        """As `IncidentGrouper.describe_incident`; of one that was joined to another it tells that."""
        with self._lock:
            found = self._ranked(self._survivor(incident))
            return None if found is None else notification_json(found, self._external_url)

    def _take(self, alerts: Sequence[Alert]) -> None:
        now_ns = self._clock.now_ns()
        changed: dict[str, Incident] = {}
        fresh: dict[str, Incident] = {}
        gone: list[str] = []
        for alert in alerts:
            known = self._known(alert, now_ns)
            if known is not None:
                if self._see_again(known, alert, now_ns):
                    changed[known.id] = known
                continue
            if alert.is_resolved(now_ns):
                continue
            incident = self._place(alert, now_ns, gone)
            fresh[incident.id] = changed[incident.id] = incident
        # Ranked when somebody looks, or with the next tick: in a storm alerts come one by one.
        self._unranked |= {id_ for id_, incident in fresh.items() if not incident.merged_into}
        changed |= {id_: self._incidents[id_] for id_ in gone}
        if changed:
            self._write(changed.values(), now_ns)

    def _known(self, alert: Alert, now_ns: int) -> Incident | None:
        """The incident that an alert is in already; not one that is over, where the alert is not that of then."""
        key = (alert.tenant, alert.fingerprint)
        place = self._homes.get(key)
        found = None if place is None else self._survivor(place)
        if found is None or found.state is not IncidentState.RESOLVED or alert.is_resolved(now_ns):
            return found
        kept = found.alerts.get(alert.fingerprint)
        is_back = kept is None or kept.over_ns > 0
        if is_back and (found.resolved_by or now_ns - found.resolved_ns > self._settings.reopen_ns):
            self._grouping(alert.tenant).forget(alert.fingerprint)
            del self._homes[key]
            return None
        return found

    def _see_again(self, incident: Incident, alert: Alert, now_ns: int) -> bool:
        """Whether something has changed."""
        kept = incident.alerts.get(alert.fingerprint)
        if kept is None:
            return False  # one of too many
        kept.ends_ns = alert.ends_ns
        is_over = alert.is_resolved(now_ns)
        if is_over == bool(kept.over_ns):
            return False
        kept.over_ns = alert.ends_ns if is_over else 0
        if not is_over:
            kept.starts_ns, kept.annotations = alert.starts_ns, dict(alert.annotations)
            incident.quiet_since_ns = 0
            if incident.state is IncidentState.RESOLVED and not incident.resolved_by:
                self._reopen(incident, f"{alert.name} is back", now_ns)
        elif not incident.lasting:
            incident.quiet_since_ns = now_ns
        return True

    def _reopen(self, incident: Incident, why: str, now_ns: int) -> None:
        incident.state = IncidentState.ACKNOWLEDGED if incident.acknowledged_by else IncidentState.OPEN
        incident.resolved_ns = incident.quiet_since_ns = 0
        self._note(incident, "reopened", why, now_ns)

    def _place(self, alert: Alert, now_ns: int, gone: list[str]) -> Incident:
        grouping = self._grouping(alert.tenant)
        new_id = _new_id(alert)
        kept = IncidentAlert(
            alert.fingerprint, dict(alert.labels), dict(alert.annotations), alert.starts_ns, alert.ends_ns,
            generator_url=alert.generator_url,
        )  # fmt: skip
        placement = grouping.add(kept.fact, new_id)
        kept.linked_to, kept.similarity = placement.linked_to, placement.similarity.total
        incident = self._incidents.get(placement.group)
        if incident is None:
            incident = Incident(placement.group, now_ns, alert.tenant)
            self._incidents[incident.id] = incident
            self._note(incident, "opened", f"by {alert.name or 'an alert'}", now_ns)
        elif incident.state is IncidentState.RESOLVED:
            self._reopen(incident, f"{alert.name} is like its alerts", now_ns)
        kept.place = incident.id
        self._homes[alert.tenant, alert.fingerprint] = incident.id
        incident.quiet_since_ns = 0
        if len(incident.alerts) < self._settings.max_alerts:
            incident.alerts[kept.id] = kept
        else:
            incident.dropped_alerts += 1
        for each in placement.merged:
            self._join(self._incidents[each], incident, now_ns)
            gone.append(each)
        incident.updated_ns = now_ns
        return incident

    def _join(self, younger: Incident, into: Incident, now_ns: int, by: str = "") -> None:
        """What the younger one had is the older one's."""
        into.alerts |= younger.alerts
        into.dropped_alerts += younger.dropped_alerts
        younger.merged_into, younger.state, younger.resolved_ns = into.id, IncidentState.RESOLVED, now_ns
        self._note(younger, "merged", f"into {into.id}", now_ns, by)
        self._note(into, "merged", f"with {younger.id}", now_ns, by)

    def _ranked(self, incident: Incident | None) -> Incident | None:
        """The incident with causes that are those of all of its alerts; never raises."""
        if incident is not None and incident.id in self._unranked:
            try:
                self._rank(incident)
                self._store.write([incident], (), self._incidents)
            except Exception:
                INCIDENT_FAILURES.labels(stage="rank").inc()
                _log.exception("the causes of incident %s are not ranked", incident.id)
        return incident

    def _rank(self, incident: Incident) -> None:
        self._unranked.discard(incident.id)
        facts = [alert.fact for alert in incident.alerts.values()]
        topology = self._topologies.get(incident.tenant, NOTHING)
        incident.causes = tuple(rank_causes(facts, topology, self._settings.rank))
        if incident.causes:
            incident.impact = tuple(predict_impact(topology, incident.causes[0].node))
        incident.runbook, incident.action = self._advice(incident)

    # What time does

    def see_topology(self, tenant: str, topology: Topology) -> None:
        """From now on alerts of a tenant are grouped and ranked by this graph."""
        with self._lock:
            self._topologies[tenant] = topology
            self._grouping(tenant).see_topology(topology)

    def tenants(self) -> list[str]:
        """Those that have incidents that go on."""
        with self._lock:
            return sorted({each.tenant for each in self._incidents.values() if each.state != IncidentState.RESOLVED})

    def tick(self) -> None:
        """Do what time asks for: end, split, forget. To be called every few seconds; never raises."""
        try:
            with self._lock:
                self._pass_time(self._clock.now_ns())
        except Exception:
            INCIDENT_FAILURES.labels(stage="tick").inc()
            _log.exception("incidents were not looked after")

    def _pass_time(self, now_ns: int) -> None:
        settings, changed = self._settings, dict[str, Incident]()
        for id_ in list(self._unranked):
            self._ranked(self._incidents.get(id_))
            self._unranked.discard(id_)
        for incident in list(self._incidents.values()):
            if incident.state is IncidentState.RESOLVED:
                continue
            for alert in incident.lasting:
                if alert.ends_ns <= now_ns:  # its sender fell silent
                    alert.over_ns = alert.ends_ns
                    changed[incident.id] = incident
            if not incident.lasting:
                if not incident.quiet_since_ns:
                    incident.quiet_since_ns = now_ns
                    changed[incident.id] = incident
                if now_ns - incident.quiet_since_ns >= settings.quiet_ns:
                    self._end(incident, "all of its alerts are over", now_ns)
                    changed[incident.id] = incident
                continue
            if now_ns - incident.opened_ns > settings.max_age_ns:
                self._let_go(incident)
            for part in self._parted(incident, now_ns):
                changed |= {each.id: each for each in (incident, self._split(incident, part, "", now_ns))}
        forgotten = self._forget(now_ns)
        if changed or forgotten:
            self._write(changed.values(), now_ns, forgotten)
        self._count()

    def _parted(self, incident: Incident, now_ns: int) -> list[tuple[str, ...]]:
        """Parts of an incident, but for the oldest, that only alerts which are over link to the rest, for a while."""
        over_ns = [alert.over_ns for alert in incident.alerts.values() if alert.over_ns]
        n_lasting = len(incident.alerts) - len(over_ns)
        if incident.acknowledged_by or not over_ns or not 1 < n_lasting <= _MAX_PARTED:
            return []
        looked_at = (len(incident.alerts), n_lasting, max(over_ns))
        if now_ns - max(over_ns) < self._settings.split_after_ns or self._looked_at.get(incident.id) == looked_at:
            return []
        self._looked_at[incident.id] = looked_at
        grouping = self._grouping(incident.tenant)
        for alert in incident.alerts.values():
            if grouping.group_of(alert.id) is not None:
                grouping.add(alert.fact)  # which knows by now whether it is over
        return grouping.components(incident.id, lasting_only=True)[1:]

    def _split(self, incident: Incident, ids: Sequence[str], by: str, now_ns: int) -> Incident:
        """These alerts are an incident of their own from now on. Who was told stays told."""
        first = min((incident.alerts[id_] for id_ in ids), key=lambda alert: (alert.starts_ns, alert.id))
        seed = f"{incident.id} {first.id} {now_ns}"
        new = Incident(_hash(seed), now_ns, incident.tenant, split_from=incident.id)
        new.alerts = {id_: incident.alerts.pop(id_) for id_ in ids}
        self._incidents[new.id] = new
        grouping = self._grouping(incident.tenant)
        grouping.move([id_ for id_ in ids if grouping.group_of(id_) is not None], new.id)
        self._homes |= {(incident.tenant, id_): new.id for id_ in ids}
        self._note(incident, "split", f"{len(ids)} alerts are {new.id} now", now_ns, by)
        self._note(new, "split", f"from {incident.id}", now_ns, by)
        self._rank(incident)
        self._rank(new)
        return new

    def _end(self, incident: Incident, why: str, now_ns: int, by: str = "") -> None:
        incident.state, incident.resolved_ns, incident.resolved_by = IncidentState.RESOLVED, now_ns, by
        self._fading[incident.id] = incident
        self._note(incident, "resolved", why, now_ns, by)

    def _let_go(self, incident: Incident) -> None:
        """Its alerts link no others any more."""
        grouping = self._grouping(incident.tenant)
        for fact in grouping.members(incident.id):
            grouping.forget(fact.id)

    def _forget(self, now_ns: int) -> list[str]:
        """Let resolved ones link nothing after a while, and drop what is too old; the ids of those."""
        settings = self._settings
        for incident in list(self._fading.values()):
            if incident.state is not IncidentState.RESOLVED:
                del self._fading[incident.id]
            elif now_ns - incident.resolved_ns > settings.reopen_ns:
                del self._fading[incident.id]
                self._looked_at.pop(incident.id, None)
                self._let_go(incident)
                self._lose_homes(incident, over_only=True)
        oldest_ns = now_ns - settings.keep_ns
        excess = len(self._incidents) - settings.max_kept
        over = [each for each in self._incidents.values() if each.state is IncidentState.RESOLVED]
        if excess > 0:
            over.sort(key=lambda each: each.resolved_ns)
        gone = [each for number, each in enumerate(over) if number < excess or each.resolved_ns < oldest_ns]
        for incident in gone:
            del self._incidents[incident.id]
            self._lose_homes(incident)
        return [each.id for each in gone]

    def _lose_homes(self, incident: Incident, *, over_only: bool = False) -> None:
        """Its alerts are not known any more."""
        for id_, alert in incident.alerts.items():
            key = (incident.tenant, id_)
            if (alert.over_ns or not over_only) and self._homes.get(key) == incident.id:
                del self._homes[key]
        if incident.dropped_alerts:
            dropped = [
                key for key, place in self._homes.items() if place == incident.id and key[1] not in incident.alerts
            ]
            for key in dropped:
                del self._homes[key]

    # What people do

    def incidents(self, tenant: str) -> list[Incident]:
        """All of a tenant that are kept and were not joined to others, the newest first. They are not to be changed."""
        with self._lock:
            found = [each for each in self._incidents.values() if each.tenant == tenant and not each.merged_into]
            for each in found:
                self._ranked(each)
        return sorted(found, key=lambda each: (-each.opened_ns, each.id))

    def incident(self, tenant: str, id_: str) -> Incident | None:
        """One of them; under the id of one that was joined to another, that one."""
        with self._lock:
            found = self._ranked(self._survivor(id_))
        return found if found is not None and found.tenant == tenant else None

    def acknowledge(self, tenant: str, id_: str, by: str, text: str = "") -> Incident:
        """Somebody looks after it. Raises UnknownIncidentError, also for one that is resolved."""
        with self._lock:
            incident = self._living(tenant, id_)
            incident.state, incident.acknowledged_by = IncidentState.ACKNOWLEDGED, by
            return self._done(incident, "acknowledged", text, by)

    def resolve(self, tenant: str, id_: str, by: str, text: str = "") -> Incident:
        """Somebody says that it is over: its alerts that last stay with it. Raises UnknownIncidentError."""
        with self._lock:
            incident, now_ns = self._living(tenant, id_), self._clock.now_ns()
            self._let_go(incident)
            self._end(incident, text, now_ns, by or "somebody")
            self._write([incident], now_ns)
            return incident

    def comment(self, tenant: str, id_: str, by: str, text: str) -> Incident:
        """Somebody says something, also of one that is over. Raises UnknownIncidentError."""
        with self._lock:
            incident = self.incident(tenant, id_)
            if incident is None:
                raise UnknownIncidentError(f"there is no incident {id_!r}")
            return self._done(incident, "comment", text, by)

    def merge(self, tenant: str, id_: str, other: str, by: str) -> Incident:
        """Two are one, the older one. Raises UnknownIncidentError."""
        with self._lock:
            pair = [self._living(tenant, each) for each in (id_, other)]
            if pair[0] is pair[1]:
                raise UnknownIncidentError(f"{id_!r} and {other!r} are the same incident")
            older, younger = sorted(pair, key=lambda each: (each.opened_ns, each.id))
            now_ns = self._clock.now_ns()
            self._grouping(tenant).merge(younger.id, older.id)
            self._join(younger, older, now_ns, by)
            self._rank(older)
            self._write([older, younger], now_ns)
            return older

    def split(self, tenant: str, id_: str, alerts: Iterable[str], by: str) -> Incident:
        """Some of its alerts, by id, are an incident of their own; that one. Raises UnknownIncidentError."""
        with self._lock:
            incident = self._living(tenant, id_)
            ids = [each for each in incident.alerts if each in set(alerts)]
            if not ids or len(ids) == len(incident.alerts):
                raise UnknownIncidentError(f"name some of the alerts of {id_!r}, and not all of them")
            now_ns = self._clock.now_ns()
            new = self._split(incident, ids, by, now_ns)
            self._write([incident, new], now_ns)
            return new

    def note(self, tenant: str, id_: str, kind: str, text: str) -> None:
        """The program did something about it (a runbook's action). Without effect where there is no such incident."""
        with self._lock:
            incident = self.incident(tenant, id_)
            if incident is not None:
                self._done(incident, kind, text, "")

    def _living(self, tenant: str, id_: str) -> Incident:
        found = self.incident(tenant, id_)
        if found is None:
            raise UnknownIncidentError(f"there is no incident {id_!r}")
        if found.state is IncidentState.RESOLVED:
            raise UnknownIncidentError(f"incident {id_!r} is resolved")
        return found

    def _done(self, incident: Incident, kind: str, text: str, by: str) -> Incident:
        now_ns = self._clock.now_ns()
        self._note(incident, kind, text, now_ns, by)
        self._write([incident], now_ns)
        return incident

    # What all of them need

    def _survivor(self, id_: str) -> Incident | None:
        found = self._incidents.get(id_)
        while found is not None and found.merged_into:
            found = self._incidents.get(found.merged_into)
        return found

    def _grouping(self, tenant: str) -> OnlineGrouping:
        if tenant not in self._groupings:
            topology = self._topologies.get(tenant, NOTHING)
            self._groupings[tenant] = OnlineGrouping(self._settings.link, topology)
        return self._groupings[tenant]

    def _remember(self, incident: Incident) -> None:
        """Go on with one that was stored."""
        is_living = incident.state is not IncidentState.RESOLVED
        is_recent = incident.resolved_ns >= self._clock.now_ns() - self._settings.reopen_ns
        links = is_living or (is_recent and not incident.resolved_by)
        for id_, alert in incident.alerts.items():
            key = (incident.tenant, id_)
            # An alert may have been in several, one after the other: where it lasts, it is.
            if not alert.over_ns:
                self._homes[key] = incident.id
            elif is_living or is_recent:
                home = self._incidents.get(self._homes.get(key, ""))
                if home is None or home.alerts[id_].over_ns:
                    self._homes[key] = incident.id
            if links:
                self._grouping(incident.tenant).restore(alert.fact, incident.id)
        if is_recent and not is_living:
            self._fading[incident.id] = incident

    def _note(self, incident: Incident, kind: str, text: str, now_ns: int, by: str = "") -> None:
        INCIDENT_EVENTS.labels(event=kind).inc()
        incident.updated_ns = now_ns
        incident.events.append(Event(now_ns, kind, text, by))
        del incident.events[: -self._settings.max_events]

    def _write(self, incidents: Iterable[Incident], now_ns: int, gone: Iterable[str] = ()) -> None:
        changed = list(incidents)
        for incident in changed:
            incident.updated_ns = now_ns
        self._store.write(changed, gone, self._incidents)

    def _count(self) -> None:
        counts = dict.fromkeys(IncidentState, 0)
        for incident in self._incidents.values():
            counts[incident.state] += not incident.merged_into
        for state, count in counts.items():
            INCIDENTS.labels(state=str(state)).set(count)


def _new_id(alert: Alert) -> str:
    return _hash(f"{alert.tenant} {alert.fingerprint} {alert.starts_ns} {alert.updated_ns}")


def _hash(text: str) -> str:
    return hashlib.blake2b(text.encode(), digest_size=_ID_BYTES).hexdigest()
