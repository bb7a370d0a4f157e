from tests.analysis.agents.made_spans import make_spans

from swarmscope.analysis.agents.conversations import to_conversation
from swarmscope.analysis.agents.forest import SpanForest
from swarmscope.model.agents import AgentOperation, Vocabulary
from swarmscope.model.fleet import StoredAgentSpans

CHAT, TOOL, INVOKE = AgentOperation.CHAT, AgentOperation.EXECUTE_TOOL, AgentOperation.INVOKE_AGENT


def test_a_conversation_across_two_traces_counts_nothing_twice():
    vocabulary = Vocabulary()
    rows = [
        {"key": "r", "agent": "a", "operation": INVOKE, "start": 0, "end": 9, "input_tokens": 150, "conversation": "x"},
        {"key": "http", "parent": "r", "start": 1, "end": 3},
        {"key": "c1", "parent": "http", "operation": CHAT, "start": 1, "end": 3, "input_tokens": 100, "model": "m",
         "output_tokens": 5, "cost_usd": 0.25},
        {"key": "t", "parent": "r", "operation": TOOL, "tool": "find", "start": 4, "end": 8, "status": 2},
        {"key": "s", "parent": "t", "agent": "b", "operation": INVOKE, "start": 5, "end": 7},
        {"key": "c2", "parent": "s", "operation": CHAT, "start": 5.5, "end": 6.5, "input_tokens": 50, "model": "m"},
        {"key": "r2", "agent": "c", "operation": INVOKE, "start": 10, "end": 11, "conversation": "x", "trace": 2},
    ]  # fmt: skip
    settled = SpanForest(vocabulary).settle(make_spans(rows, vocabulary), 0)
    talk = to_conversation(StoredAgentSpans(settled.spans, settled.caller, vocabulary))
    assert (talk.input_tokens, talk.output_tokens, talk.cost_usd, talk.errors) == (150, 5, 0.25, 1)
    assert [(turn.agent, turn.operation, turn.input_tokens) for turn in talk.turns] == [
        ("a", "invoke_agent", 0),
        ("a", "chat", 100),
        ("a", "execute_tool", 0),
        ("b", "invoke_agent", 0),
        ("b", "chat", 50),
        ("c", "invoke_agent", 0),
    ]
    assert [(message.source, message.target, message.type) for message in talk.messages] == [
        ("a", "b", "tool"),
        ("a", "c", "conversation"),
    ]
    assert [(tool.tool, tool.calls, tool.errors, tool.busy_s) for tool in talk.tools] == [("find", 1, 1, 4)]
    assert [(share.agent, share.busy_s) for share in talk.agents] == [("a", 6), ("b", 1), ("c", 0)]
    assert len(talk.trace_ids) == 2
    assert talk.models == ("m",)


def test_nothing_is_an_empty_conversation():
    vocabulary = Vocabulary()
    spans = make_spans([], vocabulary)
    talk = to_conversation(StoredAgentSpans(spans, spans.agent, vocabulary))
    assert (talk.turns, talk.messages, talk.begin_ns) == ((), (), 0)
