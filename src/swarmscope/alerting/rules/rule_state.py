"""What is kept of alerts' states, so that a restart neither forgets how long one has lasted nor tells it twice."""

from __future__ import annotations

from collections import Counter
from hashlib import blake2b

import orjson

from swarmscope.alerting.rules.rules import RuleGroup
from swarmscope.alerting.rules.state_machine import ActiveAlert, RuleAlerts
from swarmscope.model.alerts import AlertPhase
from swarmscope.model.contracts import StateStore

KIND = "rule_alert"
# As Prometheus' rules.alert.for-outage-tolerance: who was away for longer does not know what went on meanwhile.
_OUTAGE_TOLERANCE_MS = 3_600_000


def rule_keys(group: RuleGroup) -> list[str]:
    """What rules are known by over restarts and changes: their group, name and labels, and their place among equals.

    The expression is no part of it, as in Prometheus: an alert whose threshold is changed goes on.
    """
    counts: Counter[str] = Counter()
    keys = []
    for rule in group.rules:
        told = repr((group.key, type(rule).__name__, rule.name, sorted(rule.labels.items())))
        keys.append(blake2b(f"{told}{counts[told]}".encode(), digest_size=12).hexdigest())
        counts[told] += 1
    return keys


def to_record(alert: ActiveAlert, seen_ms: int) -> bytes:
    """An alert as it is at a time."""
    return orjson.dumps(
        {
            "labels": dict(alert.labels), "annotations": dict(alert.annotations), "value": repr(alert.value),
            "active_ms": alert.active_ms, "phase": alert.phase.value, "fired_ms": alert.fired_ms,
            "resolved_ms": alert.resolved_ms, "keep_firing_since_ms": alert.keep_firing_since_ms,
            "sent_ms": alert.sent_ms, "seen_ms": seen_ms,
        }
    )  # fmt: skip


def from_record(record: bytes, now_ms: int) -> ActiveAlert | None:
    """The alert; None where too long ago is not to be known any more."""
    told = orjson.loads(record)
    if told["phase"] == AlertPhase.PENDING and now_ms - told.pop("seen_ms") > _OUTAGE_TOLERANCE_MS:
        return None
    told.pop("seen_ms", None)
    return ActiveAlert(**{**told, "value": float(told["value"]), "phase": AlertPhase(told["phase"])})


class KeptAlerts:
    """The records of all rules. One thread at a time for each rule."""

    def __init__(self, store: StateStore) -> None:
        """Reads all. Raises UnavailableError."""
        self._store = store
        self._records: dict[str, dict[str, bytes]] = {}  # by rule, by fingerprint
        for key, record in store.load(KIND).items():
            rule, _, fingerprint = key.partition("/")
            self._records.setdefault(rule, {})[fingerprint] = record

    def restore(self, rule: str, alerts: RuleAlerts, now_ms: int) -> None:
        """Give a rule back what it had."""
        for record in self._records.get(rule, {}).values():
            alert = from_record(record, now_ms)
            if alert is not None:
                alerts.restore(alert)

    def keep(self, rule: str, alerts: RuleAlerts, at_ms: int) -> None:
        """Write what is different from what is kept. Raises UnavailableError: it is tried again with the next call."""
        known = self._records.get(rule, {})
        made = {name: to_record(alert, at_ms) for name, alert in alerts.by_fingerprint.items()}
        changed: dict[str, bytes | None] = {f"{rule}/{name}": record for name, record in made.items()}
        changed |= {f"{rule}/{name}": None for name in known if name not in made}
        self._store.write(KIND, changed)
        self._records[rule] = made

    def forget(self, rules: set[str]) -> None:
        """Drop what is kept of rules that are no more. Raises UnavailableError."""
        gone = {f"{rule}/{name}": None for rule in rules for name in self._records.get(rule, {})}
        self._store.write(KIND, gone)
        for rule in rules:
            self._records.pop(rule, None)

    @property
    def rules(self) -> set[str]:
        """Rules that something is kept of."""
        return set(self._records)
