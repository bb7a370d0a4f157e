"""One group of rules while the program runs: evaluation in order, health, states, and what is told of them."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import NamedTuple

from swarmscope.alerting.rules.answers import RuleEngines
from swarmscope.alerting.rules.evaluation import Outcome, RuleEvaluation, worst_phase
from swarmscope.alerting.rules.firing_memory import FiringMemory
from swarmscope.alerting.rules.history import AlertHistory
from swarmscope.alerting.rules.rule_state import KeptAlerts, rule_key
from swarmscope.alerting.rules.rules import AlertingRule, RecordingRule, RuleGroup
from swarmscope.alerting.rules.series_writer import LabelSet, SeriesWriter
from swarmscope.alerting.rules.settings import EvaluationSettings
from swarmscope.alerting.rules.shared_reader import SharedReader
from swarmscope.alerting.rules.state_machine import RESEND_DELAY_MS, ActiveAlert, Change
from swarmscope.alerting.rules.template_texts import table_link
from swarmscope.alerting.rules.view import AlertView, GroupView, RuleHealth, RuleView
from swarmscope.instrument.metrics import RULE_EVALUATION_FAILURES, RULE_EVALUATIONS
from swarmscope.model.alerts import Alert, AlertPhase
from swarmscope.model.contracts import AlertSink, Reader
from swarmscope.model.errors import SwarmscopeError

_log = logging.getLogger(__name__)
_NS_PER_MS = 1_000_000
# Who sends alerts again each minute is believed to be away when it did not for so many.
_VALID_RESENDS = 4
_LEAST_SPAN_WINDOW_MS = 60_000


class Outlets(NamedTuple):
    """Where what comes of rules goes."""

    alerts: AlertSink
    series: SeriesWriter
    history: AlertHistory
    kept: KeptAlerts
    fired: FiringMemory


class GroupTiming(NamedTuple):
    """When a group is evaluated; milliseconds."""

    interval_ms: int
    query_offset_ms: int

    def tick_before(self, key: str, now_ms: int) -> int:
        """The last of the group's times at or before now; groups of one interval are spread over it."""
        phase = int.from_bytes(blake2b(key.encode(), digest_size=8).digest()) % self.interval_ms
        return (now_ms - phase) // self.interval_ms * self.interval_ms + phase


@dataclass(slots=True)
class _Health:
    """How a rule's last evaluation went."""

    health: RuleHealth = RuleHealth.UNKNOWN
    error: str = ""
    evaluated_ms: int = 0
    took_s: float = 0.0
    series: set[LabelSet] = field(default_factory=set)  # that the last evaluation wrote


