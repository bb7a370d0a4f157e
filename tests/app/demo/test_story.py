"""The pretended fleet and its faults, in virtual time."""

from __future__ import annotations

from collections import Counter, defaultdict

import pytest

from swarmscope.app.demo.faults.schedule import FAULTS, parse_faults
from swarmscope.app.demo.simulation.events import Began, Crashed, Ended, Evaluated, Measured, StepKind
from swarmscope.app.demo.simulation.members import ROLES, TEAMS, make_agents
from swarmscope.app.demo.simulation.timeline import NS_PER_S
from swarmscope.app.demo.story import Simulation, simulate

_START_NS = 1_790_000_000 * NS_PER_S


@pytest.fixture(scope="module")
def story():
    return simulate(3, 600, start_ns=_START_NS)


@pytest.fixture(scope="module")
def truth(story):
    return {each.kind: each for each in story.truth}


def _ended(story, injection, *kinds):
    """Steps of these kinds that ended while the fault lasted."""
    return [
        event.step
        for event in story.events
        if isinstance(event, Ended)
        and event.step.kind in kinds
        and injection.begin_ns <= event.at_ns < injection.end_ns
    ]


def test_there_are_42_agents_of_six_teams():
    assert len(make_agents(1.0)) == 42
    assert len(TEAMS) == 6
    assert sum(role.agents for role in ROLES) == 42


def test_same_seed_same_events_in_order_of_time():
    first, second, other = (simulate(seed, 120) for seed in (7, 7, 8))
    assert repr(first) == repr(second)
    assert repr(first) != repr(other)
    times = [event.at_ns for event in first.events]
    assert times == sorted(times)


def test_small_steps_tell_the_same_as_one_large():
    simulation, events = Simulation(7, _START_NS), []
    for second in range(1, 121):
        events += simulation.advance(_START_NS + second * NS_PER_S)
    assert repr(events) == repr(simulate(7, 120, start_ns=_START_NS).events)


def test_rate_makes_more_work():
    slow, fast = (sum(isinstance(event, Ended) for event in simulate(1, 120, (), rate=rate).events) for rate in (1, 4))
    assert fast > 2 * slow


def test_parents_begin_before_children_and_are_there(story):
    begun = {}
    for event in story.events:
        if isinstance(event, Began):
            step = event.step
            assert step.parent_id == 0 or begun[step.parent_id].trace_id == step.trace_id
            begun[step.span_id] = step
    assert len({step.span_id for step in begun.values()}) == len(begun)


def test_conversations_have_several_traces(story):
    traces = defaultdict(set)
    for event in story.events:
        if isinstance(event, Ended) and event.step.conversation:
            traces[event.step.conversation].add(event.step.trace_id)
    assert sum(len(each) > 1 for each in traces.values()) > 10


def test_ten_minutes_have_all_faults_and_quiet(story, truth):
    assert set(truth) == set(FAULTS)
    assert all(each.begin_ns < each.end_ns for each in story.truth)
    quiet = [
        second
        for second in range(600)
        if not any(each.begin_ns <= _START_NS + second * NS_PER_S < each.end_ns for each in story.truth)
    ]
    assert len(quiet) > 60


def test_without_faults_nothing_is_injected():
    calm = simulate(3, 300, ())
    assert calm.truth == []
    scores = [event.score for event in calm.events if isinstance(event, Evaluated)]
    assert min(scores) > 0.85
    errors = Counter(bool(event.step.error) for event in calm.events if isinstance(event, Ended))
    assert errors[True] < 0.02 * errors[False]


def test_deadlocked_agents_wait_for_each_other(story, truth):
    fault = truth["deadlock"]
    asked = [
        event.step
        for event in story.events
        if isinstance(event, Began)
        and event.step.agent in fault.agents
        and event.step.target in fault.agents
        and event.at_ns <= fault.begin_ns <= (event.step.end_ns or fault.end_ns)
    ]
    assert {(step.agent, step.target) for step in asked} == {fault.agents, fault.agents[::-1]}
    assert all(step.error == "timeout" and step.end_ns >= fault.end_ns for step in asked)


def test_a_loop_repeats_one_call(story, truth):
    fault = truth["loop"]
    calls = [step for step in _ended(story, fault, StepKind.TOOL) if step.agent == fault.agents[0]]
    assert len(calls) > 10
    assert len({(step.about, step.arguments) for step in calls}) == 1


