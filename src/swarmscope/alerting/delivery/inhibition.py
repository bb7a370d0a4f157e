"""Alerts that others explain. Source: https://prometheus.io/docs/alerting/latest/configuration/#inhibition-related-settings"""

from __future__ import annotations

from collections.abc import Sequence

from swarmscope.alerting.delivery.config import InhibitRule
from swarmscope.lang.matchers import labels_test
from swarmscope.model.alerts import Alert


class _Rule:
    def __init__(self, rule: InhibitRule) -> None:
        self.source, self.target, self.equal = labels_test(rule.source), labels_test(rule.target), rule.equal
        self.sources: dict[tuple[str, ...], list[Alert]] = {}

    def key(self, alert: Alert) -> tuple[str, ...]:
        return (alert.tenant, *(alert.labels.get(name, "") for name in self.equal))


class Inhibitor:
    """Tells which alerts are inhibited. Rebuilt when alerts have changed; not thread-safe."""

    def __init__(self, rules: Sequence[InhibitRule]) -> None:
        self._rules = [_Rule(rule) for rule in rules]
        self._version = -1

    def learn(self, alerts: Sequence[Alert], version: int) -> None:
        """These are all alerts; nothing is done where the version is known."""
        if version == self._version or not self._rules:
            return
        self._version = version
        for rule in self._rules:
            rule.sources = {}
            for alert in alerts:
                if rule.source(alert.labels):
                    rule.sources.setdefault(rule.key(alert), []).append(alert)

    def inhibited_by(self, alert: Alert, now_ns: int) -> list[str]:
        """Fingerprints of the alerts that inhibit this one."""
        found = []
        for rule in self._rules:
            if not rule.target(alert.labels):
                continue
            # What fits both sides is not inhibited by another that does: each would silence the other.
            is_two_sided = rule.source(alert.labels)
            for source in rule.sources.get(rule.key(alert), ()):
                if source.is_resolved(now_ns) or (is_two_sided and rule.target(source.labels)):
                    continue
                found.append(source.fingerprint)
                break
        return list(dict.fromkeys(found))
