"""Incidents as JSON."""

from __future__ import annotations

from typing import Any

from swarmscope.alerting.incidents.incident import Incident, cause_json, impact_json
from swarmscope.alerting.incidents.telling import summary
from swarmscope.api.agents.shapes import time_json


def incident_json(incident: Incident) -> dict[str, Any]:
    """One in a list."""
    return {
        "id": incident.id,
        "title": incident.title,
        "summary": summary(incident),
        "state": str(incident.state),
        "severity": incident.severity,
        "opened": time_json(incident.opened_ns),
        "updated": time_json(incident.updated_ns),
        "resolved": time_json(incident.resolved_ns),
        "acknowledged_by": incident.acknowledged_by,
        "resolved_by": incident.resolved_by,
        "alerts": len(incident.alerts) + incident.dropped_alerts,
        "firing": len(incident.lasting),
        "root_cause": cause_json(incident.causes[0]) if incident.causes else None,
        "action": incident.action,
        "runbook": incident.runbook,
    }


def detail_json(incident: Incident) -> dict[str, Any]:
    """All that is known of one; its `alerts` are a list here."""
    return {
        **incident_json(incident),
        "root_causes": [cause_json(cause) for cause in incident.causes],
        "impact": [impact_json(each) for each in incident.impact],
        "split_from": incident.split_from,
        "dropped_alerts": incident.dropped_alerts,
        "alerts": [
            {
                "id": alert.id,
                "labels": dict(alert.labels),
                "annotations": dict(alert.annotations),
                "starts": time_json(alert.starts_ns),
                "ended": time_json(alert.over_ns),
                "generator_url": alert.generator_url,
                "linked_to": alert.linked_to,
                "similarity": round(alert.similarity, 4),
            }
            for alert in incident.alerts.values()
        ],
        "events": [
            {"time": time_json(event.at_ns), "kind": event.kind, "text": event.text, "by": event.by}
            for event in incident.events
        ],
    }
