"""From spans to series, registry, graph and store: values by hand."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.fleet.watched import NS, PRICED, START_NS, Watched, span

from swarmscope.analysis.agents.budgets import Budget
from swarmscope.fleet.judgement import Rules
from swarmscope.fleet.settings import FleetSettings
from swarmscope.model.errors import UnavailableError
from swarmscope.model.fleet import Finding, FindingKind, UsageMeasure

# Ada asks a model and calls Bob, who asks one and uses a tool that fails.
WORK = (
    span(1, "invoke_agent", agent="ada", took_s=10, conversation="c1"),
    span(2, "chat", parent=1, model="m1", at_s=1, **PRICED),
    span(3, parent=1, at_s=2, took_s=5),  # plain
    span(4, "invoke_agent", parent=3, agent="bob", at_s=2, took_s=4),
    span(5, "chat", parent=4, model="m2", at_s=3, **PRICED),
    span(6, "execute_tool", parent=4, tool="search", at_s=4, status=2),
)


@pytest.fixture
def watched(tmp_path: Path) -> Watched:
    return Watched(tmp_path)


def test_spans_become_series(watched: Watched) -> None:
    watched.send(*WORK)
    watched.run(12)
    assert watched.last("agi_agent_activity_total", "agent_name") == {("ada",): 2, ("bob",): 3}
    assert watched.last("agi_agent_errors_total", "agent_name") == {("ada",): 0, ("bob",): 1}
    assert watched.last("agi_agent_interactions", "source", "target", "interaction_type") == {("ada", "bob", "call"): 1}
    assert watched.last("agi_agent_tokens_total", "agent_name", "model", "token_type") == {
        ("ada", "m1", "input"): 1000, ("ada", "m1", "output"): 100,
        ("bob", "m2", "input"): 1000, ("bob", "m2", "output"): 100,
    }  # fmt: skip
    assert watched.last("agi_agent_cost_usd_total", "agent_name", "model") == {("ada", "m1"): 0.25, ("bob", "m2"): 0.25}
    assert watched.last("agi_conversation_cost_usd", "conversation") == {("c1",): 0.5}
    assert watched.last("agi_conversation_tokens", "conversation") == {("c1",): 2200}
    assert watched.last("agi_agent_status", "agent_name") == {("ada",): 0, ("bob",): 0}
    assert watched.last("agi_agent_info", "agent_name", "model") == {("ada", "m1"): 1, ("bob", "m2"): 1}


def test_the_graph_is_the_same_before_and_after_it_is_written(watched: Watched) -> None:
    watched.send(*WORK)
    watched.step(1)
    rows = len(watched.store.rows)
    before = watched.view.graph("t", START_NS, START_NS + 60 * NS)
    assert [(edge.source, edge.target, edge.type, edge.count) for edge in before.edges] == [("ada", "bob", "call", 1)]
    assert {(node.id, node.spans, node.errors, node.tokens, node.cost_usd) for node in before.nodes} == {
        ("ada", 2, 0, 1100, 0.25), ("bob", 3, 1, 1100, 0.25),
    }  # fmt: skip
    watched.run(12)
    assert len(watched.store.rows) > rows
    assert watched.view.graph("t", START_NS, START_NS + 60 * NS) == before
    assert watched.view.graph("t", START_NS + 60 * NS, START_NS + 120 * NS).edges == ()


def test_agents_are_told_with_what_they_used(watched: Watched) -> None:
    watched.send(*WORK)
    watched.step(11)
    ada, bob = watched.view.agents("t")
    assert (ada.record.name, ada.spans, ada.errors, ada.cost_usd, ada.input_tokens) == ("ada", 2, 0, 0.25, 1000)
    assert (bob.record.model, bob.record.service, bob.record.first_seen_ns, bob.record.last_seen_ns) == (
        "m2", "crew", START_NS + 2 * NS, START_NS + 6 * NS,
    )  # fmt: skip
    assert (ada.state, bob.state) == ("active", "active")
    detail = watched.view.agent("t", "bob", START_NS, START_NS + 60 * NS)
    assert detail is not None
    assert (len(detail.edges.edges), detail.usage.usage.measures[:, UsageMeasure.SPANS].sum()) == (1, 3)
    assert watched.view.agent("t", "nobody", START_NS, START_NS + 60 * NS) is None


def test_conversations_and_runs(watched: Watched) -> None:
    watched.send(*WORK)
    watched.step(1)
    for _ in range(2):  # before and after it is written
        told = watched.view.conversation("t", "c1")
        assert told is not None
        assert (told.input_tokens, told.cost_usd, [share.agent for share in told.agents]) == (2000, 0.5, ["ada", "bob"])
        (listed,) = watched.view.conversations("t", START_NS, START_NS + 60 * NS)
        assert (listed.id, listed.agents, listed.traces, listed.cost_usd, listed.errors) == (
            "c1",
            ("ada", "bob"),
            1,
            0.5,
            1,
        )
        run = watched.view.run("t", WORK[0].trace_id)
        assert run is not None
        assert (run.end_ns - run.begin_ns, {time.agent for time in run.agents}) == (10 * NS, {"ada", "bob"})
        watched.run(12)
    assert watched.view.conversation("t", "nothing") is None
    assert watched.view.run("t", bytes(16)) is None


def test_a_trace_that_sampling_let_go_is_still_a_run(watched: Watched) -> None:
    watched.send(*WORK, stored=False)
    watched.step(1)
    run = watched.view.run("t", WORK[0].trace_id)
    assert run is not None
    assert {time.agent for time in run.agents} == {"ada", "bob"}


def test_findings_are_series_lines_and_rows_while_they_last_and_after(tmp_path: Path) -> None:
    found: list[Finding] = []
    watched = Watched(tmp_path, rules=Rules(detect=lambda window: list(found)))
    watched.send(*WORK)
    found.append(Finding("f1", FindingKind.PING_PONG, ("ada", "bob"), START_NS, 0, 0.9, "to and fro"))
    watched.run(14)
    series = watched.last("agi_agent_findings", "kind", "agent_name")
    assert series == {("ping_pong", "ada"): 1, ("ping_pong", "bob"): 1}
    assert [(line.metadata["finding_state"], line.level) for line in watched.lines.lines()] == [("active", 4)]
    assert [finding.end_ns for finding in watched.store.read_findings("t", 0, watched.clock.ns)] == [0]
    found.clear()
    watched.run(45)
    assert watched.last("agi_agent_findings", "kind", "agent_name") == {}
    assert [line.metadata["finding_state"] for line in watched.lines.lines()] == ["active", "resolved"]
    for _ in range(2):  # from memory, and from the store
        (ended,) = watched.view.findings("t", START_NS, watched.clock.ns)
        assert (ended.begin_ns, START_NS + 13 * NS <= ended.end_ns <= START_NS + 15 * NS) == (START_NS, True)
        watched.again()


def test_budgets_are_series(tmp_path: Path) -> None:
    budgets = (Budget("models", 1.0, per="agent"), Budget("talk", 0.4, per="conversation"))
    watched = Watched(tmp_path, rules=Rules(budgets=budgets))
    watched.send(*WORK)
    watched.run(12)
    used = watched.last("agi_budget_used_ratio", "budget", "subject")
    assert used[("models", "ada")] == used[("models", "bob")] == 0.25
    (over,) = [one for one in watched.view.findings("t", START_NS, watched.clock.ns) if one.end_ns == 0]
    assert (over.kind, over.confidence, over.evidence["subject"]) == ("budget", 1, "c1")
    # The next process has it from the store.
    watched.again()
    watched.watch.recover()
    watched.run(12)
    assert watched.last("agi_budget_used_ratio", "budget", "subject")[("models", "ada")] == 0.25
    assert {status.subject: status.used for status in watched.view.budgets("t")} == {"ada": 0.25, "bob": 0.25}


def test_tenants_are_apart_and_bounded(tmp_path: Path) -> None:
    watched = Watched(tmp_path, FleetSettings(max_tenants=2))
    for tenant in ("a", "b", "c"):
        watched.send(*WORK, tenant=tenant)
    watched.run(12)
    assert {rows.tenant for rows in watched.store.rows} == {"a", "b"}
    assert watched.view.agents("c") == []
    assert len(watched.view.agents("a")) == 2


def test_what_the_store_refuses_comes_later_and_once(watched: Watched) -> None:
    watched.store.error = UnavailableError("full")
    watched.send(*WORK)
    watched.run(25)
    assert watched.store.rows == []
    assert len(watched.view.graph("t", START_NS, START_NS + 60 * NS).edges) == 1
    watched.store.error = None
    watched.send(span(11, "invoke_agent", agent="ada", trace=2, at_s=20))
    watched.run(25)
    usage = watched.view.usage("t", START_NS, START_NS + 120 * NS, ("agent",)).usage
    assert usage.measures[:, UsageMeasure.SPANS].sum() == 6
    assert {record.name for record in watched.store.read_agents("t")} == {"ada", "bob"}


def test_what_finds_no_room_is_counted_and_the_rest_goes_on(tmp_path: Path) -> None:
    watched = Watched(tmp_path, FleetSettings(max_queued_spans=8))
    watched.send(*WORK)
    watched.send(*(span(n, "chat", agent="late", trace=9) for n in range(1, 5)))
    watched.run(12)
    assert set(watched.last("agi_agent_activity_total", "agent_name")) == {("ada",), ("bob",)}


def test_series_of_agents_that_are_gone_end(tmp_path: Path) -> None:
    settings = FleetSettings(forget_after_s=600, idle_series_s=300, detect_interval_s=30, series_interval_s=30)
    watched = Watched(tmp_path, settings)
    watched.send(*WORK)
    watched.run(60, 30)
    assert set(watched.last("agi_agent_status", "agent_name")) == {("ada",), ("bob",)}
    watched.run(800, 30)
    assert watched.last("agi_agent_status", "agent_name") == {}
    assert watched.last("agi_agent_activity_total", "agent_name") == {}
    # The store knows them still.
    assert [view.state for view in watched.view.agents("t")] == ["offline", "offline"]


def test_agents_of_other_signals_are_there_and_own_series_keep_nobody_alive(watched: Watched) -> None:
    watched.send(*WORK)
    watched.step(1)
    now_ms = watched.clock.ns // 10**6
    watched.reader.add({"__name__": "requests_total", "gen_ai_agent_name": "eve"}, [(now_ms, 1.0)])
    watched.reader.add({"__name__": "agi_agent_status", "agent_name": "ghost"}, [(now_ms, 1.0)])
    watched.reader.add({"__name__": "agi_memory_usage_bytes", "gen_ai_agent_name": "eve"}, [(now_ms, 64.0)])
    watched.run(40)
    assert set(watched.last("agi_agent_status", "agent_name")) == {("ada",), ("bob",), ("eve",)}
    assert watched.last("agi_memory_usage_bytes", "agent_name") == {("eve",): 64}
    assert [view.record.name for view in watched.view.agents("t")] == ["ada", "bob", "eve"]
