"""Names of frameworks that follow OpenTelemetry's conventions and add some of their own.

pydantic-ai and Logfire (https://ai.pydantic.dev/logfire/), Vercel's AI SDK (https://ai-sdk.dev/docs/ai-sdk-core/telemetry),
Google's Agent Development Kit, and names that no convention has and many use.
"""

from __future__ import annotations

from swarmscope.ingest.genai.attribute import Attribute, Convention, Field, Meaning, named
from swarmscope.model.agents import AgentOperation, Dialect

_BY_RUN = 50

_VERCEL = {
    **dict.fromkeys(
        ("ai.generateText.doGenerate", "ai.streamText.doStream", "ai.generateObject.doGenerate",
         "ai.streamObject.doStream"),
        Meaning(AgentOperation.CHAT),
    ),
    **dict.fromkeys(
        ("ai.generateText", "ai.streamText", "ai.generateObject", "ai.streamObject"), Meaning(AgentOperation.CHAIN)
    ),
    "ai.embed.doEmbed": Meaning(AgentOperation.EMBEDDINGS),
    "ai.embedMany.doEmbed": Meaning(AgentOperation.EMBEDDINGS),
    "ai.toolCall": Meaning(AgentOperation.EXECUTE_TOOL),
}  # fmt: skip

CONVENTION = Convention(
    Dialect.OTEL,
    (
        # pydantic-ai
        Attribute("agent_name", Field.AGENT, 20, Meaning(AgentOperation.INVOKE_AGENT), _BY_RUN),
        *named(Field.MODEL, "model_name", rank=25, votes=False),
        *named(Field.ARGUMENTS, "tool_arguments", rank=4),
        *named(Field.RESULT, "final_result", rank=4),
        *named(Field.INPUT, "pydantic_ai.all_messages", "all_messages_events", rank=6),
        *named(Field.CACHED_TOKENS, "gen_ai.usage.details.cache_read_tokens", "gen_ai.usage.details.cached_tokens",
               rank=8, votes=False),
        *named(Field.CACHE_WRITE_TOKENS, "gen_ai.usage.details.cache_write_tokens", rank=8, votes=False),
        *named(Field.REASONING_TOKENS, "gen_ai.usage.details.reasoning_tokens", rank=8, votes=False),
        *named(Field.COST, "operation.cost", rank=1),
        *named(Field.INPUT_TOKENS, "gen_ai.aggregated_usage.input_tokens", rank=18, votes=False),
        *named(Field.OUTPUT_TOKENS, "gen_ai.aggregated_usage.output_tokens", rank=18, votes=False),
        *named(Field.CACHED_TOKENS, "gen_ai.aggregated_usage.cache_read.input_tokens", rank=18, votes=False),
        *named(Field.CACHE_WRITE_TOKENS, "gen_ai.aggregated_usage.cache_creation.input_tokens", rank=18, votes=False),
        # Vercel's AI SDK
        Attribute("ai.operationId", Field.NOTHING, says_rank=18, values=_VERCEL),
        *named(Field.TOOL, "ai.toolCall.name", rank=6),
        *named(Field.ARGUMENTS, "ai.toolCall.args", rank=6),
        *named(Field.MODEL, "ai.response.model", "ai.model.id", rank=16),
        *named(Field.PROVIDER, "ai.model.provider", rank=8),
        *named(Field.FINISH_REASON, "ai.response.finishReason", rank=6),
        *named(Field.AGENT, "ai.telemetry.functionId", rank=30),
        *named(Field.INPUT_TOKENS, "ai.usage.inputTokens", "ai.usage.promptTokens", rank=10),
        *named(Field.OUTPUT_TOKENS, "ai.usage.outputTokens", "ai.usage.completionTokens", rank=10),
        *named(Field.CACHED_TOKENS, "ai.usage.cachedInputTokens", rank=10),
        *named(Field.REASONING_TOKENS, "ai.usage.reasoningTokens", rank=10),
        # Google's Agent Development Kit
        *named(Field.AGENT, "gcp.vertex.agent.name", rank=14),
        *named(Field.CONVERSATION, "gcp.vertex.agent.session_id", rank=6),
        *named(Field.ARGUMENTS, "gcp.vertex.agent.tool_call_args", rank=8),
        # Names that many use
        *named(Field.AGENT_ID, "agent_id", rank=20),
        *named(Field.TARGET, "target_agent_name", rank=20),
        *named(Field.CONVERSATION, "gen_ai.session.id", "langgraph.thread_id", "langfuse.session.id",
               "conversation.id", "conversation_id", "session_id", "thread_id", rank=20, votes=False),
        *named(Field.INPUT_TOKENS, "gen_ai.usage.input.tokens", rank=20),
        *named(Field.COST, "gen_ai.usage.cost_usd", "gen_ai.cost.total_cost", "llm.usage.cost", rank=5),
        *named(Field.CACHED_TOKENS, "gen_ai.usage.cached_tokens", "gen_ai.usage.cached_input_tokens", rank=12),
        *named(Field.ERROR_TYPE, "exception.type", rank=5, votes=False),
    ),
)  # fmt: skip
