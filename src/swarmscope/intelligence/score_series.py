"""Series of evaluators' scores of one tenant: means with intervals, declared names, and drift from objectives.

Nothing is told that no evaluator said: a series is there once a score came, and ends when none is in the window.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, NamedTuple

from swarmscope.analysis.intelligence.alignment.objective import Objective, ObjectiveDrift
from swarmscope.analysis.intelligence.errors import ModelError
from swarmscope.fleet.series import Family, Labels, Moment, Publication, SeriesTable, labels
from swarmscope.instrument.metrics import REFUSED_EVALUATIONS
from swarmscope.intelligence.learning import MILESTONES, Learning, Task
from swarmscope.intelligence.score_windows import ScoreWindow, Window
from swarmscope.model.contracts import SeriesIndex

_NS_PER_MS = 1_000_000
_GAUGE, _COUNTER = "gauge", "counter"


def _with_interval(name: str, text: str) -> tuple[Family, ...]:
    return (
        Family(name, _GAUGE, text),
        Family(f"{name}_ci_low", _GAUGE, f"Lower end of the interval of {name}."),
        Family(f"{name}_ci_high", _GAUGE, f"Upper end of the interval of {name}."),
        Family(f"{name}_n_samples", _GAUGE, f"Scores that {name} was made of."),
    )


EVALUATIONS = (
    *_with_interval("agi_evaluation_score", "Mean of the scores that evaluators gave an agent's work, by evaluation."),
    Family("agi_evaluations_total", _COUNTER, "Results of evaluators, those without a score included."),
)
LABELS_TOLD = (Family("agi_evaluation_labels_total", _COUNTER, "Results of evaluators by the label that they gave."),)
ALIGNMENT = _with_interval(
    "agi_value_alignment_score", "Mean of the scores that evaluators gave as alignment with values. Never computed."
)
MESA = _with_interval(
    "agi_mesa_optimization_probability",
    "Mean of what evaluators gave as probability of mesa-optimisation. Never computed.",
)
DRIFT = (
    Family("agi_objective_drift", _GAUGE, "1 where the sequential test has refuted the declared objective, else 0."),
    Family("agi_objective_drift_log_e", _GAUGE, "Logarithm of the e-value against the objective."),
    Family("agi_objective_drift_p_value", _GAUGE, "p-value of the sequential test, valid at every time."),
    Family("agi_objective_drift_psi", _GAUGE, "Population stability index of recent scores against the first ones."),
    Family("agi_objective_drift_psi_p_value", _GAUGE, "How likely an index at least so large is without drift."),
    Family("agi_objective_drift_n_samples", _GAUGE, "Scores that were looked at."),
)
_ALL = (EVALUATIONS, LABELS_TOLD, ALIGNMENT, MESA, DRIFT, MILESTONES)
OWN_METRICS = tuple(each.name for told in _ALL for each in told)


@dataclass(frozen=True, slots=True)
class ScoreSettings:
    """Bounds are of one tenant."""

    window: Window
    max_series: int = 5_000  # agent and evaluation
    max_drifts: int = 1_000  # agent and objective
    alignment_names: frozenset[str] = frozenset()
    mesa_names: frozenset[str] = frozenset()
    objectives: tuple[Objective, ...] = ()
    # Objectives by name of which higher scores are better (True), or lower ones: milestones of these are looked for.
    better: Mapping[str, bool] = field(default_factory=dict)


class Score(NamedTuple):
    """A result whose agent is known, or known not to be."""

    agent: str
    evaluation: str
    score: float  # nan for none
    label: str


class TenantScores:
    """Not thread-safe."""

    def __init__(self, tenant: str, settings: ScoreSettings, seed: int) -> None:
        self.tenant = tenant
        self.is_changed = False  # since it was kept last
        self.published_ms = 0
        self._settings = settings
        self._windows = {family: _Windows(settings) for family in (EVALUATIONS, ALIGNMENT, MESA)}
        self._declared = ((ALIGNMENT, settings.alignment_names), (MESA, settings.mesa_names))
        self._drifts: OrderedDict[tuple[str, str], _Followed] = OrderedDict()
        self._labels: dict[Labels, tuple[int, int]] = {}  # how often, and when last [ns]
        self.learning = Learning(settings.max_drifts)
        self._tables = {
            family: SeriesTable(family, settings.max_drifts if family is DRIFT else settings.max_series, seed)
            for family in _ALL
        }

    def add(self, told: Score, now_ns: int) -> None:
        """One more result."""
        if not self._windows[EVALUATIONS].add(told, now_ns):
            REFUSED_EVALUATIONS.labels(reason="series").inc()
            return
        self.is_changed = True
        if told.label:
            self._count_label(told, now_ns)
        if math.isnan(told.score):
            return
        for family, names in self._declared:
            if told.evaluation not in names:
                continue
            if 0 <= told.score <= 1:
                self._windows[family].add(told._replace(evaluation=""), now_ns)
            else:
                REFUSED_EVALUATIONS.labels(reason="range").inc()
        for objective in self._settings.objectives:
            if objective.evaluation == told.evaluation:
                self._follow(objective, told, now_ns)

    def _count_label(self, told: Score, now_ns: int) -> None:
        key = labels(agent_name=told.agent, evaluation=told.evaluation, label=told.label)
        if key in self._labels or len(self._labels) < self._settings.max_series:
            self._labels[key] = (self._labels.get(key, (0, 0))[0] + 1, now_ns)

    def _follow(self, objective: Objective, told: Score, now_ns: int) -> None:
        key = told.agent, objective.name
        followed = self._drifts.get(key)
        if followed is None:
            if len(self._drifts) >= self._settings.max_drifts and not self._forget_idle(now_ns):
                REFUSED_EVALUATIONS.labels(reason="series").inc()
                return
            followed = self._drifts[key] = _Followed(ObjectiveDrift(objective))
        self._drifts.move_to_end(key)
        try:
            followed.drift.observe(told.score)
        except ModelError:
            REFUSED_EVALUATIONS.labels(reason="range").inc()
            return
        followed.last_ns, followed.values = now_ns, None
        higher_is_better = self._settings.better.get(objective.name)
        if higher_is_better is not None:
            task = Task(told.agent, objective.name, objective.evaluation, higher_is_better)
            self.learning.observe(task, told.score, now_ns)

    def _forget_idle(self, now_ns: int) -> bool:
        """Whether there is room again: what was seen least lately goes, where it is out of the window."""
        key, oldest = next(iter(self._drifts.items()))
        if now_ns - oldest.last_ns <= self._settings.window.width_ns:
            return False
        del self._drifts[key]
        return True

    def publication(self, index: SeriesIndex, moment: Moment) -> Publication:
        """All series as they are now."""
        now_ns, since_ns = moment.now_ms * _NS_PER_MS, moment.now_ms * _NS_PER_MS - self._settings.window.width_ns
        self._labels = {key: told for key, told in self._labels.items() if told[1] >= since_ns}
        values: dict[tuple[Family, ...], dict[Labels, list[float | None]]] = {
            family: windows.values(now_ns, with_total=family is EVALUATIONS)
            for family, windows in self._windows.items()
        }
        values[LABELS_TOLD] = {key: [float(count)] for key, (count, _) in self._labels.items()}
        values[DRIFT] = {
            labels(agent_name=agent, objective=objective): followed.told()
            for (agent, objective), followed in self._drifts.items()
            if followed.last_ns >= since_ns
        }
        values[MILESTONES] = self.learning.totals(since_ns)
        for family, table in self._tables.items():
            table.replace(values[family], moment.now_ms)
        self.published_ms = moment.now_ms
        return Publication(list(self._tables.values()), index, self.tenant, moment)

    # Over a restart

    def to_json(self) -> dict[str, object]:
        """All that is kept, as JSON can hold it."""
        return {
            "windows": {family[0].name: windows.to_json() for family, windows in self._windows.items()},
            "drifts": [
                [agent, objective, followed.last_ns, _declaration(followed.drift.objective), followed.drift.to_json()]
                for (agent, objective), followed in self._drifts.items()
            ],
        }

    def restore(self, kept: Mapping[str, Any]) -> None:
        """Go on from what `to_json` gave; what was said of objectives that are declared differently now is forgotten.

        Raises ModelError, KeyError, TypeError and ValueError where it did not give that.
        """
        for family, windows in self._windows.items():
            windows.restore(kept["windows"][family[0].name])
        declared = {objective.name: objective for objective in self._settings.objectives}
        for agent, name, last_ns, declaration, state in kept["drifts"]:
            objective = declared.get(name)
            if objective is not None and _declaration(objective) == declaration:
                drift = ObjectiveDrift.from_json(objective, state)
                self._drifts[str(agent), name] = _Followed(drift, int(last_ns))


class _Windows:
    """Windows by agent and evaluation."""

    def __init__(self, settings: ScoreSettings) -> None:
        self._settings = settings
        self._windows: dict[tuple[str, str], ScoreWindow] = {}

    def add(self, told: Score, now_ns: int) -> bool:
        """Whether there was room."""
        key = told.agent, told.evaluation
        window = self._windows.get(key)
        if window is None:
            if len(self._windows) >= self._settings.max_series:
                return False
            window = self._windows[key] = ScoreWindow(self._settings.window)
        window.add(told.score, now_ns)
        return True

    def values(self, now_ns: int, *, with_total: bool) -> dict[Labels, list[float | None]]:
        """By labels: mean, interval and count, and how many results there were. What is idle is forgotten."""
        self._windows = {key: window for key, window in self._windows.items() if not window.is_idle(now_ns)}
        found = {}
        for (agent, evaluation), window in self._windows.items():
            told = window.aggregate(now_ns)
            values = [_known(told.mean), _known(told.ci_low), _known(told.ci_high), float(told.n) or None]
            found[labels(agent_name=agent, evaluation=evaluation)] = [*values, *[float(window.total)] * with_total]
        return found

    def to_json(self) -> list[list[object]]:
        return [[*key, window.to_json()] for key, window in self._windows.items()]

    def restore(self, kept: Sequence[tuple[str, str, Any]]) -> None:
        for agent, evaluation, buckets in kept[: self._settings.max_series]:
            window = self._windows[str(agent), str(evaluation)] = ScoreWindow(self._settings.window)
            window.restore(buckets)


@dataclass(slots=True)
class _Followed:
    drift: ObjectiveDrift
    last_ns: int = 0
    values: list[float | None] | None = None  # as they were told last, None once there is more

    def told(self) -> list[float | None]:
        if self.values is None:
            state = self.drift.state()
            drifting = None if state.is_drifting is None else float(state.is_drifting)
            measured = (state.log_e, state.p, state.psi, state.psi_p)
            self.values = [drifting, *map(_known, measured), float(state.n_scores)]
        return self.values


def _known(value: float) -> float | None:
    return None if math.isnan(value) else value


def _declaration(objective: Objective) -> dict[str, object]:
    """What an objective says, as JSON gives it back."""
    return asdict(objective)
