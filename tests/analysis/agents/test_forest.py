from collections import Counter

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.analysis.agents.made_spans import SECOND_NS, account_of, key_of, make_spans
from tests.portion import portion

from swarmscope.analysis.agents.edges import to_edges
from swarmscope.analysis.agents.forest import SpanForest
from swarmscope.analysis.agents.usage import to_usage
from swarmscope.model.agents import AgentOperation, InteractionType, Vocabulary
from swarmscope.model.fleet import EdgeMeasure, UsageMeasure
from swarmscope.model.spans import SpanKind

LATE_NS = 10_000 * SECOND_NS
CHAT, TOOL, INVOKE = AgentOperation.CHAT, AgentOperation.EXECUTE_TOOL, AgentOperation.INVOKE_AGENT


class Watched:
    """A forest, and everything that it has told so far, by names."""

    def __init__(self, max_spans=4096):
        self.vocabulary = Vocabulary()
        self.forest = SpanForest(self.vocabulary, max_spans)
        self.settled, self.edges, self.edge_tokens = {}, Counter(), Counter()
        self.used, self.calls, self.cost = Counter(), Counter(), Counter()

    def take(self, *rows, now_s=0):
        return self.note(self.forest.settle(make_spans(list(rows), self.vocabulary), now_s * SECOND_NS))

    def expire(self, now_ns=LATE_NS):
        return self.note(self.forest.expire(now_ns))

    def note(self, told):
        text, spans = self.vocabulary.text, told.spans
        for row in range(len(spans)):
            key = int(spans.span_key[row]).to_bytes(8, "big").rstrip(b"\1").decode()
            assert key not in self.settled
            columns = (spans.agent, spans.agent_version, spans.team, spans.workflow)
            names = [text(int(column[row])) for column in columns]
            conversation = spans.conversation.to_arrow().to_pylist()[row]
            self.settled[key] = (*names, conversation, text(int(told.caller[row])))
        edges, usage = to_edges(told), to_usage(told)
        for row in range(len(edges)):
            ends = (text(int(edges.source[row])), text(int(edges.target[row])))
            kind = InteractionType(int(edges.type[row])).label
            self.edges[*ends, kind] += round(edges.measures[row, EdgeMeasure.COUNT])
            self.edge_tokens[ends] += round(edges.measures[row, EdgeMeasure.TOKENS])
            assert edges.durations[row].sum() == edges.measures[row, EdgeMeasure.COUNT]
        for row in range(len(usage)):
            agent, measures = text(int(usage.agent[row])), usage.measures[row]
            self.used[agent] += round(measures[UsageMeasure.INPUT_TOKENS])
            self.calls[agent] += round(measures[UsageMeasure.INFERENCES])
            self.cost[agent] += float(measures[UsageMeasure.COST_USD])
        return told


NAMES = st.sampled_from(["", "", "", "a", "b", "c"])


@st.composite
def forests(draw):
    """Rows in some order: parents that never come, circles, spans that came twice."""
    n = draw(st.integers(1, 12))
    keys = [f"s{i}" for i in range(n)]
    rows = []
    for key in keys:
        agent = draw(NAMES)
        operation = draw(st.sampled_from([0, 0, CHAT, CHAT, TOOL, INVOKE, AgentOperation.EMBEDDINGS]))
        row = {
            "key": key,
            "parent": draw(st.sampled_from(["", "lost", *keys])),
            "operation": operation,
            "agent": agent,
            "agent_version": f"v{agent}" if agent else "",
            "team": draw(st.sampled_from(["", "", "red", "blue"])),
            "workflow": draw(st.sampled_from(["", "", "flow"])),
            "conversation": draw(st.sampled_from(["", "", "", "talk"])) if draw(st.booleans()) else "",
            "service": draw(st.sampled_from(["", "shop", "unknown_service:java"])),
            "model": draw(st.sampled_from(["", "m1", "m2"])),
            "tool": draw(st.sampled_from(["", "t1"])) if operation == TOOL else "",
            "kind": draw(st.sampled_from([SpanKind.INTERNAL, SpanKind.SERVER])),
            "channel": draw(st.sampled_from([0, 0, 0, InteractionType.A2A, InteractionType.MCP])),
            "input_tokens": draw(st.sampled_from([-1, 10, 100])),
        }
        if draw(st.integers(0, 5)) == 0:
            row |= {"source": draw(NAMES), "target": draw(NAMES)}
        rows.append(row)
    twice = draw(st.lists(st.sampled_from(rows), max_size=3))
    order = draw(st.permutations(rows + twice))
    cuts = draw(st.lists(st.integers(0, len(order)), max_size=4))
    return rows, order, sorted({0, len(order), *cuts})


