"""Rules over series in memory, evaluated step by step as time goes on from 0."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from swarmscope.alerting.rules.answers import RuleEngines
from swarmscope.alerting.rules.evaluation import RuleEvaluation
from swarmscope.alerting.rules.firing_memory import FiringMemory
from swarmscope.alerting.rules.rules import AlertingRule, RuleGroup, RuleKind
from swarmscope.alerting.rules.series_writer import LabelSet
from swarmscope.alerting.rules.settings import EvaluationSettings
from swarmscope.alerting.rules.unit_test_model import SeriesModel, UnitTest
from swarmscope.lang.series_notation.columns import to_histogram_columns
from swarmscope.lang.series_notation.series import ScriptSeries, parse_series
from swarmscope.lang.series_notation.values import ScriptHistogram
from swarmscope.model.alerts import AlertPhase
from swarmscope.model.durations import format_duration_ms
from swarmscope.model.errors import SwarmscopeError
from swarmscope.model.labels import DEFAULT_TENANT
from swarmscope.model.staleness import STALE_NAN
from swarmscope.query.promql.engine import PromqlEngine
from swarmscope.query.promql.memory_reader import MemoryReader
from swarmscope.query.settings import EngineSettings


def testable_rules(groups: Sequence[RuleGroup]) -> tuple[list[RuleGroup], list[str]]:
    """The groups with those rules that read series alone, and the names of the others."""
    kept, left_out = [], []
    for group in groups:
        kept.append(replace(group, rules=tuple(rule for rule in group.rules if rule.kind == RuleKind.PROMQL)))
        left_out += [f"rule {rule.name!r} ({rule.kind})" for rule in group.rules if rule.kind != RuleKind.PROMQL]
    return kept, left_out


@dataclass(slots=True)
class _Input:
    """A series that goes in, and how many of its points did."""

    labels: dict[str, str]
    series: ScriptSeries
    n_loaded: int = 0


class _SeriesEngines(RuleEngines):
    """Series are all that there is."""

    def __init__(self, settings: EngineSettings) -> None:
        self._promql = settings


class SimulatedRules:
    """Groups of rules and what they read and write."""

    def __init__(self, groups: Sequence[RuleGroup], test: UnitTest, step_ms: int) -> None:
        """Raises ValueError where a series is malformed."""
        self._interval_ms = test.interval or step_ms
        inputs = [_parsed(each) for each in test.input_series]
        # Of two lines about one series the later counts.
        self._inputs = list({each.series.labels: each for each in inputs}.values())
        self._reader = MemoryReader()
        settings = EngineSettings(subquery_step_ms=step_ms)
        self._engines = _SeriesEngines(settings)
        self.engine = PromqlEngine(self._reader, settings)
        self._fired = FiringMemory()
        # There is no cooldown but where a rule has its own, so that files mean what they mean to promtool.
        shared = EvaluationSettings(DEFAULT_TENANT, test.external_url, test.external_labels, cooldown_ms=0)
        self._groups = [(group, [RuleEvaluation(rule, shared) for rule in group.rules]) for group in groups]
        self._written: dict[int, set[LabelSet]] = {}
        self._last_ms: dict[LabelSet, int] = {}

    @property
    def evaluations(self) -> list[RuleEvaluation]:
        """All rules with the states of their alerts."""
        return [each for _, evaluations in self._groups for each in evaluations]

    def evaluate(self, at_ms: int) -> list[str]:
        """Let samples in up to a time and evaluate all rules there; what went wrong."""
        self._load_until(at_ms)
        errors: list[str] = []
        for group, evaluations in self._groups:
            times = (at_ms, group.query_offset_ms or 0, self._interval_ms)
            for each in evaluations:
                try:
                    outcome = each.evaluate(self._engines, self._reader, self._fired, times, group.limit)
                except SwarmscopeError as error:
                    time = format_duration_ms(at_ms)
                    errors.append(f"    rule: {each.rule.name}, time: {time}, err: {error}")
                    continue
                self._write(id(each), outcome.series, at_ms)
                if isinstance(each.rule, AlertingRule):
                    for alert in each.alerts.active:
                        if alert.phase == AlertPhase.FIRING:
                            self._fired.saw(alert.fingerprint, alert.labels, at_ms)
        return errors

    def _load_until(self, at_ms: int) -> None:
        n_points = at_ms // self._interval_ms + 1
        for each in self._inputs:
            for at in range(each.n_loaded, min(n_points, len(each.series.values))):
                value, ts_ms = each.series.values[at], at * self._interval_ms
                if isinstance(value, ScriptHistogram):
                    self._reader.add_histogram(each.labels, ts_ms, to_histogram_columns([(0, ts_ms, value)]))
                elif value is not None:
                    self._add(each.series.labels, ts_ms, value)
            each.n_loaded = max(each.n_loaded, n_points)

    def _write(self, rule: int, series: dict[LabelSet, float], at_ms: int) -> None:
        for labels, value in series.items():
            self._add(labels, at_ms, value)
        for labels in self._written.get(rule, set()) - series.keys():
            self._add(labels, at_ms, float(STALE_NAN))
        self._written[rule] = set(series)

    def _add(self, labels: LabelSet, at_ms: int, value: float) -> None:
        # What comes late or twice is not stored.
        if self._last_ms.get(labels, -1) < at_ms:
            self._reader.add(dict(labels), [(at_ms, value)])
            self._last_ms[labels] = at_ms


def _parsed(given: SeriesModel) -> _Input:
    text = f"{given.series} {given.values}".strip()
    if "\n" in text:
        raise ValueError(f"the series {given.series!r} has more than one line")
    series = parse_series(text)
    return _Input(series.label_map, series)
