"""What a metrics query is asked for, and the steps of its answer."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from swarmscope.model.errors import LimitExceededError, QueryFailedError

NS_PER_S = 1_000_000_000


@dataclass(frozen=True, slots=True)
class MetricsRequest:
    """Numbers over start_ns < a span's start <= end_ns: for each step, or with `step_ns` None for all of it at once."""

    text: str
    start_ns: int
    end_ns: int
    step_ns: int | None
    tenant: str


@dataclass(frozen=True, slots=True)
class Steps:
    """Points at `start_ns + step_ns`, … in equal distances: each stands for the spans since the one before it.

    A span that begins at a point belongs to that point.
    """

    start_ns: int
    step_ns: int
    count: int

    @property
    def times_ns(self) -> NDArray[np.int64]:
        """The points [count]."""
        return self.start_ns + self.step_ns * np.arange(1, self.count + 1, dtype=np.int64)

    @property
    def step_s(self) -> float:
        """Width of a step."""
        return self.step_ns / NS_PER_S


def plan_steps(request: MetricsRequest, max_points: int) -> Steps:
    """The steps, at multiples of their width as in Tempo. Raises QueryFailedError and LimitExceededError."""
    start_ns, end_ns, step_ns = request.start_ns, request.end_ns, request.step_ns
    if end_ns <= start_ns:
        raise QueryFailedError("the end must be after the start")
    if step_ns is None:
        return Steps(start_ns, end_ns - start_ns, 1)
    if step_ns <= 0:
        raise QueryFailedError("the step must be greater than 0")
    first = start_ns // step_ns
    count = -(-end_ns // step_ns) - first
    if count > max_points:
        raise LimitExceededError(
            f"the range has {count} steps, and {max_points} are allowed: ask for a wider step",
            limit="TraceqlSettings.max_points",
        )
    return Steps(first * step_ns, step_ns, count)