@pytest.mark.parametrize(("kind", "size"), [("ping_pong", 2), ("cycle", 3)])
def test_the_same_thing_is_handed_round(story, truth, kind, size):
    fault = truth[kind]
    handed = [step for step in _ended(story, fault, StepKind.HANDOFF) if step.agent in fault.agents]
    pairs = [(step.agent, step.target) for step in handed]
    assert len(fault.agents) == size
    assert len(pairs) > 10
    expected = [(agent, fault.agents[(at + 1) % size]) for at, agent in enumerate(fault.agents)]
    assert pairs[:size] == expected
    assert set(pairs) == set(expected)
    assert len({step.arguments for step in handed}) == 1


def test_a_tool_that_is_out_refuses_all_calls(story, truth):
    fault = truth["tool_outage"]
    tool = fault.details["tool"]
    calls = [step for step in _ended(story, fault, StepKind.TOOL) if step.about == tool]
    began = [step for step in calls if step.start_ns >= fault.begin_ns]
    assert began
    assert all(step.error == "ConnectionError" for step in began)


def test_a_slow_model_is_slow(story, truth):
    fault = truth["slow_model"]
    inside = [s for s in _ended(story, fault, StepKind.CHAT) if s.about == fault.details["model"]]
    outside = [
        event.step
        for event in story.events
        if isinstance(event, Ended) and event.step.about == fault.details["model"] and event.at_ns < fault.begin_ns
    ]
    assert _mean_s(inside) > 2 * _mean_s(outside)


def _mean_s(steps):
    return sum(step.end_ns - step.start_ns for step in steps) / len(steps) / NS_PER_S


def test_a_leak_fills_the_memory(story, truth):
    fault = truth["memory_leak"]
    shares = [
        gauge.memory_bytes / gauge.memory_limit_bytes
        for event in story.events
        if isinstance(event, Measured) and fault.begin_ns <= event.at_ns < fault.end_ns
        for gauge in event.gauges
        if gauge.agent == fault.agents[0]
    ]
    assert shares[0] < 0.6
    assert shares[-1] > 0.9


def test_drift_shows_in_evaluations(story, truth):
    fault = truth["alignment_drift"]
    scores = [
        event.score
        for event in story.events
        if isinstance(event, Evaluated) and event.agent in fault.agents and fault.begin_ns <= event.at_ns < fault.end_ns
    ]
    assert scores[0] > 0.85
    assert scores[-1] < 0.7


def test_runaway_costs_a_multiple(story, truth):
    fault = truth["cost_runaway"]
    tokens = Counter()
    for step in _ended(story, fault, StepKind.CHAT):
        tokens[step.agent] += step.input_tokens
    [runaway] = fault.agents
    others = sorted((count for name, count in tokens.items() if name != runaway), reverse=True)
    assert tokens[runaway] > 3 * others[0]


def test_a_crashed_agent_falls_silent_with_work_open(story, truth):
    fault = truth["agent_crash"]
    [name] = fault.agents
    assert Crashed(fault.begin_ns, name) in story.events
    told = [
        event
        for event in story.events
        if isinstance(event, Began | Ended) and event.step.agent == name
        and fault.begin_ns < event.at_ns < fault.end_ns
    ]  # fmt: skip
    assert told == []
    left = [e.step for e in story.events if isinstance(e, Began) and e.step.agent == name and not e.step.end_ns]
    assert any(step.kind is StepKind.AGENT for step in left)


def test_a_bad_version_fails_more_often(story, truth):
    fault = truth["bad_deploy"]
    new = [s for s in _ended(story, fault, StepKind.AGENT) if s.version == fault.details["to_version"]]
    assert {step.agent for step in new} <= set(fault.agents)
    assert sum(step.error != "" for step in new) > 0.2 * len(new) > 0


def test_a_failure_cascades_through_the_data_team(story, truth):
    fault = truth["cascading_failure"]
    failed = {step.service for step in _ended(story, fault, StepKind.AGENT) if step.error}
    assert {"sql-writer", "analyst"} <= failed


def test_faults_are_chosen_by_name():
    assert parse_faults("all") == tuple(FAULTS)
    assert parse_faults("none") == ()
    assert parse_faults("loop, deadlock") == ("loop", "deadlock")
    with pytest.raises(ValueError, match="no fault 'flood'"):
        parse_faults("flood")
