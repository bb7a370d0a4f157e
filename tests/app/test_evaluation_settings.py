"""What can be declared of evaluations, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from swarmscope.app.settings.evaluations import EvaluationsSection


def test_an_objective_is_read() -> None:
    section = EvaluationsSection(
        window="6h", objectives=[{"name": "o", "evaluation": "tone", "low": 1, "high": 5, "expected": 4}]
    )
    told = section.to_settings()
    assert told.scores.window.width_ns == 6 * 3600 * 10**9
    (objective,) = told.scores.objectives
    assert (objective.name, objective.low, objective.high, objective.expected) == ("o", 1, 5, 4)
    assert objective.alpha == 0.01
    assert "agi_value_alignment_score" in told.scores.alignment_names


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"low": 1, "high": 0}, "scores cannot lie between"),
        ({"expected": 3}, "is not between"),
        ({"reference": 3}, "at least 30 scores"),
        ({"alpha": 0}, "greater than 0"),
    ],
)
def test_what_cannot_be_meant_is_refused(fields: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        EvaluationsSection(objectives=[{"name": "o", "evaluation": "tone", **fields}])


def test_names_of_objectives_are_unlike() -> None:
    same = {"name": "o", "evaluation": "tone"}
    with pytest.raises(ValidationError, match="two objectives are called o"):
        EvaluationsSection(objectives=[same, same])
