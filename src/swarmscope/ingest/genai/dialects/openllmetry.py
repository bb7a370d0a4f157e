"""OpenLLMetry (Traceloop), what it writes beside OpenTelemetry's names.

https://github.com/traceloop/openllmetry/tree/main/packages/opentelemetry-semantic-conventions-ai
"""

from __future__ import annotations

from swarmscope.ingest.genai.attribute import Attribute, Convention, Field, Meaning, named
from swarmscope.model.agents import AgentOperation, Dialect, InteractionType

_BY_HANDOFF = 5
_BY_KIND = 14
_BY_REQUEST = 16
_PROPERTIES = "traceloop.association.properties."

KINDS = {
    "workflow": Meaning(AgentOperation.INVOKE_WORKFLOW),
    "task": Meaning(AgentOperation.CHAIN),
    "agent": Meaning(AgentOperation.INVOKE_AGENT),
    "tool": Meaning(AgentOperation.EXECUTE_TOOL),
    "unknown": Meaning(),
}
REQUESTS = {
    "chat": Meaning(AgentOperation.CHAT),
    "completion": Meaning(AgentOperation.TEXT_COMPLETION),
    "embedding": Meaning(AgentOperation.EMBEDDINGS),
    "rerank": Meaning(AgentOperation.RERANK),
    "unknown": Meaning(),
}

CONVENTION = Convention(
    Dialect.OPENLLMETRY,
    (
        Attribute("traceloop.span.kind", Field.NOTHING, 0, Meaning(AgentOperation.OTHER), _BY_KIND, KINDS),
        Attribute("llm.request.type", Field.NOTHING, 0, Meaning(AgentOperation.OTHER), _BY_REQUEST, REQUESTS),
        *named(Field.WORKFLOW, "traceloop.workflow.name", rank=5),
        *named(Field.ENTITY, "traceloop.entity.name"),
        *named(Field.INPUT, "traceloop.entity.input", rank=12),
        *named(Field.RESULT, "traceloop.entity.output", rank=2),
        *named(Field.NODE, _PROPERTIES + "langgraph_node", rank=5),
        *named(Field.CONVERSATION, _PROPERTIES + "conversation_id", _PROPERTIES + "session_id",
               _PROPERTIES + "thread_id", _PROPERTIES + "chat_id", rank=4),
        *named(Field.FINISH_REASON, "gen_ai.completion.0.finish_reason", "llm.response.finish_reason",
               "llm.response.stop_reason", rank=2),
        *named(Field.CACHED_TOKENS, "gen_ai.usage.cache_read_input_tokens", rank=2),
        *named(Field.CACHE_WRITE_TOKENS, "gen_ai.usage.cache_creation_input_tokens", rank=2),
        *named(Field.INPUT_TOKENS, "llm.usage.prompt_tokens", rank=8),
        *named(Field.OUTPUT_TOKENS, "llm.usage.completion_tokens", rank=8),
        *named(Field.TOTAL_TOKENS, "llm.usage.total_tokens"),
        *named(Field.TOTAL_TOKENS, "gen_ai.usage.total_tokens", rank=1, votes=False),
        *named(Field.MODEL, "llm.response.model", rank=3),
        *named(Field.MODEL, "llm.request.model", rank=15),
        *named(Field.PROVIDER, "llm.vendor", rank=6),
        *named(Field.OUTPUT, "gen_ai.completion.0.content", "gen_ai.completion.0.tool_calls.0.arguments", rank=0),
        *named(Field.INPUT, "gen_ai.prompt.0.content", rank=9),
        Attribute("gen_ai.handoff.to_agent", Field.TARGET, 2,
                  Meaning(AgentOperation.HANDOFF, InteractionType.HANDOFF), _BY_HANDOFF),
        *named(Field.SOURCE, "gen_ai.handoff.from_agent", rank=2),
    ),
)  # fmt: skip
