"""What a learning milestone is, and the series that one is looked for in."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from enum import StrEnum
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

from swarmscope.analysis.intelligence.errors import ModelError
from swarmscope.analysis.intelligence.milestones.pelt import checked_series


class MilestoneType(StrEnum):
    """Values of the label `milestone_type`."""

    IMPROVEMENT = "improvement"
    REGRESSION = "regression"
    MASTERY = "mastery"
    PLATEAU = "plateau"
    RECORD = "record"


@dataclass(frozen=True, slots=True)
class TaskSeries:
    """Results of one task, step by step. Raises ModelError for values that are not finite and lengths that differ.

    `first_step` is the step that the first value belongs to, so that a later window of the same series has the same
    ids. `is_success` says that values are 0 and 1.
    """

    name: str
    domain: str  # the label `knowledge_domain`
    metric: str  # reward, success, latency, cost, error, …
    values: NDArray[np.float64]  # [T]
    times_ns: NDArray[np.int64]  # [T]
    higher_is_better: bool = True
    is_success: bool = False
    first_step: int = 0

    def __post_init__(self) -> None:
        values = checked_series(self.values, self.name)
        if len(self.times_ns) != len(values):
            raise ModelError(f"{self.name}: {len(values)} values and {len(self.times_ns)} times")
        if self.is_success and np.any((values != 0) & (values != 1)):
            step = int(np.flatnonzero((values != 0) & (values != 1))[0])
            raise ModelError(f"{self.name}: step {step} is {values[step]}, neither 0 nor 1")

    @property
    def gains(self) -> NDArray[np.float64]:
        """Values [T] of which higher ones are better."""
        values = np.ascontiguousarray(self.values, np.float64)
        return values if self.higher_is_better else -values


@dataclass(frozen=True, slots=True)
class Milestone:
    """One event. `at_step` counts from the series' first step ever; `before` and `after` are in the metric's unit."""

    id: str
    type: MilestoneType
    series: str
    domain: str
    metric: str
    at_step: int
    at_time_ns: int
    before: float
    after: float
    effect_size: float  # Cohen's d towards the better; nan where the rule has none
    p: float  # nan where the rule is no test
    detector: str
    window: tuple[int, int]  # steps that were looked at, half-open

    def to_json(self) -> dict[str, object]:
        """Return all fields; numbers that are not finite become None."""
        told = asdict(self) | {"type": str(self.type), "window": list(self.window)}
        return {
            name: None if isinstance(value, float) and not math.isfinite(value) else value
            for name, value in told.items()
        }


def milestone_id(series: str, kind: MilestoneType, step: int) -> str:
    """The same for the same series, type and step, in every process: 32 hex digits."""
    return blake2b(f"{series}\0{kind}\0{step}".encode(), digest_size=16).hexdigest()