class LiveGroup:
    """A group. Evaluations exclude each other; views are of the last one."""

    def __init__(self, group: RuleGroup, timing: GroupTiming, settings: EvaluationSettings, outlets: Outlets) -> None:
        self.group, self.timing = group, timing
        self._settings, self._outlets = settings, outlets
        self._rules = [RuleEvaluation(rule, settings) for rule in group.rules]
        self._keys = [rule_key(group, rule) for rule in group.rules]
        self._health = [_Health() for _ in group.rules]
        self._lock = threading.Lock()
        self._evaluated_ms, self._took_s = 0, 0.0

    @property
    def keys(self) -> list[str]:
        """What the rules are known by over restarts."""
        return self._keys

    def restore(self, now_ms: int) -> None:
        """Take up what an earlier process knew."""
        for key, rule in zip(self._keys, self._rules, strict=True):
            self._outlets.kept.restore(key, rule.alerts, now_ms)

    def take_over(self, old: LiveGroup) -> None:
        """Go on from what the same rules of a group's earlier form know."""
        with old._lock:
            known = {key: at for at, key in enumerate(old._keys)}
            for at, key in enumerate(self._keys):
                if key in known:
                    before = old._rules[known[key]].alerts
                    self._rules[at].alerts.by_fingerprint = before.by_fingerprint
                    self._health[at] = old._health[known[key]]

    def evaluate(
        self, engines: RuleEngines, reader: Reader, at_ms: int, chosen: set[int] | None = None
    ) -> list[Change]:
        """Evaluate all rules, or those at the positions `chosen`, at a time; what changed. Never raises."""
        shared, began, changes = SharedReader(reader), time.perf_counter(), []
        with self._lock:
            for at in range(len(self._rules)):
                if chosen is None or at in chosen:
                    changes += self._evaluate_rule(at, engines, shared, at_ms)
                    if isinstance(self._rules[at].rule, RecordingRule):
                        shared = SharedReader(reader)  # what follows sees what was written
            if chosen is None:
                self._evaluated_ms, self._took_s = at_ms, time.perf_counter() - began
        return changes

    def _evaluate_rule(self, at: int, engines: RuleEngines, reader: SharedReader, at_ms: int) -> list[Change]:
        rule, health = self._rules[at], self._health[at]
        began = time.perf_counter()
        RULE_EVALUATIONS.labels(rule_group=self.group.key).inc()
        offset_ms = self.group.query_offset_ms
        times = (
            at_ms,
            self.timing.query_offset_ms if offset_ms is None else offset_ms,
            max(self.timing.interval_ms, 60_000),
        )
        outcome = Outcome({}, [], [])
        try:
            outcome = rule.evaluate(engines, reader, self._outlets.fired, times, self.group.limit)
            health.health, health.error = RuleHealth.OK, "; ".join(dict.fromkeys(outcome.notes))
        except SwarmscopeError as error:
            health.health, health.error = RuleHealth.ERROR, str(error)
        except Exception as error:  # one rule's defect must not end the others
            _log.exception("rule %s of %s", rule.rule.name, self.group.key)
            health.health, health.error = RuleHealth.ERROR, f"internal error: {type(error).__name__}"
        if health.error:
            RULE_EVALUATION_FAILURES.labels(rule_group=self.group.key).inc()
        if outcome is not None:
            self._publish(at, outcome, at_ms)
        health.evaluated_ms, health.took_s = at_ms, time.perf_counter() - began
        return outcome.changes if outcome is not None else []

    def _publish(self, at: int, outcome: Outcome, at_ms: int) -> None:
        """Series, alerts, states and history; what fails is tried again with the next evaluation."""
        rule, health = self._rules[at], self._health[at]
        try:
            self._outlets.series.write(outcome.series, health.series - outcome.series.keys(), at_ms)
            health.series = set(outcome.series)
            if not isinstance(rule.rule, AlertingRule):
                return
            for alert in rule.alerts.active:
                if alert.phase == AlertPhase.FIRING:
                    self._outlets.fired.saw(alert.fingerprint, alert.labels, at_ms)
            due = rule.alerts.due(at_ms)
            if due:
                self._outlets.alerts.take_alerts([self._to_alert(rule.rule, alert, at_ms) for alert in due])
            if due or outcome.changes:
                self._outlets.kept.keep(self._keys[at], rule.alerts, at_ms)
                self._outlets.history.write(self.group.key, outcome.changes)
        except SwarmscopeError as error:
            _log.warning("rule %s of %s: %s", rule.rule.name, self.group.key, error)

    def _to_alert(self, rule: AlertingRule, alert: ActiveAlert, at_ms: int) -> Alert:
        ends_ms = alert.resolved_ms or at_ms + _VALID_RESENDS * max(self.timing.interval_ms, RESEND_DELAY_MS)
        return Alert(
            labels={**(self._settings.external_labels or {}), **alert.labels},
            annotations=alert.annotations,
            starts_ns=alert.fired_ms * _NS_PER_MS,
            ends_ns=ends_ms * _NS_PER_MS,
            updated_ns=at_ms * _NS_PER_MS,
            generator_url=self._settings.external_url + table_link(rule.expr),
            tenant=self._settings.tenant,
            has_timeout=not alert.resolved_ms,
        )

    def end(self, at_ms: int) -> None:
        """The group is no more: its alerts are over, and its series end."""
        with self._lock:
            for at, rule in enumerate(self._rules):
                rule.alerts.timing = type(rule.alerts.timing)()
                self._publish(at, Outcome({}, rule.alerts.update([], at_ms), []), at_ms)

    def next_due_ms(self, at: int) -> int | None:
        """When a rule's pending alert may begin to fire; None where none waits."""
        rule = self._rules[at].rule
        if not isinstance(rule, AlertingRule) or not rule.for_ms:
            return None
        pending = [alert.active_ms for alert in self._rules[at].alerts.active if alert.phase == AlertPhase.PENDING]
        return min(pending) + rule.for_ms if pending else None

    def view(self) -> GroupView:
        """The group as of its last evaluation."""
        with self._lock:
            rules = tuple(map(self._rule_view, range(len(self._rules))))
            return GroupView(self.group, self.timing.interval_ms, self._evaluated_ms, self._took_s, rules)

    def _rule_view(self, at: int) -> RuleView:
        evaluation, health = self._rules[at], self._health[at]
        active: Sequence[ActiveAlert] = evaluation.alerts.active
        alerts = tuple(
            AlertView(
                each.labels, each.annotations, each.phase, each.active_ms, each.fired_ms, each.keep_firing_since_ms,
                each.value,
            )
            for each in active
        )  # fmt: skip
        return RuleView(
            evaluation.rule,
            health.health,
            health.error,
            health.evaluated_ms,
            health.took_s,
            worst_phase(active),
            alerts,
        )
