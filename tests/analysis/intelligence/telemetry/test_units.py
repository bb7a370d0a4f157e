"""Whom a unit holds."""

from __future__ import annotations

import numpy as np
import pytest

from swarmscope.analysis.intelligence.errors import ModelError
from swarmscope.analysis.intelligence.telemetry.units import declared_units, most_active_units


def test_the_most_active_are_units_and_the_others_are_the_rest():
    units = most_active_units(["a", "b", "c", "d"], np.array([5, 9, 5, 1]), 3)
    assert units.names == ("b", "a", "rest")
    assert units.unit_of.tolist() == [1, 0, 2, 2]


def test_few_agents_are_all_units():
    units = most_active_units(["a", "rest"], np.array([0, 1]), 2)
    assert units.names == ("rest", "a")
    assert units.unit_of.tolist() == [1, 0]


def test_an_agent_may_be_called_rest():
    assert most_active_units(["a", "rest", "c"], np.array([0, 1, 0]), 2).names == ("rest", "rest of the fleet")


def test_declared_units_hold_their_agents_alone():
    units = declared_units(["a", "b", "c"], {"front": ["c", "unknown"], "back": ["a"]})
    assert units.names == ("front", "back")
    assert units.unit_of.tolist() == [1, -1, 0]
    with pytest.raises(ModelError, match="'a' is in 'back' and in another"):
        declared_units(["a"], {"front": ["a"], "back": ["a"]})


def test_activities_of_other_agents_are_refused():
    with pytest.raises(ModelError, match="2 agents"):
        most_active_units(["a", "b"], np.zeros(3), 2)
