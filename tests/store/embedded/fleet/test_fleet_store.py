"""What is known of agents, in and out of the embedded store. Values are by hand."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from tests.portion import portion
from tests.store.embedded.conftest import SystemClock

from swarmscope.model.agents import NO_TEXT, AgentOperation, AgentSpans, Vocabulary
from swarmscope.model.errors import UnavailableError
from swarmscope.model.fleet import (
    N_DURATION_BUCKETS,
    AgentRecord,
    AgentSpanRequest,
    EdgeMeasure,
    Edges,
    Finding,
    FindingKind,
    FleetRows,
    Usage,
    UsageMeasure,
)
from swarmscope.model.labels import Utf8Column
from swarmscope.store.embedded.store import EmbeddedStore, StoreSettings

MINUTE = 60 * 10**9
T = 1_767_225_600 * 10**9 + 7 * 30 * 24 * 60 * MINUTE  # a whole minute


@pytest.fixture
def words():
    return Vocabulary()


@pytest.fixture
def open_fleet(tmp_path, words, copy_new):
    opened = []

    def opening() -> EmbeddedStore:
        if not any(tmp_path.iterdir()):
            copy_new(tmp_path)
        settings = StoreSettings(tmp_path, metrics_retention_s=None, vocabulary=words)
        settings = dataclasses.replace(settings, spans=dataclasses.replace(settings.spans, retention_s=None))
        store = EmbeddedStore(settings, SystemClock())
        opened.append(store)
        return store

    yield opening
    for store in opened:
        store.close()


def spans_of(words, n=3, first=1, agent="planner", conversation="talk"):
    spans = AgentSpans.blank(n)
    numbers = np.arange(first, first + n)
    spans.trace_id[:, 0], spans.span_id[:, 0] = 1 + numbers // 100, numbers
    spans.span_key[:] = numbers
    spans.start_ns[:], spans.end_ns[:] = T + numbers * 1000, T + numbers * 1000 + 500
    spans.operation[:] = AgentOperation.CHAT
    spans.agent[:], spans.model[:] = words.code_of(agent), words.code_of("gpt-4o")
    spans.input_tokens[:], spans.output_tokens[:] = 10 * numbers, numbers
    spans.cost_usd[:] = 0.5
    spans.conversation = Utf8Column.from_strings([conversation] * n)
    return spans


def edges_of(words, *edges):
    """Each: minute, source, target, count, bucket."""
    n = len(edges)
    measures, durations = np.zeros((n, len(EdgeMeasure))), np.zeros((n, N_DURATION_BUCKETS), np.uint32)
    for row, (_, _, _, count, bucket) in enumerate(edges):
        measures[row, EdgeMeasure.COUNT] = durations[row, bucket] = count
    nothing = np.full(n, NO_TEXT, np.uint32)
    return Edges(
        np.array([T + edge[0] * MINUTE for edge in edges], np.int64),
        np.array([words.code_of(edge[1]) for edge in edges], np.uint32),
        np.array([words.code_of(edge[2]) for edge in edges], np.uint32),
        np.ones(n, np.uint8), nothing, nothing, measures, durations,
    )  # fmt: skip


def usage_of(words, *used):
    """Each: minute, agent, model, spans, dollars."""
    n = len(used)
    measures = np.zeros((n, len(UsageMeasure)))
    for row, (_, _, _, spans, cost) in enumerate(used):
        measures[row, UsageMeasure.SPANS], measures[row, UsageMeasure.COST_USD] = spans, cost
    nothing = np.full(n, NO_TEXT, np.uint32)
    return Usage(
        np.array([T + each[0] * MINUTE for each in used], np.int64),
        np.array([words.code_of(each[1]) for each in used], np.uint32), nothing, nothing, nothing,
        np.array([words.code_of(each[2]) for each in used], np.uint32),
        np.full(n, AgentOperation.CHAT, np.uint8), nothing, measures,
    )  # fmt: skip


def rows_of(words, spans=None, edges=(), usage=(), **more):
    spans = spans_of(words) if spans is None else spans
    caller = np.full(len(spans), words.code_of("boss"), np.uint32)
    return FleetRows(spans, caller, edges_of(words, *edges), usage_of(words, *usage), **more)


def found_edges(store, words, *args, **more):
    """By source, target and minute: how many, in which buckets, and how many in all of those."""
    edges = store.fleet.read_edges("default", *args, **more)
    found = {}
    for row in range(len(edges)):
        minute_ns = int(edges.minute_ns[row] - T) if edges.minute_ns[row] else None
        key = words.text(int(edges.source[row])), words.text(int(edges.target[row])), minute_ns
        buckets = np.flatnonzero(edges.durations[row]).tolist()
        found[key] = edges.measures[row, EdgeMeasure.COUNT], buckets, int(edges.durations[row].sum())
    return found


def test_edges_are_added_up(open_fleet, words):
    store = open_fleet()
    store.fleet.write_fleet(rows_of(words, edges=[(0, "a", "b", 2, 5), (1, "a", "b", 3, 7), (1, "b", "c", 1, 63)]))
    store.fleet.write_fleet(rows_of(words, spans_of(words, first=10), edges=[(1, "a", "b", 4, 7)]))
    assert found_edges(store, words, T, T + 2 * MINUTE) == {
        ("a", "b", None): (9, [5, 7], 9),
        ("b", "c", None): (1, [63], 1),
    }
    # Minutes whose start lies in the range, and in no other.
    assert found_edges(store, words, T, T + MINUTE) == {("a", "b", None): (2, [5], 2)}
    assert found_edges(store, words, T + 1, T + MINUTE + 1, by_minute=True) == {
        ("a", "b", MINUTE): (7, [7], 7), ("b", "c", MINUTE): (1, [63], 1)
    }  # fmt: skip
    assert len(store.fleet.read_edges("other", T, T + MINUTE)) == 0


def test_usage_is_told_by_what_is_asked_for(open_fleet, words):
    store = open_fleet()
    used = [(0, "a", "m", 1, 0.5), (0, "a", "n", 2, 0.25), (1, "b", "m", 4, 1.0)]
    store.fleet.write_fleet(rows_of(words, usage=used))

    def told(*by):
        usage = store.fleet.read_usage("default", T, T + 2 * MINUTE, by)
        return sorted(
            (
                words.text(int(usage.agent[row])),
                words.text(int(usage.model[row])),
                *usage.measures[row, [0, 9]].tolist(),
            )
            for row in range(len(usage))
        )

    assert told("agent") == [("a", "", 3, 0.75), ("b", "", 4, 1)]
    assert told("model") == [("", "m", 5, 1.5), ("", "n", 2, 0.25)]
    assert told() == [("", "", 7, 1.75)]
    assert told("agent", "model") == [("a", "m", 1, 0.5), ("a", "n", 2, 0.25), ("b", "m", 4, 1)]
    assert len(store.fleet.read_usage("default", 0, 5, ())) == 0
    with pytest.raises(ValueError, match="price"):
        told("price")


def test_spans_come_back(open_fleet, words):
    store = open_fleet()
    wrong = "tab\t quote' back\\ zero\0 and 🐢"
    store.fleet.write_fleet(rows_of(words, spans_of(words, agent=wrong, conversation=wrong)))
    store.fleet.write_fleet(rows_of(words, spans_of(words, first=200, conversation="")))
    store.close()
    store = open_fleet()
    found = store.fleet.read_agent_spans("default", AgentSpanRequest(0, T + MINUTE, conversation=wrong))
    sent = spans_of(words, agent=wrong, conversation=wrong)
    for name in ("trace_id", "span_id", "span_key", "start_ns", "end_ns", "input_tokens", "cost_usd", "operation"):
        np.testing.assert_array_equal(getattr(found.spans, name), getattr(sent, name))
    assert [found.vocabulary.text(code) for code in found.spans.agent.tolist()] == [wrong] * 3
    assert {found.vocabulary.text(code) for code in found.caller.tolist()} == {"boss"}
    assert found.spans.conversation.to_strings() == [wrong] * 3
    assert found.spans.tool.tolist() == [NO_TEXT] * 3
    assert found.spans.cached_tokens.tolist() == [-1] * 3

    def keys(**more):
        return store.fleet.read_agent_spans("default", AgentSpanRequest(0, T + MINUTE, **more)).spans.span_key.tolist()

    assert keys() == [1, 2, 3, 200, 201, 202]
    assert keys(max_spans=2) == [201, 202]
    assert keys(agents=("planner",)) == [200, 201, 202]
    assert keys(agents=("nobody",)) == []
    assert keys(trace_ids=(bytes([3]) + bytes(15),)) == [200, 201, 202]
    assert store.fleet.stored_keys("default", T + 3500).tolist() == [3, 200, 201, 202]


def test_conversations_agents_and_findings(open_fleet, words):
    store = open_fleet()
    found = Finding("f1", FindingKind.DEADLOCK, ("a", "b"), T, 0, 0.9, "they wait", {"traces": ["0a"], "n": 2})
    early = AgentRecord("a", T, T + 5, team="red", version="1")
    late = AgentRecord("a", T + 3, T + 9, team="red", version="2", model="m")
    store.fleet.write_fleet(rows_of(words, agents=(early, AgentRecord("b", T, T)), findings=(found,)))
    ended = dataclasses.replace(found, end_ns=T + 70)
    store.fleet.write_fleet(rows_of(words, spans_of(words, 1, 50, conversation="x"), agents=(late,), findings=(ended,)))
    agents = store.fleet.read_agents("default")
    assert agents == [dataclasses.replace(late, first_seen_ns=T), AgentRecord("b", T, T)]
    assert store.fleet.read_findings("default", T, T + 100) == [ended]
    assert store.fleet.read_findings("default", T + 71, T + 100) == [] == store.fleet.read_findings("x", T, T + 100)
    first, second = store.fleet.conversations("default", T, T + MINUTE, 10)
    assert (first.id, second.id, second.agents, second.traces, second.spans) == ("x", "talk", ("planner",), 1, 3)
    assert (second.input_tokens, second.output_tokens, second.cost_usd) == (60, 6, 1.5)
    assert (second.begin_ns, second.end_ns, second.errors) == (T + 1000, T + 3500, 0)


@pytest.mark.parametrize("failing", [2, 5, 1, 3][: portion(4, 2)])
def test_a_write_that_was_cut_off_counts_for_nothing(open_fleet, words, monkeypatch, failing):
    store = open_fleet()
    rows = rows_of(words, edges=[(0, "a", "b", 2, 5)], usage=[(0, "a", "m", 1, 0.5)])
    insert, calls = store.engine.insert_arrow, []

    def cut_off(table, batch):
        calls.append(table)
        if len(calls) > failing:
            raise UnavailableError("no space")
        insert(table, batch)

    findings = (Finding("f", FindingKind.CYCLE, ("a",), T, 0, 1.0, "round and round"),)
    rows = dataclasses.replace(rows, agents=(AgentRecord("a", T, T),), findings=findings)
    monkeypatch.setattr(store.engine, "insert_arrow", cut_off)
    with pytest.raises(UnavailableError):
        store.fleet.write_fleet(rows)
    monkeypatch.undo()
    # Neither before nor after a restart is anything of it seen.
    assert found_edges(store, words, T, T + MINUTE) == {}
    if failing % 2:
        store.close()
        store = open_fleet()
    assert len(store.fleet.stored_keys("default", 0)) == 0
    store.fleet.write_fleet(rows)
    assert found_edges(store, words, T, T + MINUTE) == {("a", "b", None): (2, [5], 2)}
    assert store.fleet.read_usage("default", T, T + MINUTE, ()).measures[0, 0] == 1
    assert store.fleet.stored_keys("default", 0).tolist() == [1, 2, 3]


def test_memory_and_parts_tell_the_same(open_fleet, words):
    """What an earlier process wrote is in parts alone; of minutes that this one writes too, nothing is missing."""
    store = open_fleet()
    used = [(minute, "a", f"m{minute % 2}", 1 + minute, 0.5) for minute in range(4)]
    store.fleet.write_fleet(rows_of(words, edges=[(k, "a", "b", 1 + k, k) for k in range(4)], usage=used))
    store.close()
    store = open_fleet()
    # One late row in a minute that the earlier process wrote, and two new minutes.
    more = [(2, "a", "b", 10, 9), (5, "a", "c", 20, 5), (6, "a", "b", 30, 6)]
    store.fleet.write_fleet(rows_of(words, spans_of(words, first=9), edges=more, usage=[(5, "a", "m1", 7, 1.0)]))
    assert found_edges(store, words, T, T + 7 * MINUTE) == {
        ("a", "b", None): (1 + 2 + 13 + 4 + 30, [0, 1, 2, 3, 6, 9], 50), ("a", "c", None): (20, [5], 20),
    }  # fmt: skip
    assert found_edges(store, words, T + 2 * MINUTE, T + 6 * MINUTE, by_minute=True) == {
        ("a", "b", 2 * MINUTE): (13, [2, 9], 13), ("a", "b", 3 * MINUTE): (4, [3], 4),
        ("a", "c", 5 * MINUTE): (20, [5], 20),
    }  # fmt: skip
    usage = store.fleet.read_usage("default", T, T + 7 * MINUTE, ("model",))
    spans = {words.text(int(code)): row for code, row in zip(usage.model, usage.measures[:, 0].tolist(), strict=True)}
    assert spans == {"m0": 1 + 3, "m1": 2 + 4 + 7}


def test_old_minutes_leave_memory(open_fleet, words):
    store = open_fleet()
    for minute in range(0, 200, 20):
        store.fleet.write_fleet(rows_of(words, spans_of(words, first=1 + minute), edges=[(minute, "a", "b", 1, 1)]))
    assert store.fleet.recent_edges.complete_from_ns == T + (180 - 75) * MINUTE
    assert found_edges(store, words, T, T + 200 * MINUTE) == {("a", "b", None): (10, [1], 10)}
    assert found_edges(store, words, T + 119 * MINUTE, T + 161 * MINUTE) == {("a", "b", None): (3, [1], 3)}
