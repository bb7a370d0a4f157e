"""From settings to what the watch is told."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from swarmscope.analysis.agents.pathologies.settings import DetectionSettings
from swarmscope.app.settings.agents import AgentsSection
from swarmscope.fleet.settings import FleetSettings


def test_the_defaults_are_those_of_the_code() -> None:
    section = AgentsSection()
    assert section.to_settings() == FleetSettings()
    rules = section.to_rules()
    assert (rules.detection, rules.status.active_ns, rules.budgets) == (DetectionSettings(), 60 * 10**9, ())


def test_thresholds_and_budgets() -> None:
    rules = AgentsSection.model_validate({
        "thresholds": {"min_repeats": 9, "repeat_gap": "1m", "cost_ratio": 4},
        "budgets": [{"name": "b", "limit": 5, "per": "team", "period": "1h"}],
    }).to_rules()  # fmt: skip
    detection = rules.detection
    assert (detection.min_repeats, detection.repeat_gap_ns, detection.cost_ratio) == (9, 60 * 10**9, 4.0)
    (budget,) = rules.budgets
    assert (budget.limit, budget.per, budget.period_ns, rules.horizon_ns) == (5, "team", 3600 * 10**9, 3600 * 10**9)


@pytest.mark.parametrize(
    ("told", "words"),
    [
        ({"thresholds": {"min_repeat": 9}}, "known are min_repeats"),
        ({"thresholds": {"min_repeats": -1}}, "above 0"),
        ({"budgets": [{"name": "b", "limit": 0}]}, "greater than 0"),
        ({"prices": "/nowhere/prices.yaml"}, "cannot be read"),
    ],
)
def test_what_is_wrong_is_told(told: dict, words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        AgentsSection.model_validate(told)


def test_a_price_file_is_checked(tmp_path: Path) -> None:
    path = tmp_path / "prices.yaml"
    path.write_text("prices:\n  - model: m\n    inputs: 3\n")
    with pytest.raises(ValidationError, match=r"prices\.yaml.*inputs"):
        AgentsSection.model_validate({"prices": path})
