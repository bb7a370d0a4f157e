"""Who is measured together."""

import numpy as np
import pytest

from swarmscope.intelligence.agent_window import COLUMNS, AgentWindow
from swarmscope.intelligence.groups import Group, chosen_group, standing_groups
from swarmscope.model.agents import AgentSpans

TEAMS = {"ada": "web", "bob": "web", "cy": "data", "dee": "data", "eve": "data", "fay": "", "gil": "one"}
MODULES = {"front": ["ada", "bob"], "back": ["cy"]}


@pytest.fixture
def window():
    blank = AgentSpans.blank(0)
    return AgentWindow(dict(enumerate(TEAMS, 2)), TEAMS, {name: getattr(blank, name) for name in COLUMNS}, (0, 1))


def test_teams_of_two_or_more_and_everyone(window):
    found = standing_groups(window, {}, 10)
    assert [(group.name, group.agents) for group in found] == [
        ("all", tuple(sorted(TEAMS))), ("data", ("cy", "dee", "eve")), ("web", ("ada", "bob")),
    ]  # fmt: skip
    assert standing_groups(window, {}, 2) == found[:2]
    assert standing_groups(window, MODULES, 1)[0].modules == (("front", ("ada", "bob")), ("back", ("cy",)))


def test_what_a_caller_chooses(window):
    assert chosen_group(window, {}, ([], ["web"], [])) == Group("web", ("ada", "bob"))
    assert chosen_group(window, {}, (["fay"], ["web"], [])) == Group("web+fay", ("fay", "ada", "bob"))
    assert chosen_group(window, MODULES, ([], [], ["back"])) == Group("back", ("cy",), (("back", ("cy",)),))
    assert chosen_group(window, MODULES, ([], [], [])).name == "all"


@pytest.mark.parametrize(
    ("chosen", "words"),
    [
        ((["zoe"], [], []), "no agent 'zoe' was seen"),
        (([], ["zoo"], []), "no team 'zoo' was seen"),
        (([], [], ["none"]), "no module 'none'; there are: front, back"),
        ((["ada"], [], ["back"]), "name modules, or"),
    ],
)
def test_what_cannot_be_chosen(window, chosen, words):
    with pytest.raises(ValueError, match=words):
        chosen_group(window, MODULES, chosen)


def test_sizes_of_a_window_are_its_spans(window):
    assert all(isinstance(column, np.ndarray) for column in window.columns.values())
