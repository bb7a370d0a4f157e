"""Rows, keys and resources; and that nothing a sender may write does harm."""

from __future__ import annotations

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.ingest.genai.normalised import NORMALISER, SEED, VOCABULARY, as_mapping, row, rows, span, to_span_batch
from tests.portion import portion

from swarmscope.ingest.genai.dialects import CONVENTIONS
from swarmscope.ingest.genai.normaliser import SpanNormaliser
from swarmscope.ingest.genai.prices import Prices
from swarmscope.model.agents import NO_TEXT, AgentSpans, Vocabulary
from swarmscope.model.span_keys import span_keys
from swarmscope.testing.plain_spans import PlainEvent, PlainLink, span_id, to_batch, trace_id

AGENT = {"gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": "scout"}
EXCEPTION = PlainEvent(1, "exception", {"exception.type": "TimeoutError", "exception.message": "late"})


def normalise(*spans) -> AgentSpans:
    return NORMALISER.normalise(to_batch(spans))


def test_every_span_has_a_row_with_its_keys():
    found = normalise(
        span({}, number=1),
        span(AGENT, number=2, parent_id=span_id(1), links=[PlainLink(trace_id(9), span_id(8))]),
        span({}, number=3, links=[PlainLink(trace_id(1), span_id(1)), PlainLink(trace_id(1), span_id(2))]),
    )
    traces = np.repeat(found.trace_id[:1], 3, axis=0)
    assert found.span_key.tolist() == span_keys(SEED, traces, found.span_id).tolist()
    assert found.parent_key.tolist() == [0, int(found.span_key[0]), 0]
    assert found.link_offsets.tolist() == [0, 0, 1, 3]
    assert found.link_key.tolist()[1:] == found.span_key[:2].tolist()
    assert found.says_something.tolist() == [False, True, False]
    assert (found.end_ns - found.start_ns).tolist() == [2_000_000_000] * 3
    assert len(found.take(np.array([2, 1])).link_key) == 3


def test_the_batch_is_neither_changed_nor_kept():
    batch = to_batch([span(AGENT | {"session.id": "s"})])
    before = [column.copy() for column in (batch.status, batch.start_ns, batch.trace_id)]
    found = NORMALISER.normalise(batch)
    found.status[:], found.start_ns[:], found.trace_id[:] = 9, 9, 9
    after = (batch.status, batch.start_ns, batch.trace_id)
    assert all((now == then).all() for now, then in zip(after, before, strict=True))
    assert found.conversation.text(0) == "s"
    assert found.conversation.buffer.nbytes == 1


def test_no_spans():
    assert len(NORMALISER.normalise(to_batch([]))) == 0


def test_names_of_plain_spans_are_not_remembered():
    vocabulary = Vocabulary()
    normaliser = SpanNormaliser(vocabulary, 3, Prices())
    normaliser.normalise(to_batch([span({}, f"GET /users/{n}", n + 1) for n in range(100)]))
    n_before = len(vocabulary)
    found = normaliser.normalise(to_batch([span(AGENT, "invoke_agent scout")]))
    assert vocabulary.text(int(found.name[0])) == "invoke_agent scout"
    assert len(vocabulary) == n_before + 2


def test_a_resource_tells_service_version_and_team_of_agents_that_are_named():
    resource = {"service.name": "svc", "service.version": "2.0", "agent.team": "red", "agi.version": "3.0"}
    named = row(AGENT, resource=resource)
    assert (named["service"], named["agent_version"], named["team"]) == ("svc", "3.0", "red")
    assert row(AGENT | {"gen_ai.agent.version": "9", "agent.team": "blue"}, resource=resource) == {
        **named, "agent_version": "9", "team": "blue",
    }  # fmt: skip
    # Whose it is an ancestor says, and whoever calls an agent elsewhere does not know its version.
    assert row({"gen_ai.operation.name": "chat"}, resource=resource).keys() == {"service", "operation", "dialect"}
    assert "agent_version" not in row(AGENT, resource=resource, kind=3)


def test_a_process_that_is_one_agent():
    resource = {"service.name": "svc", "gen_ai.agent.name": "solo", "service.version": "1"}
    spans = [
        span({}, number=1, resource=resource, kind=1),
        span({}, number=2, resource=resource, kind=2, parent_id=span_id(9)),
        span({}, number=3, resource=resource, kind=1, parent_id=span_id(1)),
        span(AGENT, number=4, resource=resource, kind=2, parent_id=span_id(1)),
    ]
    assert [told.get("agent") for told in rows(spans)] == ["solo", "solo", None, "scout"]


