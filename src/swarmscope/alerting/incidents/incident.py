"""One incident, as it is kept, told and stored."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum

from swarmscope.analysis.rootcause.facts import AlertFact
from swarmscope.analysis.rootcause.impact import Impact
from swarmscope.analysis.rootcause.ranking import Evidence, RootCause
from swarmscope.analysis.rootcause.topology import Node, NodeKind
from swarmscope.model.labels import DEFAULT_TENANT

_MAX_EVIDENCE_ALERTS = 20


class IncidentState(StrEnum):
    """Where an incident is. One that was joined to another has the state of that one in its stead."""

    OPEN = "open"
    ACKNOWLEDGED = "acknowledged"
    RESOLVED = "resolved"


@dataclass(slots=True)
class IncidentAlert:
    """An alert of an incident. `ends_ns` may lie ahead, as with `Alert`; `over_ns` is 0 while it lasts."""

    id: str
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    starts_ns: int
    ends_ns: int
    over_ns: int = 0
    generator_url: str = ""
    place: str = ""  # the incident that it came to first, under which delivery tells it whatever becomes of that
    linked_to: str = ""  # the alert that it is here for, "" of the first
    similarity: float = 0.0  # to that one

    @property
    def fact(self) -> AlertFact:
        """What grouping and ranking look at."""
        return AlertFact(self.labels, self.starts_ns, self.over_ns, self.id)


@dataclass(slots=True)
class Event:
    """Something that happened to an incident."""

    at_ns: int
    kind: str  # opened, alert, merged, split, acknowledged, comment, resolved, reopened
    text: str
    by: str = ""  # a person, or "" for the program


@dataclass(slots=True)
class Incident:
    """Alerts that belong together. Times are Unix nanoseconds, 0 for what has not happened."""

    id: str
    opened_ns: int
    tenant: str = DEFAULT_TENANT
    state: IncidentState = IncidentState.OPEN
    updated_ns: int = 0
    resolved_ns: int = 0
    resolved_by: str = ""  # "" by itself, once all of its alerts were over
    acknowledged_by: str = ""
    merged_into: str = ""
    split_from: str = ""
    quiet_since_ns: int = 0  # since when none of its alerts lasts
    alerts: dict[str, IncidentAlert] = field(default_factory=dict)  # by alert id, in order of coming
    dropped_alerts: int = 0  # beyond the most that are kept
    causes: tuple[RootCause, ...] = ()
    impact: tuple[Impact, ...] = ()
    action: str = ""  # what is recommended
    runbook: str = ""  # its name, where an alert names one
    events: list[Event] = field(default_factory=list)

    @property
    def lasting(self) -> list[IncidentAlert]:
        """The alerts that are not over."""
        return [alert for alert in self.alerts.values() if not alert.over_ns]

    @property
    def severity(self) -> str:
        """The worst of its alerts'."""
        ranks = {"info": 0, "warning": 1, "error": 2, "critical": 3}
        told = [alert.labels.get("severity", "").lower() for alert in self.lasting or self.alerts.values()]
        return max((each for each in told if each in ranks), key=lambda each: ranks[each], default="")

    @property
    def title(self) -> str:
        """One line: the likely cause, and what the alerts are called."""
        names = list(dict.fromkeys(alert.labels.get("alertname", "alert") for alert in self.alerts.values()))
        told = ", ".join(names[:3]) + (f" and {len(names) - 3} others" if len(names) > 3 else "")
        return f"{self.causes[0].node}: {told}" if self.causes else told


def to_record(incident: Incident) -> bytes:
    """As it is stored, without its alerts, which have records of their own: of them there may be many."""
    fields = {
        name: getattr(incident, name)
        for name in Incident.__slots__
        if name not in ("alerts", "causes", "impact", "events")
    }
    told = {
        **fields,
        "events": [asdict(event) for event in incident.events],
        "causes": [cause_json(cause) for cause in incident.causes],
        "impact": [impact_json(each) for each in incident.impact],
    }
    return json.dumps(told, ensure_ascii=False).encode()


def to_alert_record(alert: IncidentAlert) -> bytes:
    """As it is stored."""
    told = asdict(alert) | {"labels": dict(alert.labels), "annotations": dict(alert.annotations)}
    return json.dumps(told, ensure_ascii=False).encode()


def from_record(record: bytes, alerts: Iterable[bytes]) -> Incident:
    """An incident that was stored. Raises ValueError, KeyError or TypeError for what was not written here."""
    told = json.loads(record)
    found = [IncidentAlert(**json.loads(each)) for each in alerts]
    events = [Event(**each) for each in told.pop("events")]
    causes = tuple(_cause(each) for each in told.pop("causes"))
    impact = tuple(Impact(_node(each), each["hops"], each["likelihood"]) for each in told.pop("impact"))
    state = IncidentState(told.pop("state"))
    by_start = {each.id: each for each in sorted(found, key=lambda each: (each.starts_ns, each.id))}
    return Incident(**told, state=state, alerts=by_start, events=events, causes=causes, impact=impact)


def cause_json(cause: RootCause) -> dict[str, object]:
    """A cause as JSON."""
    return {
        "kind": str(cause.node.kind),
        "name": cause.node.name,
        "score": round(cause.score, 4),
        "confidence": round(cause.confidence, 4),
        "evidence": [
            {"kind": each.kind, "text": each.text, "alerts": list(each.alerts[:_MAX_EVIDENCE_ALERTS])}
            for each in cause.evidence
        ],
    }  # fmt: skip


def impact_json(impact: Impact) -> dict[str, object]:
    """Somebody who may suffer, as JSON."""
    return {
        "kind": str(impact.node.kind), "name": impact.node.name, "hops": impact.hops,
        "likelihood": round(impact.likelihood, 4),
    }  # fmt: skip


def _node(told: Mapping[str, str]) -> Node:
    return Node(NodeKind(told["kind"]), told["name"])


def _cause(told: Mapping[str, object]) -> RootCause:
    evidence = tuple(
        Evidence(str(each["kind"]), str(each["text"]), tuple(each["alerts"]))
        for each in told["evidence"]  # type: ignore[attr-defined]
    )
    node = Node(NodeKind(str(told["kind"])), str(told["name"]))
    return RootCause(node, float(str(told["score"])), float(str(told["confidence"])), evidence)
