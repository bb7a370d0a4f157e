"""What a notification tells of an incident."""

from __future__ import annotations

from swarmscope.alerting.incidents.incident import Incident, cause_json, impact_json

_MAX_IMPACT = 8


def notification_json(incident: Incident, external_url: str) -> dict[str, object]:
    """`Notification.incident`: plain JSON. `summary` alone says the most important in one sentence or two."""
    return {
        "id": incident.id,
        "title": incident.title,
        "summary": summary(incident),
        "state": str(incident.state),
        "severity": incident.severity,
        "url": f"{external_url}/api/incidents/{incident.id}" if external_url else "",
        "opened_ns": incident.opened_ns,
        "alerts": len(incident.alerts) + incident.dropped_alerts,
        "firing": len(incident.lasting),
        "root_causes": [cause_json(cause) for cause in incident.causes],
        "impact": [impact_json(each) for each in incident.impact[:_MAX_IMPACT]],
        "action": incident.action,
        "runbook": incident.runbook,
    }


def summary(incident: Incident) -> str:
    """The likely cause with its evidence, whom it may strike, what to do."""
    if not incident.causes:
        return incident.title
    first = incident.causes[0]
    parts = [f"Likely cause: {first.node} ({first.confidence:.0%})"]
    parts += [each.text for each in first.evidence[:2]]
    text = "; ".join(parts) + "."
    struck = [each.node.name for each in incident.impact[:3]]
    if struck:
        text += f" May strike {', '.join(struck)}."
    if incident.action:
        text += f" Recommended: {incident.action}"
    return text