def test_why_a_span_failed():
    assert row(AGENT | {"error.type": "429"}, status=2, events=[EXCEPTION])["error_type"] == "429"
    assert row(AGENT, status=2, events=[EXCEPTION])["error_type"] == "TimeoutError"
    assert "error_type" not in row(AGENT, events=[EXCEPTION])
    found = normalise(span({"agent.source": "a", "agent.target": "b", "response.success": False}),
                      span({"agent.source": "a", "agent.target": "b", "response.success": True}, number=2))  # fmt: skip
    assert found.status.tolist() == [2, 0]


def test_frameworks():
    scopes = {
        "openinference.instrumentation.langchain": "langchain",
        "openinference.instrumentation.openai_agents": "openai_agents",
        "opentelemetry.instrumentation.openai.v1": "openai",
        "opentelemetry.instrumentation.crewai": "crewai",
        "pydantic-ai": "pydantic_ai",
        "autogen-core": "autogen",
        "autogen SingleThreadedAgentRuntime": "autogen",
        "@arizeai/openinference-instrumentation-openai": "openai",
        "my.own": "my.own",
    }
    assert [row(AGENT, scope=scope)["framework"] for scope in scopes] == list(scopes.values())


def test_conversations():
    found = normalise(*(span(AGENT | {"gen_ai.conversation.id": text}, number=n + 1)
                        for n, text in enumerate(("c-1", "c-2", "c-1", ""))))  # fmt: skip
    keys = found.conversation_key.tolist()
    assert (keys[0] == keys[2], keys[0] != keys[1], keys[3]) == (True, True, 0)
    assert found.conversation.to_strings() == ["c-1", "c-2", "c-1", ""]


def test_texts_beyond_a_columns_bound_share_a_code():
    vocabulary = Vocabulary(50)
    normaliser = SpanNormaliser(vocabulary, 3, Prices())
    found = normaliser.normalise(
        to_batch([span(AGENT | {"gen_ai.agent.name": f"a{n}"}, "x", n + 1) for n in range(99)])
    )
    assert vocabulary.is_full
    assert 0 in found.agent.tolist()
    assert NO_TEXT not in found.agent.tolist()


NAMES = [attribute.name for convention in CONVENTIONS for attribute in convention.attributes]
VALUES = st.one_of(
    st.none(), st.booleans(), st.integers(-(2**63), 2**63 - 1), st.floats(), st.binary(max_size=40),
    st.text(max_size=40),
    st.sampled_from(["chat", "LLM", "AGENT", "TOOL", "tool", "agent", "workflow", "tools/call", "1200", "x.(y)-A",
                     '{"langgraph_checkpoint_ns": "a:1|b:2', '{"thread_id":"', "transfer_to_", "stop"]),
)  # fmt: skip
SCOPES = st.sampled_from(
    ["", "autogen-core", "openinference.instrumentation.langchain", "openinference.instrumentation.openai_agents",
     "openinference.instrumentation.crewai", "\0"]
)  # fmt: skip
SPANS = st.lists(
    st.builds(
        lambda attributes, name, scope, kind, status: span(
            attributes, name, scope=scope, kind=kind, status=status, events=[EXCEPTION]
        ),
        st.dictionaries(st.sampled_from(NAMES), VALUES, max_size=12),
        st.one_of(
            st.text(max_size=30),
            st.sampled_from(["handoff to ", "._execute_core", ".kickoff", ".agent", "invoke_agent "]),
        ),
        SCOPES,
        st.integers(0, 5),
        st.integers(0, 2),
    ),
    max_size=4,
)


@settings(deadline=None, max_examples=portion(150, 50), suppress_health_check=[HealthCheck.too_slow])
@given(SPANS)
def test_nothing_does_harm(spans):
    found = NORMALISER.normalise(to_span_batch(spans))
    assert len(found) == len(spans)
    for at in range(len(found)):
        told = as_mapping(found, at, VOCABULARY)
        assert told.get("input_tokens", 0) >= told.get("cached_tokens", 0) * ("input_tokens" in told)
        assert told.get("cost_usd", 0) >= 0
