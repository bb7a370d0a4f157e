"""Events as PagerDuty takes them.

Source: https://developer.pagerduty.com/docs/events-api-v2/trigger-events/ and, for service keys,
https://developer.pagerduty.com/docs/events-api-v1/overview/
"""

from __future__ import annotations

from typing import Any

from swarmscope.integrations.filling import Filling, shortened
from swarmscope.integrations.http import json_body
from swarmscope.integrations.notification_templates import group_key_hash
from swarmscope.integrations.pagerduty.pagerduty_settings import DEFAULT_DETAILS, PagerdutySettings
from swarmscope.integrations.severities import named_severity, worst_severity
from swarmscope.model.alerts import Notification, Severity

MAX_EVENT_BYTES = 512_000
MAX_SUMMARY, MAX_V1_DESCRIPTION = 1024, 1024
_TOO_LARGE = "Custom details were left out, for the event would have been larger than 512 KB."


def event_action(notification: Notification) -> str:
    """`trigger`, `acknowledge` where somebody has taken the incident on, `resolve`."""
    if not notification.firing:
        return "resolve"
    taken = notification.incident is not None and notification.incident.get("state") == "acknowledged"
    return "acknowledge" if taken else "trigger"


def event(settings: PagerdutySettings, filling: Filling, key: str) -> dict[str, Any]:
    """An event of version 2."""
    notification = filling.notification
    client = filling.text(settings.client)
    message: dict[str, Any] = {
        "routing_key": key,
        "dedup_key": group_key_hash(notification),
        "event_action": event_action(notification),
        "payload": _payload(settings, filling, client),
        "client": client,
        "client_url": filling.text(settings.client_url),
    }
    links = [{"href": filling.text(link.href), "text": filling.text(link.text)} for link in settings.links]
    images = [
        {"src": filling.text(image.src), "alt": filling.text(image.alt), "href": filling.text(image.href)}
        for image in settings.images
    ]
    # PagerDuty refuses links and images that lead nowhere.
    message["links"] = [_filled(link) for link in links if link["href"]]
    message["images"] = [_filled(image) for image in images if image["src"]]
    return _filled(message)


def event_v1(settings: PagerdutySettings, filling: Filling, key: str) -> dict[str, Any]:
    """An event of version 1, for services that were made for Prometheus."""
    return {
        "service_key": key,
        "incident_key": group_key_hash(filling.notification),
        "event_type": event_action(filling.notification),
        "description": shortened(filling.text(settings.description), MAX_V1_DESCRIPTION),
        "client": filling.text(settings.client),
        "client_url": filling.text(settings.client_url),
        "details": _details(settings, filling),
    }


def event_body(message: dict[str, Any]) -> bytes:
    """The event as JSON; details are left out where it is larger than PagerDuty takes."""
    body = json_body(message)
    if len(body) <= MAX_EVENT_BYTES:
        return body
    told = {"error": _TOO_LARGE}
    if "payload" in message:
        return json_body({**message, "payload": {**message["payload"], "custom_details": told}})
    return json_body({**message, "details": told})


def _payload(settings: PagerdutySettings, filling: Filling, client: str) -> dict[str, Any]:
    given = filling.text(settings.severity)
    severity = named_severity(given) if given else worst_severity(filling.notification)
    return _filled(
        {
            "summary": shortened(filling.text(settings.description), MAX_SUMMARY) or "alert",
            "source": filling.text(settings.source) or client or "Swarmscope",
            "severity": (severity or Severity.ERROR).value,
            "component": filling.text(settings.component),
            "group": filling.text(settings.group),
            "class": filling.text(settings.class_),
            "custom_details": _details(settings, filling),
        }
    )


def _details(settings: PagerdutySettings, filling: Filling) -> dict[str, str]:
    wanted = {**DEFAULT_DETAILS, **settings.details}
    details = {name: filling.text(text) for name, text in wanted.items()}
    incident = filling.notification.incident
    if incident is not None and "summary" in incident:
        details.setdefault("incident", str(incident["summary"]))
    return details


def _filled(message: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in message.items() if value not in ("", [], None)}
