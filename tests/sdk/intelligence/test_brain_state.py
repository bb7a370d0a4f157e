import json
from importlib.resources import files

import pytest

from swarmscope import sdk

FULL = {
    "timestamp": 1.5,
    "neural_connectivity": {"units": ["a", "b"], "weights": [[0, 1], [0.5, 0]]},
    "coherence_by_region": {"frontal": 0.5, "parietal": [0.1, 0.2], "temporal": {"l1": 0.3, "l2": [0.4, 1]}},
    "modules": [{"name": "m", "activity": -1.5, "connections": ["n"]}, {"name": "n", "activity": 1, "connections": 0}],
    "pathways": [{"source": "m", "target": "n", "strength": 1, "latency": 0}],
    "phi": [{"value": 0.4, "brain_region": "frontal", "integration_type": "phi_g"}],
    "emergence": [{"value": 0.1, "pattern_type": "swarm", "agent_cluster": "c"}],
    "coordination": [{"value": 0.9, "agent_group": "g", "task_type": "t"}],
    "milestones": [{"id": "1", "milestone_type": "skill", "knowledge_domain": "maths"}],
    "resources": [{"agent": "a", "cpu": 0.5, "memory_bytes": 10}],
    "optimization": 0.7,
    "something else": {"is": "let through"},
}


@pytest.mark.parametrize("state", [FULL, {"modules": []}, {"neural_connectivity": [[0]]}, {"neural_connectivity": []}])
def test_good_states(state):
    assert sdk.check_brain_state(state) is state


@pytest.mark.parametrize(
    ("state", "words"),
    [
        ([], "the brain state is [], expected is an object"),
        ({}, "the brain state is {}, the least number of properties is 1"),
        ({"modules": {"m": 1}}, "modules of the brain state is {'m': 1}, expected is an array"),
        ({"modules": [{"name": "m"}]}, "item 0 of modules of the brain state has no activity"),
        (
            {"modules": [{"name": "", "activity": 1}]},
            "name of item 0 of modules of the brain state is '', the least length is 1",
        ),
        (
            {"modules": [{"name": "m", "activity": True}]},
            "activity of item 0 of modules of the brain state is True, expected is a finite number",
        ),
        ({"optimization": float("nan")}, "optimization of the brain state is nan, expected is a finite number"),
        (
            {"modules": [{"name": "m", "activity": 1, "connections": -1}]},
            "connections of item 0 of modules of the brain state is -1, the least is 0",
        ),
        (
            {"modules": [{"name": "m", "activity": 1, "connections": "n"}]},
            "connections of item 0 of modules of the brain state is 'n', expected is a whole number or "
            "connections of item 0 of modules of the brain state is 'n', expected is an array",
        ),
        (
            {"coherence_by_region": {"x": 1.2}},
            "x of coherence_by_region of the brain state is 1.2, the most is 1",
        ),
        (
            {"coherence_by_region": {"x": []}},
            "x of coherence_by_region of the brain state is [], the least number of items is 1",
        ),
        (
            {"neural_connectivity": {"weigths": [[0]]}},
            "neural_connectivity of the brain state has no weights; "
            "neural_connectivity of the brain state has weigths, known are units, weights",
        ),
        ({"neural_connectivity": [[0, 1], [1]]}, "neural_connectivity has 2 rows, but 1 values in row 1"),
        (
            {"neural_connectivity": {"units": ["a"], "weights": [[0, 1], [1, 0]]}},
            "neural_connectivity has 2 rows, but 1 units",
        ),
    ],
)
def test_bad_states(state, words):
    with pytest.raises(sdk.BrainStateError) as error:
        sdk.check_brain_state(state)
    assert str(error.value) == words


def test_many_errors_are_told_in_short():
    with pytest.raises(sdk.BrainStateError, match=r"item 4 of modules .* \(and 95 more\)$"):
        sdk.check_brain_state({"modules": [0] * 100})


def test_schema_is_shipped():
    shipped = json.loads(files("swarmscope.sdk.intelligence").joinpath("brain_state.schema.json").read_text())
    assert shipped == sdk.BRAIN_STATE_SCHEMA
    assert {"neural_connectivity", "coherence_by_region", "modules"} <= set(shipped["properties"])
