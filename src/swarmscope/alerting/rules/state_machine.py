"""The states of one rule's alerts, from result to result. Pure: times are handed in, as Unix milliseconds.

Source of the transitions: https://prometheus.io/docs/prometheus/latest/configuration/alerting_rules/ ; the cooldown is
ours: an alert that began to fire does not begin again before the cooldown is over.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from swarmscope.model.alerts import AlertPhase, fingerprint

# Who did not hear of an end may ask for so long.
RESOLVED_KEPT_MS = 15 * 60_000
RESEND_DELAY_MS = 60_000


@dataclass(slots=True)
class ActiveAlert:
    """One alert of a rule, by its labels. A time of 0 is none."""

    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    value: float
    active_ms: int
    phase: AlertPhase = AlertPhase.PENDING
    fired_ms: int = 0
    resolved_ms: int = 0
    keep_firing_since_ms: int = 0
    sent_ms: int = 0
    fingerprint: str = field(default="")

    def __post_init__(self) -> None:
        if not self.fingerprint:
            self.fingerprint = fingerprint(self.labels)


@dataclass(frozen=True, slots=True)
class Result:
    """One row of a rule's answer, with the labels and annotations that the alert has."""

    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    value: float


@dataclass(frozen=True, slots=True)
class Timing:
    """How long a rule's alerts wait and stay."""

    for_ms: int = 0
    keep_firing_for_ms: int = 0
    cooldown_ms: int = 0


@dataclass(frozen=True, slots=True)
class Change:
    """An alert that came into another phase."""

    alert: ActiveAlert
    before: AlertPhase
    after: AlertPhase
    at_ms: int


class RuleAlerts:
    """All alerts of one rule by fingerprint, those that ended a while ago included."""

    def __init__(self, timing: Timing) -> None:
        self.timing = timing
        self.by_fingerprint: dict[str, ActiveAlert] = {}
        self._last_fired_ms: dict[str, int] = {}

    @property
    def active(self) -> list[ActiveAlert]:
        """Those that are pending or fire."""
        return [alert for alert in self.by_fingerprint.values() if alert.phase != AlertPhase.INACTIVE]

    def restore(self, alert: ActiveAlert) -> None:
        """Take back an alert of an earlier process."""
        self.by_fingerprint[alert.fingerprint] = alert
        if alert.fired_ms:
            self._last_fired_ms[alert.fingerprint] = alert.fired_ms

    def update(self, results: Sequence[Result], at_ms: int) -> list[Change]:
        """The results of an evaluation; what changed, in the order of the results, ends last."""
        changes: list[Change] = []
        seen: set[str] = set()
        for result in results:
            name = fingerprint(result.labels)
            seen.add(name)
            alert = self.by_fingerprint.get(name)
            if alert is None or alert.phase == AlertPhase.INACTIVE:
                alert = ActiveAlert(result.labels, result.annotations, result.value, at_ms, fingerprint=name)
                self.by_fingerprint[name] = alert
                changes.append(Change(alert, AlertPhase.INACTIVE, AlertPhase.PENDING, at_ms))
            alert.value, alert.annotations, alert.keep_firing_since_ms = result.value, result.annotations, 0
            self._mature(alert, at_ms, changes)
        for name, alert in list(self.by_fingerprint.items()):
            if name not in seen:
                self._without_result(name, alert, at_ms, changes)
        self._forget_cooldowns(at_ms)
        return changes

    def take_over(self, old: RuleAlerts) -> None:
        """Go on from what the rule knew in an earlier form, which is not used any more."""
        self.by_fingerprint, self._last_fired_ms = old.by_fingerprint, old._last_fired_ms

    def next_ms(self) -> int | None:
        """When an alert changes by time alone, as long as the results stay; None where none does."""
        times_ms = []
        for alert in self.by_fingerprint.values():
            if alert.phase == AlertPhase.PENDING:
                ripe_ms = alert.active_ms + self.timing.for_ms
                last_ms = self._last_fired_ms.get(alert.fingerprint)
                times_ms.append(ripe_ms if last_ms is None else max(ripe_ms, last_ms + self.timing.cooldown_ms))
            elif alert.phase == AlertPhase.FIRING and alert.keep_firing_since_ms:
                times_ms.append(alert.keep_firing_since_ms + self.timing.keep_firing_for_ms)
        return min(times_ms, default=None)

    def clear(self) -> None:
        """Forget all, as where a limit was hit."""
        self.by_fingerprint.clear()

    def due(self, at_ms: int, resend_delay_ms: int = RESEND_DELAY_MS) -> list[ActiveAlert]:
        """Alerts that who is told of alerts has to hear of now; they count as sent."""
        told = []
        for alert in self.by_fingerprint.values():
            if alert.phase == AlertPhase.PENDING:
                continue
            if alert.resolved_ms > alert.sent_ms or alert.sent_ms + resend_delay_ms <= at_ms or not alert.sent_ms:
                alert.sent_ms = at_ms
                told.append(alert)
        return told

    def _mature(self, alert: ActiveAlert, at_ms: int, changes: list[Change]) -> None:
        if alert.phase != AlertPhase.PENDING or at_ms - alert.active_ms < self.timing.for_ms:
            return
        last_ms = self._last_fired_ms.get(alert.fingerprint)
        if last_ms is not None and at_ms - last_ms < self.timing.cooldown_ms:
            return
        alert.phase, alert.fired_ms = AlertPhase.FIRING, at_ms
        self._last_fired_ms[alert.fingerprint] = at_ms
        changes.append(Change(alert, AlertPhase.PENDING, AlertPhase.FIRING, at_ms))

    def _without_result(self, name: str, alert: ActiveAlert, at_ms: int, changes: list[Change]) -> None:
        if alert.phase == AlertPhase.PENDING:
            del self.by_fingerprint[name]
            changes.append(Change(alert, AlertPhase.PENDING, AlertPhase.INACTIVE, at_ms))
            return
        if alert.phase == AlertPhase.INACTIVE:
            if at_ms - alert.resolved_ms > RESOLVED_KEPT_MS:
                del self.by_fingerprint[name]
            return
        if self.timing.keep_firing_for_ms:
            alert.keep_firing_since_ms = alert.keep_firing_since_ms or at_ms
            if at_ms - alert.keep_firing_since_ms < self.timing.keep_firing_for_ms:
                return
        alert.phase, alert.resolved_ms = AlertPhase.INACTIVE, at_ms
        changes.append(Change(alert, AlertPhase.FIRING, AlertPhase.INACTIVE, at_ms))

    def _forget_cooldowns(self, at_ms: int) -> None:
        over = [name for name, last_ms in self._last_fired_ms.items() if at_ms - last_ms >= self.timing.cooldown_ms]
        for name in over:
            if name not in self.by_fingerprint:
                del self._last_fired_ms[name]
