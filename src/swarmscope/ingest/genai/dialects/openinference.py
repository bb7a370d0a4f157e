"""OpenInference.

https://github.com/Arize-ai/openinference/blob/main/spec/semantic_conventions.md. `llm.token_count.prompt` includes what
was read from and written to a cache, `llm.token_count.completion` includes reasoning.
"""

from __future__ import annotations

from swarmscope.ingest.genai.attribute import Attribute, Convention, Field, Meaning, named
from swarmscope.model.agents import AgentOperation, Dialect

_BY_KIND = 12
_FIRST_ANSWER = "llm.output_messages.0.message."

KINDS = {
    "LLM": Meaning(AgentOperation.CHAT),
    "AGENT": Meaning(AgentOperation.INVOKE_AGENT),
    "TOOL": Meaning(AgentOperation.EXECUTE_TOOL),
    "CHAIN": Meaning(AgentOperation.CHAIN),
    "RETRIEVER": Meaning(AgentOperation.RETRIEVAL),
    "EMBEDDING": Meaning(AgentOperation.EMBEDDINGS),
    "RERANKER": Meaning(AgentOperation.RERANK),
    "GUARDRAIL": Meaning(AgentOperation.GUARDRAIL),
    "EVALUATOR": Meaning(AgentOperation.EVALUATE),
    "PROMPT": Meaning(AgentOperation.CHAIN),
    "UNKNOWN": Meaning(),
}

CONVENTION = Convention(
    Dialect.OPENINFERENCE,
    (
        Attribute("openinference.span.kind", Field.NOTHING, 0, Meaning(AgentOperation.OTHER), _BY_KIND, KINDS),
        *named(Field.AGENT, "agent.name", "llm.agent.name", rank=10, votes=False),
        *named(Field.AGENT_ID, "agent.id", "llm.agent.id", rank=10, votes=False),
        *named(Field.NODE, "graph.node.id", "graph.node.name"),
        *named(Field.METADATA, "metadata"),
        *named(Field.CONVERSATION, "session.id", rank=10, votes=False),
        *named(Field.PROVIDER, "llm.provider", "llm.system", rank=4),
        *named(Field.MODEL, "llm.response.model_name", rank=1),
        *named(Field.MODEL, "llm.model_name", "llm.request.model_name", "embedding.model_name", "reranker.model_name",
               rank=10),
        *named(Field.TOOL, "tool.name", rank=5),
        *named(Field.FINISH_REASON, "llm.finish_reason", rank=5),
        *named(Field.INPUT_TOKENS, "llm.token_count.prompt", rank=5),
        *named(Field.OUTPUT_TOKENS, "llm.token_count.completion", rank=5),
        *named(Field.TOTAL_TOKENS, "llm.token_count.total", rank=5),
        *named(Field.CACHED_TOKENS, "llm.token_count.prompt_details.cache_read",
               "llm.token_count.prompt_details.cache_input", rank=5),
        *named(Field.CACHE_WRITE_TOKENS, "llm.token_count.prompt_details.cache_write", rank=5),
        *named(Field.REASONING_TOKENS, "llm.token_count.completion_details.reasoning", rank=5),
        *named(Field.COST, "llm.cost.total", rank=2),
        *named(Field.INPUT_COST, "llm.cost.prompt"),
        *named(Field.OUTPUT_COST, "llm.cost.completion"),
        *named(Field.INPUT, "input.value", rank=10),
        *named(Field.OUTPUT, _FIRST_ANSWER + "content",
               _FIRST_ANSWER + "tool_calls.0.tool_call.function.arguments", rank=2),
        *named(Field.RESULT, "output.value"),
    ),
)  # fmt: skip