def clean(counts):
    return Counter({key: count for key, count in counts.items() if count})


@settings(max_examples=portion(100, 33), deadline=None)
@given(forests())
def test_any_order_and_any_batches_tell_the_same(case):
    rows, order, cuts = case
    watched = Watched()
    for begin, end in zip(cuts, cuts[1:], strict=False):
        watched.take(*order[begin:end])
    watched.expire()
    expected = account_of(rows)
    assert watched.settled == expected.settled
    edges = {ends: count for ends, count in watched.edges.items() if ends[2] != "conversation"}
    assert clean(edges) == clean(expected.edges)
    assert clean(watched.edge_tokens) == clean(expected.edge_tokens)
    assert clean(watched.used) == clean(expected.used)
    assert clean(watched.calls) == clean(expected.calls)
    assert watched.forest.n_waiting == 0


def test_children_wait_for_their_root_and_are_told_before_it():
    watched = Watched()
    told = watched.take({"key": "chat", "parent": "http", "operation": CHAT})
    assert len(told) == 0
    assert len(watched.take({"key": "http", "parent": "run"})) == 0
    told = watched.take({"key": "run", "operation": INVOKE, "agent": "planner", "team": "red"})
    assert told.spans.span_key.tolist() == [key_of("chat"), key_of("run")]
    # The plain span between is neither told nor a parent.
    assert told.spans.parent_key.tolist() == [key_of("run"), 0]
    assert watched.settled["chat"] == ("planner", "", "red", "", "", "")


def test_open_spans_let_those_below_settle_at_once():
    watched = Watched()
    watched.take({"key": "run", "operation": INVOKE, "agent": "planner", "end": 0, "conversation": "talk"})
    told = watched.take({"key": "chat", "parent": "run", "operation": CHAT})
    assert len(told) == 1
    assert watched.settled["chat"][0] == "planner"
    assert watched.settled["chat"][4] == "talk"
    opened = watched.forest.open_spans(0)
    assert opened.spans.span_key.tolist() == [key_of("run")]
    assert (
        watched.take({"key": "run", "operation": INVOKE, "agent": "planner", "end": 9}).spans.end_ns[0] == 9 * SECOND_NS
    )
    assert len(watched.forest.open_spans(0)) == 0
    assert len(watched.take({"key": "run", "operation": INVOKE, "agent": "planner", "end": 0})) == 0


def test_children_that_come_with_the_end_of_an_announced_span_settle_with_it():
    watched = Watched()
    root = {"key": "w", "operation": AgentOperation.INVOKE_WORKFLOW, "workflow": "flow", "end": 0}
    agent = {"key": "a", "parent": "w", "agent": "a", "operation": INVOKE, "end": 0}
    chat = {"key": "c", "parent": "a", "operation": CHAT, "end": 0, "input_tokens": 5}
    watched.take(root, agent, chat)
    below = {"key": "b", "parent": "a", "agent": "b", "operation": INVOKE}
    deeper = {"key": "d", "parent": "b", "operation": CHAT, "input_tokens": 7}
    # As exporters send them: what ended first comes first.
    watched.take(chat | {"end": 1}, deeper, below, agent | {"end": 2})
    assert set(watched.settled) == {"a", "b", "c", "d"}
    assert watched.settled["c"][0] == watched.settled["a"][0] == "a"
    assert watched.settled["b"][-1] == watched.settled["d"][-1] == "a"
    assert {watched.settled[key][3] for key in "abcd"} == {"flow"}
    assert watched.edges == {("a", "b", "call"): 1}
    assert watched.used == {"a": 5, "b": 7}


def test_open_spans_that_fall_silent_are_forgotten():
    watched = Watched()
    watched.take({"key": "run", "operation": INVOKE, "agent": "planner", "end": 0}, now_s=5)
    assert watched.forest.open_spans(600 * SECOND_NS).seen_ns.tolist() == [5 * SECOND_NS]
    assert len(watched.forest.open_spans(606 * SECOND_NS)) == 0
    watched.expire(606 * SECOND_NS)
    assert watched.forest.n_waiting == 0


def test_a_span_whose_parent_never_comes_is_given_up_on_after_the_patience():
    watched = Watched()
    watched.take({"key": "chat", "parent": "lost", "operation": CHAT, "service": "shop"}, now_s=100)
    assert len(watched.expire(700 * SECOND_NS)) == 0
    assert len(watched.expire(701 * SECOND_NS)) == 1
    assert watched.settled["chat"][0] == "shop"


