"""One group of rules while the program runs: evaluation in order, health, states, and what is told of them."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import NamedTuple

from swarmscope.alerting.rules.answers import RuleEngines
from swarmscope.alerting.rules.evaluation import Outcome, RuleEvaluation, worst_phase
from swarmscope.alerting.rules.firing_memory import FiringMemory
from swarmscope.alerting.rules.history import AlertHistory
from swarmscope.alerting.rules.rule_state import KeptAlerts, rule_keys
from swarmscope.alerting.rules.rules import AlertingRule, RecordingRule, Rule, RuleGroup
from swarmscope.alerting.rules.series_writer import LabelSet, SeriesWriter
from swarmscope.alerting.rules.settings import EvaluationSettings
from swarmscope.alerting.rules.shared_reader import SharedReader
from swarmscope.alerting.rules.state_machine import RESEND_DELAY_MS, ActiveAlert, Change, Timing
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
# An evaluation that had to wait is not made for a time before one that went ahead: its alerts would seem to end.
# A clock that is set back by more than this is believed.
_MAX_WAITED_MS = 60_000
# Records of alerts say when they were last seen; a pending one is worth nothing when that is long ago.
_KEPT_EVERY_MS = 300_000
_MAX_UNTOLD = 10_000


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
    untold: list[Change] = field(default_factory=list)  # that are no lines yet
    is_kept: bool = True  # whether the alerts are on disk as they were at `kept_ms`
    kept_ms: int = 0


class LiveGroup:
    """A group. Evaluations exclude each other; views are of the last one."""

    def __init__(self, group: RuleGroup, timing: GroupTiming, settings: EvaluationSettings, outlets: Outlets) -> None:
        self.group, self.timing = group, timing
        self._settings, self._outlets = settings, outlets
        self._rules = [RuleEvaluation(rule, settings) for rule in group.rules]
        self._keys = rule_keys(group)
        self._health = [_Health() for _ in group.rules]
        self._lock = threading.Lock()
        self._evaluated_ms, self._took_s = 0, 0.0
        self._is_over = False

    @property
    def keys(self) -> list[str]:
        """What the rules are known by over restarts."""
        return self._keys

    @property
    def composites(self) -> list[int]:
        """Positions of rules over other rules' alerts."""
        return [
            at
            for at, rule in enumerate(self.group.rules)
            if isinstance(rule, AlertingRule) and rule.composite is not None
        ]

    @property
    def offset_ms(self) -> int:
        """How far before the time of an evaluation its queries look."""
        own_ms = self.group.query_offset_ms
        return self.timing.query_offset_ms if own_ms is None else own_ms

    def restore(self, now_ms: int) -> None:
        """Take up what an earlier process knew."""
        for key, rule in zip(self._keys, self._rules, strict=True):
            self._outlets.kept.restore(key, rule.alerts, now_ms)
            for alert in rule.alerts.by_fingerprint.values():  # else composite alerts would seem to end
                if alert.fired_ms:
                    self._outlets.fired.saw(alert.fingerprint, alert.labels, alert.resolved_ms or now_ms)

    def take_over(self, old: LiveGroup, now_ms: int) -> None:
        """Go on from what the same rules of a group's earlier form know; what it has besides is over."""
        with old._lock:
            known = {key: at for at, key in enumerate(old._keys)}
            for at, key in enumerate(self._keys):
                if key in known:
                    before = known.pop(key)
                    self._rules[at].alerts.take_over(old._rules[before].alerts)
                    self._health[at] = old._health[before]
            old._end(known.values(), now_ms)

    def evaluate(
        self, engines: RuleEngines, reader: Reader, at_ms: int, chosen: set[int] | None = None
    ) -> list[Change]:
        """Evaluate all rules, or those at the positions `chosen`, at a time; what changed. Never raises."""
        shared, began = SharedReader(reader), time.perf_counter()
        changes: list[Change] = []
        with self._lock:
            if self._is_over:
                return changes
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
        if 0 < health.evaluated_ms - at_ms <= _MAX_WAITED_MS:
            at_ms = health.evaluated_ms
        RULE_EVALUATIONS.labels(rule_group=self.group.key).inc()
        times = (at_ms, self.offset_ms, max(self.timing.interval_ms, _LEAST_SPAN_WINDOW_MS))
        outcome: Outcome | None = None
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
        """Alerts first, whatever becomes of the rest; what fails is tried again with the next evaluation."""
        rule, health = self._rules[at].rule, self._health[at]
        if isinstance(rule, AlertingRule):
            alerting = rule
            self._attempt(rule, lambda: self._tell(alerting, at, outcome, at_ms))

        def write_series() -> None:
            self._outlets.series.write(outcome.series, health.series - outcome.series.keys(), at_ms)
            health.series = set(outcome.series)

        def write_history() -> None:
            self._outlets.history.write(self.group.key, health.untold)
            health.untold = []

        self._attempt(rule, write_series)
        health.untold = [*health.untold, *outcome.changes][-_MAX_UNTOLD:]
        if health.untold:
            self._attempt(rule, write_history)

    def _tell(self, rule: AlertingRule, at: int, outcome: Outcome, at_ms: int) -> None:
        health, alerts = self._health[at], self._rules[at].alerts
        for alert in alerts.active:
            if alert.phase == AlertPhase.FIRING:
                self._outlets.fired.saw(alert.fingerprint, alert.labels, at_ms)
        due = alerts.due(at_ms)
        if due:
            try:
                self._outlets.alerts.take_alerts([self._to_alert(rule, alert, at_ms) for alert in due])
            except Exception:
                for alert in due:
                    alert.sent_ms = 0
                raise
        is_old = bool(alerts.by_fingerprint) and at_ms - health.kept_ms >= _KEPT_EVERY_MS
        if due or outcome.changes or is_old or not health.is_kept:
            health.is_kept = False
            self._outlets.kept.keep(self._keys[at], alerts, at_ms)
            health.is_kept, health.kept_ms = True, at_ms

    def _attempt(self, rule: Rule, step: Callable[[], None]) -> None:
        try:
            step()
        except SwarmscopeError as error:
            _log.warning("rule %s of %s: %s", rule.name, self.group.key, error)
        except Exception:  # a sink's defect must not end evaluations
            _log.exception("rule %s of %s", rule.name, self.group.key)

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
            self._end(range(len(self._rules)), at_ms)

    def _end(self, positions: Iterable[int], at_ms: int) -> None:
        self._is_over = True
        for at in positions:
            alerts = self._rules[at].alerts
            alerts.timing = Timing()
            self._publish(at, Outcome({}, alerts.update([], at_ms), []), at_ms)

    def next_due_ms(self, at: int) -> int | None:
        """When a rule's alerts change by time alone; None where none does."""
        with self._lock:
            return self._rules[at].alerts.next_ms()

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
