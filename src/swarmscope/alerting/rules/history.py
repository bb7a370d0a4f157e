"""Changes of alerts as log lines: their history."""

from __future__ import annotations

from collections.abc import Sequence

from swarmscope.alerting.event_lines import EventLine, event_lines
from swarmscope.alerting.rules.state_machine import Change
from swarmscope.model.alerts import ALERT_NAME, SEVERITY, AlertPhase
from swarmscope.model.contracts import LogSink, SeriesIndex
from swarmscope.model.logs import Level

EVENT_NAME = "alert.state"
_NS_PER_MS = 1_000_000


class AlertHistory:
    """Writes one line for each change."""

    def __init__(self, sink: LogSink, index: SeriesIndex, tenant: str) -> None:
        self._sink, self._index, self._tenant = sink, index, tenant

    def write(self, group: str, changes: Sequence[Change]) -> None:
        """Write changes of one group's alerts. Raises what the sink raises."""
        if changes:
            events = [_to_event(group, change) for change in changes]
            self._sink.write_logs(event_lines(events, self._index, self._tenant))


def _to_event(group: str, change: Change) -> EventLine:
    alert = change.alert
    name = alert.labels.get(ALERT_NAME, "")
    body = {
        "alert": name, "from": change.before.value, "to": change.after.value, "fingerprint": alert.fingerprint,
        "labels": dict(alert.labels), "annotations": dict(alert.annotations), "value": repr(alert.value),
        "active_since_ms": alert.active_ms, "rule_group": group,
    }  # fmt: skip
    metadata = {
        "event_name": EVENT_NAME, "alertname": name, "alert_state": change.after.value,
        "alert_fingerprint": alert.fingerprint, "alert_severity": alert.labels.get(SEVERITY, ""),
    }  # fmt: skip
    level = Level.WARN if change.after == AlertPhase.FIRING else Level.INFO
    return EventLine(change.at_ms * _NS_PER_MS, body, metadata, level)
