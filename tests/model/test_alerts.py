"""An alert's identity and phases."""

from __future__ import annotations

from swarmscope.model.alerts import Alert, Notification, NotificationReason, fingerprint


def test_fingerprints_are_alertmanagers() -> None:
    # What Alertmanager 0.25 says of an alert with these labels.
    assert fingerprint({"b": "é", "alertname": "a"}) == "9aa4fb97308bee7d"


def test_a_group_goes_on_while_one_of_its_alerts_does() -> None:
    over = Alert({"alertname": "a"}, {}, starts_ns=1, ends_ns=5, updated_ns=5)
    on = Alert({"alertname": "b"}, {}, starts_ns=1, ends_ns=50, updated_ns=5)

    def told(*alerts: Alert) -> Notification:
        return Notification("1", "r", "g", {}, {}, alerts, 10, NotificationReason.FIRST, "")

    assert told(on, over).status == "firing"
    assert told(on, over).resolved == (over,)
    assert told(over).status == "resolved"
