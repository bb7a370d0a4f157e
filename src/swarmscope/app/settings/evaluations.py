"""What becomes of the scores that evaluators give."""

from __future__ import annotations

from collections import Counter
from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from swarmscope.analysis.intelligence.alignment.objective import Objective
from swarmscope.analysis.intelligence.errors import ModelError
from swarmscope.app.durations import parse_duration
from swarmscope.app.settings.fields import Count, PositiveLength, Section
from swarmscope.intelligence.evaluations import EvaluationSettings
from swarmscope.intelligence.score_series import ScoreSettings
from swarmscope.intelligence.score_windows import Window

_NS_PER_MS = 1_000_000
_ALIGNMENT = ("agi_value_alignment_score", "value_alignment_score", "value_alignment")
_MESA = ("agi_mesa_optimization_probability", "mesa_optimization_probability", "mesa_optimization")
_DEFAULTS = Objective("", "")

Name = Annotated[str, StringConstraints(min_length=1, max_length=256)]
Share = Annotated[float, Field(gt=0, lt=1)]


class ObjectiveSection(Section):
    """What the scores of one evaluation are declared to be."""

    name: Name = Field(description="How it is called in series.")
    evaluation: Name = Field(description="Whose scores: the name that evaluators give.")
    low: float = Field(default=_DEFAULTS.low, description="The lowest score there is.")
    high: float = Field(default=_DEFAULTS.high, description="The highest.")
    expected: float | None = Field(
        default=None, description="What the mean is declared to be; without it the first scores of each agent tell."
    )
    tolerance: float = Field(default=_DEFAULTS.tolerance, description="How far the mean may be from that.")
    better: Literal["higher", "lower", "unknown"] = Field(
        default="unknown", description="Which scores are better; unless that is unknown, milestones are looked for."
    )
    alpha: Share = Field(
        default=_DEFAULTS.alpha, description="At most so likely is it that a drift is ever told which is none."
    )
    reference: Count = Field(default=_DEFAULTS.n_reference, description="How many scores of an agent are the first.")
    recent: Count = Field(default=_DEFAULTS.n_recent, description="How many are recent.")

    @model_validator(mode="after")
    def _check(self) -> Self:
        try:
            self.to_objective()
        except ModelError as error:
            raise ValueError(str(error)) from None
        return self

    def to_objective(self) -> Objective:
        """What is tested. Raises ModelError."""
        return Objective(
            self.name, self.evaluation, self.low, self.high, self.expected, self.tolerance, self.alpha,
            self.reference, self.recent,
        )  # fmt: skip


class EvaluationsSection(Section):
    """Scores that evaluators give agents' work; see [intelligence](intelligence.md#scores-of-evaluators)."""

    enabled: bool = Field(default=True, description="Make series of evaluators' scores.")
    window: PositiveLength = Field(default=parse_duration("1d"), description="How far back scores count in a mean.")
    confidence: Share = Field(default=0.95, description="Of the intervals around means.")
    interval: PositiveLength = Field(default=parse_duration("15s"), description="Time between two samples of a series.")
    patience: PositiveLength = Field(
        default=parse_duration("2m"),
        description="How long a result waits for the span that it is of, which tells whose work it was.",
    )
    max_series: Count = Field(
        default=5_000, description="Agents times names of evaluations of one tenant; further ones are not counted."
    )
    max_drifts: Count = Field(default=1_000, description="Agents times objectives of one tenant.")
    max_waiting: Count = Field(default=50_000, description="Results of all tenants that may wait.")
    max_tenants: Count = Field(default=50, description="Evaluations of further tenants are not counted.")
    value_alignment: list[Name] = Field(
        default_factory=lambda: list(_ALIGNMENT),
        description="Names of evaluations whose scores, 0 to 1, are `agi_value_alignment_score`.",
    )
    mesa_optimization: list[Name] = Field(
        default_factory=lambda: list(_MESA),
        description="Names of evaluations whose scores, 0 to 1, are `agi_mesa_optimization_probability`.",
    )
    objectives: list[ObjectiveSection] = Field(
        default_factory=list, description="Objectives that scores may drift from."
    )

    @model_validator(mode="after")
    def _refuse_repeated(self) -> Self:
        repeated = [name for name, n in Counter(each.name for each in self.objectives).items() if n > 1]
        if repeated:
            raise ValueError(f"two objectives are called {', '.join(repeated)}")
        return self

    def to_settings(self) -> EvaluationSettings:
        """What the watch is told."""
        return EvaluationSettings(
            scores=ScoreSettings(
                window=Window(self.window.ms * _NS_PER_MS, self.confidence),
                max_series=self.max_series,
                max_drifts=self.max_drifts,
                alignment_names=frozenset(self.value_alignment),
                mesa_names=frozenset(self.mesa_optimization),
                objectives=tuple(each.to_objective() for each in self.objectives),
                better={each.name: each.better == "higher" for each in self.objectives if each.better != "unknown"},
            ),
            interval_s=self.interval.seconds,
            patience_s=self.patience.seconds,
            max_waiting=self.max_waiting,
            max_tenants=self.max_tenants,
        )
