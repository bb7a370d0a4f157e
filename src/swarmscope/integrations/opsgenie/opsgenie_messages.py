"""What Opsgenie is told: which calls, with which bodies. Source: https://docs.opsgenie.com/docs/alert-api"""

from __future__ import annotations

import re
from typing import Any, NamedTuple

from swarmscope.integrations.filling import Filling, shortened
from swarmscope.integrations.notification_templates import group_key_hash
from swarmscope.integrations.notification_templates.template_data import KeyValues
from swarmscope.integrations.opsgenie.opsgenie_settings import OpsgenieSettings, ResponderSettings
from swarmscope.integrations.severities import named_severity, worst_severity
from swarmscope.model.alerts import Severity

# Characters, from the API's documentation.
MAX_MESSAGE, MAX_DESCRIPTION, MAX_SOURCE, MAX_NOTE, MAX_ENTITY, MAX_TAG, MAX_DETAILS = (
    130, 15_000, 100, 25_000, 512, 50, 8_000,
)  # fmt: skip
_PRIORITY = re.compile(r"P[1-5]")
_PRIORITIES = {Severity.CRITICAL: "P1", Severity.ERROR: "P2", Severity.WARNING: "P3", Severity.INFO: "P5"}


class OpsgenieCall(NamedTuple):
    """One request; the path is relative to the host."""

    method: str
    path: str
    body: dict[str, Any]


def opsgenie_calls(settings: OpsgenieSettings, filling: Filling) -> list[OpsgenieCall]:
    """The calls for one notification, in order."""
    alias = group_key_hash(filling.notification)
    by_alias = "identifierType=alias"
    source = shortened(filling.text(settings.source), MAX_SOURCE)
    if not filling.notification.firing:
        return [OpsgenieCall("POST", f"v2/alerts/{alias}/close?{by_alias}", _filled({"source": source}))]
    created = _created(settings, filling, alias, source)
    calls = [OpsgenieCall("POST", "v2/alerts", created)]
    if settings.update_alerts:
        calls.extend(
            OpsgenieCall("PUT", f"v2/alerts/{alias}/{part}?{by_alias}", {part: created[part]})
            for part in ("message", "description")
            if created.get(part)
        )
    return calls


def _created(settings: OpsgenieSettings, filling: Filling, alias: str, source: str) -> dict[str, Any]:
    labels = filling.data["CommonLabels"]
    details = dict(labels) if isinstance(labels, KeyValues) else {}
    details |= {name: filling.text(text) for name, text in settings.details.items()}
    return _filled(
        {
            "alias": alias,
            "message": shortened(filling.text(settings.message), MAX_MESSAGE) or "alert",
            "description": shortened(filling.text(settings.description), MAX_DESCRIPTION),
            "details": {name: shortened(value, MAX_DETAILS) for name, value in details.items()},
            "source": source,
            "responders": _responders(settings, filling),
            "tags": [shortened(tag, MAX_TAG) for tag in _parts(filling.text(settings.tags))],
            "note": shortened(filling.text(settings.note), MAX_NOTE),
            "priority": _priority(settings, filling),
            "entity": shortened(filling.text(settings.entity), MAX_ENTITY),
            "actions": _parts(filling.text(settings.actions)),
        }
    )


def _priority(settings: OpsgenieSettings, filling: Filling) -> str:
    given = filling.text(settings.priority).strip()
    if _PRIORITY.fullmatch(given.upper()):
        return given.upper()
    severity = named_severity(given) if given else worst_severity(filling.notification)
    return _PRIORITIES[severity] if severity else ""


def _responders(settings: OpsgenieSettings, filling: Filling) -> list[dict[str, str]]:
    found: list[dict[str, str]] = []
    for given in settings.responders:
        responder = _responder(given, filling)
        if responder["type"] == "teams":
            found += [{"name": name, "type": "team"} for name in _parts(responder.get("name", ""))]
        elif len(responder) > 1:  # templates may leave nothing but the type
            found.append(responder)
    return found


def _responder(given: ResponderSettings, filling: Filling) -> dict[str, str]:
    filled = {
        "id": filling.text(given.id),
        "name": filling.text(given.name),
        "username": filling.text(given.username),
        "type": filling.text(given.type).lower(),
    }
    return {name: text for name, text in filled.items() if text}


def _parts(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


def _filled(body: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in body.items() if value not in ("", [], {})}
