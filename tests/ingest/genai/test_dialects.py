"""The same call, tool and agent in every convention: the rows are equal but for the convention itself."""

from __future__ import annotations

import pytest
from tests.ingest.genai.normalised import row, texts

from swarmscope.ingest.genai.dialects import CONVENTIONS
from swarmscope.ingest.genai.name_table import to_rules
from swarmscope.model.agents import AgentOperation, CostSource, Dialect, InteractionType

# By OpenAI's list of prices, USD for a million tokens of gpt-4o: 2.50 in, 1.25 cached, 10 out.
# (1200 - 200) * 2.5 + 200 * 1.25 + 300 * 10 = 5750 millionths.
CALL = {
    "operation": AgentOperation.CHAT,
    "agent": "scout",
    "provider": "openai",
    "model": "gpt-4o",
    "finish_reason": "stop",
    "conversation": "conv-1",
    "input_tokens": 1200,
    "cached_tokens": 200,
    "output_tokens": 300,
    "reasoning_tokens": 64,
    "cost_usd": 0.00575,
    "cost_source": CostSource.PRICES,
}
CALLS = {
    Dialect.OTEL: {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": "gpt-4o-latest",
        "gen_ai.response.model": "gpt-4o",
        "gen_ai.response.finish_reasons": texts("stop", "length"),
        "gen_ai.usage.input_tokens": 1200,
        "gen_ai.usage.output_tokens": 300,
        "gen_ai.usage.cache_read.input_tokens": 200,
        "gen_ai.usage.reasoning.output_tokens": 64,
        "gen_ai.conversation.id": "conv-1",
        "gen_ai.agent.name": "scout",
    },
    Dialect.OTEL_LEGACY: {
        "gen_ai.operation.name": "chat",
        "gen_ai.system": "openai",
        "gen_ai.request.model": "gpt-4o",
        "gen_ai.response.finish_reasons": '["stop"]',
        "gen_ai.usage.prompt_tokens": 1200,
        "gen_ai.usage.completion_tokens": 300,
        "gen_ai.usage.details.cached_tokens": 200,
        "gen_ai.usage.details.reasoning_tokens": 64,
        "gen_ai.openai.thread.id": "conv-1",
        "gen_ai.agent.name": "scout",
    },
    Dialect.OPENINFERENCE: {
        "openinference.span.kind": "LLM",
        "llm.provider": "openai",
        "llm.system": "openai",
        "llm.model_name": "gpt-4o",
        "llm.finish_reason": "stop",
        "llm.token_count.prompt": 1200,
        "llm.token_count.completion": 300,
        "llm.token_count.total": 1500,
        "llm.token_count.prompt_details.cache_read": 200,
        "llm.token_count.completion_details.reasoning": 64,
        "session.id": "conv-1",
        "agent.name": "scout",
    },
    Dialect.OPENLLMETRY: {
        "llm.request.type": "chat",
        "gen_ai.system": "OpenAI",
        "gen_ai.request.model": "gpt-4o",
        "gen_ai.response.model": "gpt-4o",
        "gen_ai.completion.0.finish_reason": "stop",
        "gen_ai.usage.prompt_tokens": 1200,
        "llm.usage.total_tokens": 1500,
        "gen_ai.usage.cache_read_input_tokens": 200,
        "gen_ai.usage.reasoning_tokens": 64,
        "traceloop.association.properties.session_id": "conv-1",
        "gen_ai.agent.name": "scout",
    },
    Dialect.OPENLIT: {
        "gen_ai.operation.name": "chat",
        "gen_ai.system": "openai",
        "gen_ai.request.model": "gpt-4o",
        "gen_ai.response.finish_reasons": "stop",
        "gen_ai.usage.input_tokens": "1200",
        "gen_ai.usage.output_tokens": 300.0,
        "gen_ai.usage.cache_read.input_tokens": 200,
        "gen_ai.usage.reasoning_tokens": 64,
        "gen_ai.request.is_stream": False,
        "gen_ai.sdk.version": "1.99",
        "gen_ai.conversation.id": "conv-1",
        "gen_ai.agent.name": "scout",
    },
}


