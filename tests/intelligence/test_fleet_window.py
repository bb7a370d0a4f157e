"""Windows as the analyses want them."""

import numpy as np

from swarmscope.intelligence.agent_window import COLUMNS, AgentWindow
from swarmscope.intelligence.fleet_window import to_fleet_window
from swarmscope.model.agents import NO_TEXT, AgentSpans

S = 1_000_000_000


def window():
    """Bob works inside Ada's span; Cy's links to Bob's; a span without a name is inside Bob's."""
    spans = AgentSpans.blank(4)
    spans.span_key[:] = [1, 2, 3, 4]
    spans.parent_key[:] = [0, 1, 0, 2]
    spans.agent[:] = [10, 11, 12, NO_TEXT]
    spans.trace_id[:, 0] = [1, 1, 2, 1]
    spans.start_ns[:] = np.array([10, 12, 30, 13]) * S
    spans.end_ns[:] = np.array([20, 15, 35, 14]) * S
    spans.link_offsets, spans.link_key = np.array([0, 0, 0, 1, 1]), np.array([2], np.uint64)
    names = {10: "ada", 11: "bob", 12: "cy"}
    return AgentWindow(names, dict.fromkeys(names.values(), ""), {n: getattr(spans, n) for n in COLUMNS}, (0, 100 * S))


def test_agents_are_inherited_and_causes_are_rows():
    found = to_fleet_window(window())
    assert found.agents == ("ada", "bob", "cy")
    assert found.spans.agent.tolist() == [0, 1, 2, 1]
    columns = found.columns(np.array([0, 1, -1], np.int32))
    assert columns.unit.tolist() == [0, 1, -1, 1]
    assert columns.parent.tolist() == [-1, 0, 1, 1]
    assert (found.busy_ns() / S).tolist() == [10, 4, 5]


def test_a_group_is_looked_at_from_its_first_span_to_its_last():
    found = to_fleet_window(window()).of_agents(["cy", "bob", "nobody"])
    assert (found.agents, found.spans.agent.tolist()) == (("bob", "cy"), [-1, 0, 1, 0])
    assert found.range_ns == (12 * S, 35 * S)
    assert to_fleet_window(window()).of_agents([]).range_ns == (0, 100 * S)
