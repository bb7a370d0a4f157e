"""What delivery asks where a route groups alerts by incident, and what it hands to notifications."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from swarmscope.model.alerts import Alert


class IncidentGrouper(Protocol):
    """Thread-safe, and quick: what it answers is in memory. Never raises."""

    def incident_of(self, alert: Alert) -> str:
        """The id of the alert's incident, which is made where need be; the same for as long as the alert lasts."""
        ...

    def describe_incident(self, incident: str) -> Mapping[str, object] | None:
        """What a notification tells of it (`Notification.incident`); None where it is not known."""
        ...