@pytest.mark.parametrize("dialect", CALLS, ids=lambda dialect: dialect.name)
def test_one_call_of_a_model(dialect):
    assert row(CALLS[dialect], kind=3) == CALL | {"dialect": dialect}


TOOL = {
    "operation": AgentOperation.EXECUTE_TOOL,
    "tool": "search",
    "payload_bytes": 17,
}
ARGUMENTS = '{"query": "ants"}'
TOOLS = [
    ("execute_tool search", Dialect.OTEL, {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "search",
                                           "gen_ai.tool.call.arguments": ARGUMENTS}),
    ("execute_tool search", Dialect.OTEL, {"gen_ai.operation.name": "execute_tool",
                                           "gen_ai.tool.call.arguments": ARGUMENTS}),
    ("search", Dialect.OPENINFERENCE, {"openinference.span.kind": "TOOL", "tool.name": "search",
                                       "tool.parameters": "the schema", "input.value": ARGUMENTS,
                                       "output.value": "many"}),
    ("search", Dialect.OPENINFERENCE, {"openinference.span.kind": "TOOL", "input.value": ARGUMENTS}),
    ("search.tool", Dialect.OPENLLMETRY, {"traceloop.span.kind": "tool", "traceloop.entity.name": "search",
                                          "traceloop.entity.input": ARGUMENTS}),
    ("search.tool", Dialect.OPENLLMETRY, {"traceloop.span.kind": "tool", "traceloop.entity.input": ARGUMENTS}),
    ("running tool", Dialect.OTEL, {"gen_ai.tool.name": "search", "tool_arguments": ARGUMENTS}),
    ("ai.toolCall", Dialect.OTEL, {"ai.operationId": "ai.toolCall", "ai.toolCall.name": "search",
                                   "ai.toolCall.args": ARGUMENTS}),
]  # fmt: skip


@pytest.mark.parametrize(("name", "dialect", "attributes"), TOOLS)
def test_one_call_of_a_tool(name, dialect, attributes):
    assert row(attributes, name) == TOOL | {"dialect": dialect}


AGENTS = [
    ("invoke_agent scout", "", {"gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": "scout"}),
    ("invoke_agent scout", "", {"gen_ai.operation.name": "invoke_agent"}),
    ("run", "", {"openinference.span.kind": "AGENT", "agent.name": "scout"}),
    ("scout._execute_core", "openinference.instrumentation.crewai", {"openinference.span.kind": "AGENT"}),
    ("x._execute_core", "openinference.instrumentation.crewai",
     {"openinference.span.kind": "AGENT", "graph.node.id": "scout\n"}),
    ("scout.run", "openinference.instrumentation.agno", {"openinference.span.kind": "AGENT"}),
    ("scout", "openinference.instrumentation.langchain", {"openinference.span.kind": "AGENT"}),
    ("scout.agent", "", {"traceloop.span.kind": "agent", "traceloop.entity.name": "scout"}),
    ("scout.agent", "", {"traceloop.span.kind": "agent"}),
    ("task.agent", "", {"traceloop.span.kind": "agent", "crewai.agent.role": "scout"}),
    ("agent run", "pydantic-ai", {"agent_name": "scout"}),
    ("run", "gcp.vertex.agent", {"gen_ai.operation.name": "invoke_agent", "gcp.vertex.agent.name": "scout"}),
]  # fmt: skip


@pytest.mark.parametrize(("name", "scope", "attributes"), AGENTS)
def test_one_agent(name, scope, attributes):
    told = row(attributes, name, scope=scope, parent_id=b"\1" * 8)
    assert (told["operation"], told["agent"]) == (AgentOperation.INVOKE_AGENT, "scout")


HANDOFFS = [
    ("scout_to_writer", "", {"agent.source": "scout", "agent.target": "writer", "interaction.type": "handoff",
                             "payload.size": 12}),
    ("execute_tool pass", "", {"gen_ai.operation.name": "execute_tool", "gen_ai.agent.name": "scout",
                               "gen_ai.transfer.target.name": "writer"}),
    ("handoff to writer", "openinference.instrumentation.openai_agents",
     {"openinference.span.kind": "TOOL", "input.value": "scout", "output.value": "writer"}),
    ("transfer_to_writer", "openinference.instrumentation.langchain",
     {"openinference.span.kind": "TOOL", "tool.name": "transfer_to_writer", "agent.name": "scout"}),
    ("x.handoff", "opentelemetry.instrumentation.openai_agents",
     {"gen_ai.handoff.from_agent": "scout", "gen_ai.handoff.to_agent": "writer"}),
]  # fmt: skip


