"""How bad a notification is, in the words of other systems."""

from __future__ import annotations

from swarmscope.model.alerts import SEVERITY, Notification, Severity

# What people write beside our own four.
_ALIASES = {
    "page": Severity.CRITICAL, "fatal": Severity.CRITICAL, "emergency": Severity.CRITICAL, "crit": Severity.CRITICAL,
    "alert": Severity.CRITICAL, "disaster": Severity.CRITICAL, "err": Severity.ERROR, "major": Severity.ERROR,
    "high": Severity.ERROR, "warn": Severity.WARNING, "minor": Severity.WARNING, "medium": Severity.WARNING,
    "ticket": Severity.WARNING, "low": Severity.INFO, "notice": Severity.INFO, "none": Severity.INFO,
    "debug": Severity.INFO, "information": Severity.INFO, "informational": Severity.INFO,
}  # fmt: skip
_ORDER = tuple(Severity)


def named_severity(text: str) -> Severity | None:
    """The severity of a name in whatever case, None where it is none."""
    word = text.strip().lower()
    return Severity(word) if word in _ORDER else _ALIASES.get(word)


def worst_severity(notification: Notification) -> Severity | None:
    """The worst of the alerts that go on, or of all where none does; None where none says."""
    alerts = notification.firing or notification.alerts
    found = [named_severity(alert.labels.get(SEVERITY, "")) for alert in alerts]
    return max((each for each in found if each is not None), key=_ORDER.index, default=None)
