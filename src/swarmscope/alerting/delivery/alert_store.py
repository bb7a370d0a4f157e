"""The alerts that are remembered, merged as Alertmanager merges what senders say again.

Source: https://prometheus.io/docs/alerting/latest/alerts_api/
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace

import orjson

from swarmscope.instrument.metrics import ALERTS_LIMITED
from swarmscope.model.alerts import Alert
from swarmscope.model.contracts import StateStore
from swarmscope.model.errors import UnavailableError

_log = logging.getLogger(__name__)
KIND = "alert"
# More at once are an accident or an attack; those that are known go on.
MAX_ALERTS = 100_000
# So long after its end an alert is forgotten.
_KEPT_NS = 30 * 60 * 1_000_000_000
AlertKey = tuple[str, str]  # tenant and fingerprint


def merged(old: Alert, new: Alert) -> Alert:
    """One alert out of two of the same labels whose times overlap; the later said wins."""
    if new.updated_ns < old.updated_ns:
        old, new = new, old
    ends_ns, has_timeout = new.ends_ns, new.has_timeout
    if new.is_resolved(new.updated_ns):
        if old.is_resolved(new.updated_ns) and old.ends_ns > ends_ns:
            ends_ns = old.ends_ns
    elif old.ends_ns > ends_ns and not old.has_timeout:
        ends_ns, has_timeout = old.ends_ns, old.has_timeout
    return replace(new, starts_ns=min(old.starts_ns, new.starts_ns), ends_ns=ends_ns, has_timeout=has_timeout)


def _overlap(old: Alert, new: Alert) -> bool:
    return (
        (old.starts_ns < new.ends_ns < old.ends_ns)
        or (old.starts_ns < new.starts_ns < old.ends_ns)
        or (new.starts_ns <= old.starts_ns < new.ends_ns)
    )


class AlertStore:
    """Alerts by tenant and fingerprint. The caller holds a lock."""

    def __init__(self, state: StateStore, now_ns: int) -> None:
        """Takes up what was remembered. Raises UnavailableError."""
        self._state = state
        self._alerts: dict[AlertKey, Alert] = {}
        self.version = 0
        for record in state.load(KIND).values():
            alert = _from_record(record)
            if alert.ends_ns + _KEPT_NS > now_ns:
                self._alerts[alert.tenant, alert.fingerprint] = alert

    def put(self, alerts: Sequence[Alert]) -> list[Alert]:
        """Remember alerts; as they are now, merged with what was known. New ones beyond `MAX_ALERTS` are left out."""
        taken: dict[AlertKey, Alert] = {}
        n_new = n_refused = 0
        for alert in alerts:
            key = alert.tenant, alert.fingerprint
            old = taken.get(key) or self._alerts.get(key)
            if old is None:
                if len(self._alerts) + n_new >= MAX_ALERTS:
                    n_refused += 1
                    continue
                n_new += 1
            taken[key] = merged(old, alert) if old is not None and _overlap(old, alert) else alert
        self._alerts |= taken
        self.version += 1
        if n_refused:
            ALERTS_LIMITED.inc(n_refused)
            _log.warning("%d new alerts are not taken: %d are known already", n_refused, len(self._alerts))
        try:
            self._state.write(KIND, {f"{tenant}/{name}": _to_record(each) for (tenant, name), each in taken.items()})
        except UnavailableError as error:
            # Better told and forgotten at a restart than not told.
            _log.error("alerts are not on disk: %s", error)
        return list(taken.values())

    def all(self) -> list[Alert]:
        """Everything, what ended a while ago included."""
        return list(self._alerts.values())

    def get(self, key: AlertKey) -> Alert | None:
        """One."""
        return self._alerts.get(key)

    def forget_old(self, now_ns: int) -> None:
        """Drop what ended long ago."""
        gone = [key for key, alert in self._alerts.items() if alert.ends_ns + _KEPT_NS < now_ns]
        for key in gone:
            del self._alerts[key]
        if gone:
            self._state.write(KIND, {f"{tenant}/{name}": None for tenant, name in gone})


def _to_record(alert: Alert) -> bytes:
    return orjson.dumps(
        {
            "labels": dict(alert.labels), "annotations": dict(alert.annotations), "starts_ns": alert.starts_ns,
            "ends_ns": alert.ends_ns, "updated_ns": alert.updated_ns, "generator_url": alert.generator_url,
            "tenant": alert.tenant, "has_timeout": alert.has_timeout,
        }
    )  # fmt: skip


def _from_record(record: bytes) -> Alert:
    return Alert(**orjson.loads(record))
