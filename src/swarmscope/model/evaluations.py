"""What evaluators found: scores of an agent's work, in whatever form they came.

https://github.com/open-telemetry/semantic-conventions-genai/blob/main/docs/gen-ai/gen-ai-events.md, and OpenInference's
annotations and evaluations.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

EVALUATION_EVENT = "gen_ai.evaluation.result"


class Evaluation(NamedTuple):
    """One result. Whose work it is of, the first of these tells that tells anything: `agent` where it `is_explicit`,
    the span that answered with `response`, the span `span_key`, and `agent`.
    """

    name: str
    score: float = math.nan  # nan for none
    label: str = ""
    agent: str = ""
    is_explicit: bool = False
    response: int = 0  # hash of `gen_ai.response.id`, 0 for none
    span_key: int = 0  # as `model.span_keys` makes them, 0 for none


class Responses(NamedTuple):
    """Which span [n] answered with which id."""

    response: NDArray[np.uint64]  # [n] hash of `gen_ai.response.id`
    span_key: NDArray[np.uint64]  # [n]


class EvaluationObserver(Protocol):
    """Is told of evaluations that a sink has taken. Thread-safe; it never raises, and never waits for long."""

    def observe_evaluations(self, tenant: str, found: Sequence[Evaluation]) -> None:
        """Results that one batch brought, in the sender's order."""
        ...

    def observe_responses(self, tenant: str, responses: Responses) -> None:
        """Spans of one batch that have a response's id; results may come before or after them."""
        ...
