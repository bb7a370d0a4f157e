"""Agents by hand: who is known, since when, and what was said of them last."""

from __future__ import annotations

from typing import Any

import numpy as np

from swarmscope.fleet.registry import Registry
from swarmscope.model.agents import AgentSpans, Vocabulary
from swarmscope.model.fleet import AgentRecord

WORDS = Vocabulary()


def spans(*rows: dict[str, Any]) -> AgentSpans:
    made = AgentSpans.blank(len(rows))
    for row, said in enumerate(rows):
        for name, value in said.items():
            getattr(made, name)[row] = WORDS.code_of(value) if isinstance(value, str) else value
    return made


def test_what_is_said_last_stands_and_nothing_said_changes_nothing() -> None:
    registry = Registry(WORDS, 10, "t")
    registry.see_spans(spans(
        {"agent": "a", "start_ns": 5, "end_ns": 10, "model": "m1", "team": "red"},
        {"agent": "a", "start_ns": 3, "end_ns": 20, "model": "m2", "agent_version": "2"},
        {"agent": "a", "start_ns": 1, "end_ns": 15, "model": "m3"},
        {"start_ns": 1, "end_ns": 2, "model": "m3"},
    ), 100)  # fmt: skip
    assert registry.records() == [AgentRecord("a", 1, 20, team="red", version="2", model="m2", tenant="t")]
    assert registry.take_changed() == tuple(registry.records())
    assert registry.take_changed() == ()


def test_open_spans_other_signals_and_targets() -> None:
    registry = Registry(WORDS, 10, "t")
    registry.see_spans(spans({"agent": "a", "target": "b", "start_ns": 5, "end_ns": 0}), 50)
    registry.see_names(["c", "a", ""], 60)
    seen = {record.name: (record.first_seen_ns, record.last_seen_ns) for record in registry.records()}
    assert seen == {"a": (5, 60), "b": (5, 50), "c": (60, 60)}
    registry.see_spans(spans({"agent": "c", "start_ns": 70, "end_ns": 1000}), 80)  # its clock runs ahead
    assert registry.record("c") == AgentRecord("c", 60, 80, tenant="t")
    assert registry.record("nobody") is None


def test_known_agents_come_back_and_do_not_overwrite() -> None:
    registry = Registry(WORDS, 10, "t")
    registry.see_spans(spans({"agent": "a", "start_ns": 50, "end_ns": 60, "model": "new"}), 100)
    registry.add([AgentRecord("a", 1, 40, team="red", model="old"), AgentRecord("z", 2, 3, service="s")])
    a, z = registry.records()
    assert a == AgentRecord("a", 1, 60, team="red", model="new", tenant="t")
    assert z == AgentRecord("z", 2, 3, service="s", tenant="t")
    assert [record.name for record in registry.take_changed()] == ["a"]


def test_bounds_and_forgetting() -> None:
    registry = Registry(WORDS, 100, "t")
    names = [f"agent {number}" for number in range(200)]
    registry.see_spans(spans(*({"agent": name, "start_ns": 1 + at, "end_ns": 1 + at} for at, name in enumerate(names))),
                       1000)  # fmt: skip
    assert len(registry) == 100
    registry.forget(51)
    assert [record.last_seen_ns for record in registry.records()] == sorted(
        range(51, 101), key=lambda n: f"agent {n - 1}"
    )
    registry.see_names(["late"], 500)
    assert registry.record("late") is not None
    assert np.all([registry.record(record.name) == record for record in registry.records()])