def test_a_messages_target_that_answers_below_is_one_interaction():
    watched = Watched()
    watched.take(
        {"key": "told", "source": "planner", "target": "coder", "operation": AgentOperation.MESSAGE,
         "channel": InteractionType.MESSAGE, "start": 1, "end": 3, "payload_bytes": 40, "status": 2},
        {"key": "http", "parent": "told"},
        {"key": "work", "parent": "http", "agent": "coder", "operation": INVOKE},
        {"key": "chat", "parent": "work", "operation": CHAT, "input_tokens": 7, "cost_usd": 0.5},
    )  # fmt: skip
    assert clean(watched.edges) == {("planner", "coder", "message"): 1}
    assert clean(watched.edge_tokens) == {("planner", "coder"): 7}
    assert watched.settled["chat"][5] == "planner"


def test_links_between_traces_are_messages_or_links():
    watched = Watched()
    watched.take({"key": "get", "agent": "b", "kind": SpanKind.CONSUMER, "links": ["put"]},
                 {"key": "see", "agent": "c", "operation": CHAT, "links": ["put2", "own"]},
                 {"key": "own", "agent": "c"})  # fmt: skip
    assert not clean(watched.edges)
    watched.take({"key": "put", "agent": "a", "kind": SpanKind.PRODUCER}, {"key": "put2", "agent": "a"})
    assert clean(watched.edges) == {("a", "b", "message"): 1, ("a", "c", "link"): 1}


def test_a_link_to_the_message_that_named_the_target_is_the_same_interaction():
    watched = Watched()
    watched.take({"key": "put", "agent": "a", "target": "b", "channel": InteractionType.MESSAGE})
    watched.take(
        {"key": "get", "kind": SpanKind.CONSUMER, "links": ["put"]}, {"key": "run", "parent": "get", "agent": "b"}
    )
    assert clean(watched.edges) == {("a", "b", "message"): 1}


def test_turns_of_a_conversation_follow_one_another_in_time_and_not_in_arrival():
    watched = Watched()
    turns = [("t3", "c", 6, 8), ("t1", "a", 0, 2), ("t2", "b", 3, 5), ("t4", "c", 9, 10)]
    for key, agent, start, end in turns:
        watched.take({"key": key, "agent": agent, "operation": INVOKE, "start": start, "end": end, "conversation": "x"})
    watched.expire(31 * SECOND_NS)
    assert clean(watched.edges) == {("a", "b", "conversation"): 1, ("b", "c", "conversation"): 1}
    watched.expire()
    assert sum(watched.edges.values()) == 2


def test_turns_that_a_handoff_joins_are_not_counted_again():
    watched = Watched()
    watched.take(
        {"key": "t1", "agent": "a", "operation": INVOKE, "start": 0, "end": 2, "conversation": "x"},
        {"key": "h", "parent": "t1", "target": "b", "operation": AgentOperation.HANDOFF, "start": 1, "end": 2},
        {"key": "t2", "agent": "b", "operation": INVOKE, "start": 3, "end": 5, "conversation": "x"},
    )
    watched.expire()
    assert clean(watched.edges) == {("a", "b", "handoff"): 1}


def test_more_spans_than_there_is_room_for_are_settled_all_the_same():
    watched = Watched(max_spans=64)
    for n in range(300):
        watched.take({"key": f"c{n}", "parent": f"p{n}", "operation": CHAT, "input_tokens": 1, "agent": "a"})
    watched.expire()
    assert len(watched.settled) == 300
    assert watched.used["a"] == 300


def test_a_long_chain_and_a_circle_end():
    watched = Watched(max_spans=8192)
    rows = [{"key": f"n{n}", "parent": f"n{n + 1}", "operation": CHAT} for n in range(2000)]
    watched.take(*rows)
    watched.take({"key": "n2000", "agent": "top"})
    assert {agent for agent, *_ in watched.settled.values()} == {"top"}
    watched.take(*[{"key": f"o{n}", "parent": f"o{(n + 1) % 500}", "operation": CHAT} for n in range(500)])
    watched.expire()
    assert len(watched.settled) == 2501
    assert watched.forest.n_waiting == 0


def test_costs_are_counted_where_tokens_are_or_above():
    watched = Watched()
    watched.take(
        {"key": "run", "agent": "a", "operation": INVOKE, "input_tokens": 100, "cost_usd": 3.0},
        {"key": "chat", "parent": "run", "operation": CHAT, "input_tokens": 90},
    )
    # The call tells tokens and no cost: the agent's cost stands, its tokens do not.
    assert watched.used["a"] == 90
    assert watched.cost["a"] == 3.0
    watched.take({"key": "late", "parent": "run", "operation": CHAT, "cost_usd": 1.0})
    np.testing.assert_allclose(watched.cost["a"], 1.0)