@pytest.mark.parametrize(("name", "scope", "attributes"), HANDOFFS)
def test_one_handoff(name, scope, attributes):
    told = row(attributes, name, scope=scope)
    assert (told["operation"], told["channel"]) == (AgentOperation.HANDOFF, InteractionType.HANDOFF)
    assert (told["agent"], told["target"]) == ("scout", "writer")


def test_a_tool_of_that_name_elsewhere_is_a_tool():
    told = row({"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "transfer_to_savings"}, scope="my-bank")
    assert told["operation"] == AgentOperation.EXECUTE_TOOL
    assert "target" not in told


def test_an_agent_that_is_called_like_a_tool_is_no_handoff():
    told = row({"gen_ai.operation.name": "execute_tool", "gen_ai.transfer.target.name": "writer",
                "gen_ai.transfer.mode": "return_to_caller", "gen_ai.agent.name": "scout"})  # fmt: skip
    assert (told["operation"], told["channel"]) == (AgentOperation.EXECUTE_TOOL, InteractionType.TOOL)
    assert told["target"] == "writer"


def test_who_calls_an_agent():
    told = row({"gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": "writer", "gen_ai.caller.name": "scout",
                "gen_ai.caller.type": "agent"}, kind=3)  # fmt: skip
    assert (told["agent"], told["source"], told["target"]) == ("writer", "scout", "writer")
    assert told["channel"] == InteractionType.CALL


@pytest.mark.parametrize(
    ("attributes", "operation"),
    [
        ({"gen_ai.operation.name": "embeddings"}, AgentOperation.EMBEDDINGS),
        ({"gen_ai.operation.name": "upsert_memory"}, AgentOperation.MEMORY),
        ({"gen_ai.operation.name": "plan"}, AgentOperation.PLAN),
        ({"gen_ai.operation.name": "dance"}, AgentOperation.OTHER),
        ({"openinference.span.kind": "RERANKER"}, AgentOperation.RERANK),
        ({"openinference.span.kind": "EVALUATOR"}, AgentOperation.EVALUATE),
        ({"openinference.span.kind": "GUARDRAIL"}, AgentOperation.GUARDRAIL),
        ({"openinference.span.kind": "CHAIN"}, AgentOperation.CHAIN),
        ({"traceloop.span.kind": "workflow"}, AgentOperation.INVOKE_WORKFLOW),
        ({"traceloop.span.kind": "task"}, AgentOperation.CHAIN),
        ({"llm.request.type": "completion"}, AgentOperation.TEXT_COMPLETION),
        ({"ai.operationId": "ai.generateText.doGenerate"}, AgentOperation.CHAT),
        ({"gen_ai.request.model": "m", "gen_ai.usage.input_tokens": 1}, AgentOperation.CHAT),
    ],
)
def test_operations(attributes, operation):
    assert row(attributes)["operation"] == operation


@pytest.mark.parametrize("attributes", [{}, {"http.route": "/"}, {"openinference.span.kind": "UNKNOWN"},
                                        {"traceloop.span.kind": "unknown"}, {"session.id": ""}])  # fmt: skip
def test_plain_spans_say_nothing(attributes):
    assert {name for name in row(attributes) if name != "dialect"} == set()


@pytest.mark.parametrize(
    ("attribute", "text", "provider"),
    [
        ("gen_ai.system", "az.ai.openai", "azure.ai.openai"),
        ("gen_ai.system", "az.ai.inference", "azure.ai.inference"),
        ("gen_ai.system", "vertex_ai", "gcp.vertex_ai"),
        ("gen_ai.system", "gemini", "gcp.gemini"),
        ("gen_ai.system", "xai", "x_ai"),
        ("llm.provider", "mistralai", "mistral_ai"),
        ("llm.system", "vertexai", "gcp.vertex_ai"),
        ("gen_ai.provider.name", "Anthropic", "anthropic"),
        ("gen_ai.provider.name", "my-own", "my-own"),
    ],
)
def test_providers_have_one_name(attribute, text, provider):
    assert row({attribute: text, "gen_ai.operation.name": "chat"})["provider"] == provider


@pytest.mark.parametrize(
    ("text", "reason"),
    [("tool_calls", "tool_call"), ("end_turn", "stop"), ("STOP", "stop"), ("max_tokens", "length"), ("odd", "odd")],
)
def test_finish_reasons_have_one_name(text, reason):
    assert row({"gen_ai.operation.name": "chat", "gen_ai.response.finish_reasons": text})["finish_reason"] == reason


def test_mcp_and_a2a():
    call = row({"mcp.method.name": "tools/call", "gen_ai.tool.name": "search", "mcp.session.id": "s"}, kind=3)
    assert (call["operation"], call["channel"]) == (AgentOperation.EXECUTE_TOOL, InteractionType.MCP)
    assert (call["tool"], "conversation" in call) == ("search", False)
    assert row({"mcp.method.name": "initialize"})["channel"] == InteractionType.MCP
    assert "operation" not in row({"mcp.method.name": "initialize"})
    sent = row({"a2a.method.name": "message/send", "gen_ai.conversation.id": "c", "a2a.task.id": "t"}, kind=3)
    assert (sent["operation"], sent["channel"]) == (AgentOperation.MESSAGE, InteractionType.A2A)
    assert (sent["conversation"], sent["dialect"]) == ("c", Dialect.MESSAGING)


def test_messages_of_any_program_have_a_channel_and_no_operation():
    told = row({"messaging.system": "kafka", "messaging.operation.type": "send", "messaging.destination.name": "jobs",
                "messaging.message.body.size": 77})  # fmt: skip
    assert told == {"channel": InteractionType.MESSAGE, "payload_bytes": 77, "dialect": Dialect.MESSAGING}


def test_messages_of_autogen():
    # As AutoGen 0.7.5 sends them, but for the ids.
    scope, team = "autogen SingleThreadedAgentRuntime", "_1b9d6bcd-bbfd-4b2d-9b5d-ab8dfbbd4bed"
    made = {"messaging.operation": "create", "messaging.destination": f"critic{team}.(key)-A",
            "messaging.message.envelope.size": 9}  # fmt: skip
    told = row(made, "autogen create critic", scope=scope, kind=4)
    assert (told["channel"], told["payload_bytes"], "operation" in told) == (InteractionType.MESSAGE, 9, False)
    handled = made | {"messaging.operation": "process"}
    told = row(handled, "autogen process critic", scope=scope, kind=5)
    assert (told["operation"], told["agent"], "target" in told) == (AgentOperation.MESSAGE, "critic", False)
    handled |= {"sender_agent_type": f"writer{team}", "recipient_agent_type": f"critic{team}"}
    told = row(handled, "autogen process critic", scope=scope, kind=5)
    assert (told["agent"], told["source"], told["target"]) == ("critic", "writer", "critic")
    assert (told["operation"], told["channel"]) == (AgentOperation.MESSAGE, InteractionType.MESSAGE)
    told = row({"messaging.operation": "receive", "messaging.destination": "", "sender_agent_type": f"writer{team}"},
               "autogen ack", scope=scope, kind=5)  # fmt: skip
    assert ("agent" in told, "operation" in told) == (False, False)
    assert "agent" not in row(handled, scope="other", kind=5)


def test_a_crew_is_a_workflow():
    scope = "openinference.instrumentation.crewai"
    told = row({"openinference.span.kind": "CHAIN"}, "Research.kickoff", scope=scope)
    assert (told["operation"], told["workflow"]) == (AgentOperation.INVOKE_WORKFLOW, "Research")
    told = row({"openinference.span.kind": "CHAIN"}, "Crew_1b9d6bcd-bbfd-4b2d-9b5d-ab8dfbbd4bed.kickoff", scope=scope)
    assert told["workflow"] == "Crew"


def test_a_run_of_the_agents_sdk_is_a_workflow_and_its_agents_have_the_names_of_their_spans():
    scope = "openinference.instrumentation.openai_agents"
    told = row({"openinference.span.kind": "AGENT"}, "Agent workflow", scope=scope)
    assert (told["operation"], told["workflow"]) == (AgentOperation.INVOKE_WORKFLOW, "Agent workflow")
    assert "agent" not in told
    told = row({"openinference.span.kind": "AGENT"}, "Triage agent", scope=scope, parent_id=b"\1" * 8)
    assert (told["operation"], told["agent"]) == (AgentOperation.INVOKE_AGENT, "Triage agent")


PLACE = "1b9d6bcd-bbfd-4b2d-9b5d-ab8dfbbd4bed"


@pytest.mark.parametrize(
    ("kind", "metadata", "agent"),
    [
        ("LLM", '{"langgraph_node": "researcher", "langgraph_checkpoint_ns": "researcher:%s"}', "researcher"),
        ("LLM", '{"langgraph_node": "agent", "langgraph_checkpoint_ns": "researcher:%s|agent:%s"}', "researcher"),
        ("TOOL", '{"langgraph_checkpoint_ns":"boss:%s|researcher:%s|tools:%s","x":1}', "researcher"),
        ("LLM", '{"langgraph_node": "agent", "langgraph_checkpoint_ns": "agent:%s"}', None),
        ("LLM", '{"langgraph_node": "__start__"}', None),
        ("CHAIN", '{"langgraph_node": "researcher"}', None),
        ("LLM", '{"langgraph_node": null, "langgraph_checkpoint_ns": 5}', None),
        ("LLM", '{"langgraph_node": "unterminated', "unterminated"),
        ("LLM", '{"langgraph_node"', None),
    ],
)
def test_nodes_of_graphs(kind, metadata, agent):
    attributes = {"openinference.span.kind": kind, "metadata": metadata.replace("%s", PLACE), "tool.name": "search"}
    assert row(attributes, scope="openinference.instrumentation.langchain").get("agent") == agent


MADE = '"ls_integration": "langchain_create_agent", "lc_agent_name": "planner"'


@pytest.mark.parametrize(
    ("name", "metadata", "agent"),
    [
        ("planner", "{%s}", "planner"),
        ("researcher", '{%s, "langgraph_node": "tools"}', "researcher"),
        ("model", '{%s, "langgraph_node": "model"}', None),
        ("tools", '{%s, "langgraph_node": "tools"}', None),
        ("route", '{%s, "langgraph_node": "route"}', None),
        ("RunnableSequence", '{%s, "langgraph_node": "tools"}', None),
        ("StrOutputParser", '{%s, "langgraph_node": "tools"}', None),
        ("pipeline", '{"ls_integration": "langgraph"}', None),
    ],
)
def test_runs_of_agents_that_langchain_made(name, metadata, agent):
    attributes = {"openinference.span.kind": "CHAIN", "metadata": metadata.replace("%s", MADE)}
    told = row(attributes, name, scope="openinference.instrumentation.langchain")
    assert told.get("agent") == agent
    assert told["operation"] == (AgentOperation.INVOKE_AGENT if agent else AgentOperation.CHAIN)


def test_the_thread_of_a_graph_is_its_conversation():
    attributes = {"openinference.span.kind": "CHAIN", "metadata": '{"thread_id": "t-1", "langgraph_step": 3}'}
    assert row(attributes)["conversation"] == "t-1"
    assert row(attributes | {"session.id": "s-1"})["conversation"] == "s-1"


def test_the_convention_with_most_names_of_its_own_is_told():
    mixed = CALLS[Dialect.OTEL] | {"openinference.span.kind": "LLM", "llm.model_name": "gpt-4o"}
    assert row(mixed)["dialect"] == Dialect.OPENINFERENCE
    both = {"gen_ai.system": "openai", "gen_ai.provider.name": "openai", "gen_ai.operation.name": "chat"}
    assert row(both)["dialect"] == Dialect.OTEL


def test_no_name_stands_in_two_tables():
    to_rules(CONVENTIONS, 1)
    with pytest.raises(ValueError, match=r"two tables: gen_ai\.operation\.name"):
        to_rules((*CONVENTIONS, CONVENTIONS[0]._replace(attributes=CONVENTIONS[0].attributes[:1])), 1)
