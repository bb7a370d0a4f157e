"""The evaluation of one rule at one time: from its answer to alerts and series.

Source: https://prometheus.io/docs/prometheus/latest/configuration/alerting_rules/
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from swarmscope.alerting.rules.answers import Question, RuleEngines
from swarmscope.alerting.rules.firing_memory import FiringMemory, composite_results
from swarmscope.alerting.rules.rule_templates import TemplateContext, expand_or_tell
from swarmscope.alerting.rules.rules import AlertingRule, RecordingRule, Rule, RuleKind
from swarmscope.alerting.rules.series_writer import LabelSet, label_set
from swarmscope.alerting.rules.settings import EvaluationSettings
from swarmscope.alerting.rules.state_machine import ActiveAlert, Change, Result, RuleAlerts, Timing
from swarmscope.model.alerts import ALERT_NAME, AlertPhase, fingerprint
from swarmscope.model.contracts import Reader
from swarmscope.model.errors import LimitExceededError, QueryFailedError
from swarmscope.model.labels import METRIC_NAME
from swarmscope.query.deadlines import Deadline

ALERTS, ALERTS_FOR_STATE, ALERT_STATE = "ALERTS", "ALERTS_FOR_STATE", "alertstate"
RUNBOOK = "runbook"
_SAME_LABELS = "vector contains metrics with the same labelset after applying {kind} labels"


@dataclass(slots=True)
class Outcome:
    """What an evaluation came to."""

    series: dict[LabelSet, float]
    changes: list[Change]
    notes: list[str]  # errors that did not end it: of templates


class RuleEvaluation:
    """One rule and the states of its alerts."""

    def __init__(self, rule: Rule, settings: EvaluationSettings) -> None:
        self.rule, self._settings = rule, settings
        cooldown_ms = settings.cooldown_ms
        timing = Timing()
        if isinstance(rule, AlertingRule):
            own_ms = rule.cooldown_ms
            timing = Timing(rule.for_ms, rule.keep_firing_for_ms, cooldown_ms if own_ms is None else own_ms)
        self.alerts = RuleAlerts(timing)

    def evaluate(
        self, engines: RuleEngines, reader: Reader, fired: FiringMemory, times: tuple[int, int, int], limit: int
    ) -> Outcome:
        """Evaluate at `times`: now, how far before that the query looks, what a TraceQL query spans (milliseconds).

        Raises the four query errors of `model.errors`; the alerts stay as they were, unless a limit was hit.
        """
        at_ms, offset_ms, window_ms = times

        def ask(expr: str, kind: RuleKind) -> list[tuple[dict[str, str], float]]:
            return engines.ask(
                Question(
                    expr, kind, at_ms - offset_ms, self._settings.tenant, window_ms, self._settings.max_results,
                    Deadline(self._settings.timeout_s),
                ),
                reader,
            )  # fmt: skip

        match self.rule:
            case RecordingRule():
                return self._record(self.rule, ask(self.rule.expr, self.rule.kind), limit)
            case AlertingRule():
                composite = self.rule.composite
                if composite is not None:
                    rows = composite_results(composite, fired.since(at_ms - composite.within_ms))
                else:
                    rows = ask(self.rule.expr, self.rule.kind)
                return self._alert(self.rule, rows, at_ms, limit, lambda expr: ask(expr, RuleKind.PROMQL))

    def _record(self, rule: RecordingRule, rows: Sequence[tuple[dict[str, str], float]], limit: int) -> Outcome:
        series: dict[LabelSet, float] = {}
        for labels, value in rows:
            name = label_set({**labels, **rule.labels}, rule.record)
            if name in series:
                raise QueryFailedError(_SAME_LABELS.format(kind="rule"))
            series[name] = value
        if limit and len(series) > limit:
            raise LimitExceededError(f"exceeded limit of {limit} with {len(series)} series", limit="limit")
        return Outcome(series, [], [])

    def _alert(
        self,
        rule: AlertingRule,
        rows: Sequence[tuple[dict[str, str], float]],
        at_ms: int,
        limit: int,
        ask: Callable[[str], list[tuple[dict[str, str], float]]],
    ) -> Outcome:
        notes: list[str] = []
        results: dict[str, Result] = {}
        context = TemplateContext(
            lambda expr: [{"Labels": labels, "Value": value} for labels, value in ask(expr)],
            self._settings.external_url,
            self._settings.external_labels,
            at_ms,
        )
        for labels, value in rows:
            result = _to_result(rule, labels, value, context, notes)
            name = fingerprint(result.labels)
            if name in results:
                raise QueryFailedError(_SAME_LABELS.format(kind="alert"))
            results[name] = result
        changes = self.alerts.update(list(results.values()), at_ms)
        n_active = len(self.alerts.active)
        if limit and n_active > limit:
            self.alerts.clear()
            raise LimitExceededError(f"exceeded limit of {limit} with {n_active} alerts", limit="limit")
        return Outcome(alert_series(self.alerts.active), changes, notes)


def _to_result(
    rule: AlertingRule, found: Mapping[str, str], value: float, context: TemplateContext, notes: list[str]
) -> Result:
    def expanded(text: str) -> str:
        made, error = expand_or_tell(text, found, value, context)
        if error:
            notes.append(error)
        return made

    labels = {name: text for name, text in found.items() if name != METRIC_NAME}
    labels |= {name: expanded(text) for name, text in rule.labels.items()}
    labels[ALERT_NAME] = rule.name
    annotations = {name: expanded(text) for name, text in rule.annotations.items()}
    if rule.runbook:
        annotations.setdefault(RUNBOOK, rule.runbook)
    return Result({name: text for name, text in labels.items() if text}, annotations, value)


def alert_series(active: Sequence[ActiveAlert]) -> dict[LabelSet, float]:
    """`ALERTS` and `ALERTS_FOR_STATE` of alerts that are pending or fire."""
    series: dict[LabelSet, float] = {}
    for alert in active:
        series[label_set({**alert.labels, ALERT_STATE: alert.phase.value}, ALERTS)] = 1.0
        series[label_set(alert.labels, ALERTS_FOR_STATE)] = alert.active_ms / 1000
    return series


def worst_phase(active: Sequence[ActiveAlert]) -> AlertPhase:
    """Firing, else pending, else inactive."""
    phases = {alert.phase for alert in active}
    for phase in (AlertPhase.FIRING, AlertPhase.PENDING):
        if phase in phases:
            return phase
    return AlertPhase.INACTIVE


def copied(alert: ActiveAlert) -> ActiveAlert:
    """The alert as it is, for other threads."""
    return replace(alert)
