"""OpenTelemetry's conventions for generative AI from 1.37 on, those of the repository of their own included.

https://github.com/open-telemetry/semantic-conventions-genai; what has the same name in all generations does not vote
for one of them.
"""

from __future__ import annotations

from swarmscope.ingest.genai.attribute import Attribute, Convention, Field, Meaning, named
from swarmscope.model.agents import AgentOperation, Dialect, InteractionType

_BY_OPERATION = 10
_BY_TRANSFER = 4
_BY_TRANSFER_TARGET = 5
_BY_CALLER = 40

OPERATIONS = {
    "chat": Meaning(AgentOperation.CHAT),
    "text_completion": Meaning(AgentOperation.TEXT_COMPLETION),
    "generate_content": Meaning(AgentOperation.GENERATE_CONTENT),
    "embeddings": Meaning(AgentOperation.EMBEDDINGS),
    "retrieval": Meaning(AgentOperation.RETRIEVAL),
    "create_agent": Meaning(AgentOperation.CREATE_AGENT),
    "invoke_agent": Meaning(AgentOperation.INVOKE_AGENT),
    "invoke_workflow": Meaning(AgentOperation.INVOKE_WORKFLOW),
    "execute_tool": Meaning(AgentOperation.EXECUTE_TOOL),
    "plan": Meaning(AgentOperation.PLAN),
    **dict.fromkeys(
        (
            "create_memory_store", "search_memory", "create_memory", "update_memory", "upsert_memory", "delete_memory",
            "delete_memory_store",
        ),
        Meaning(AgentOperation.MEMORY),
    ),
    # As written by frameworks before there was a list, or beside it.
    "chat.completions": Meaning(AgentOperation.CHAT),
    "completion": Meaning(AgentOperation.TEXT_COMPLETION),
    "text.completions": Meaning(AgentOperation.TEXT_COMPLETION),
    "embedding": Meaning(AgentOperation.EMBEDDINGS),
    "rerank": Meaning(AgentOperation.RERANK),
    "handoff": Meaning(AgentOperation.HANDOFF, InteractionType.HANDOFF),
    "agent_handoff": Meaning(AgentOperation.HANDOFF, InteractionType.HANDOFF),
    "guardrail": Meaning(AgentOperation.GUARDRAIL),
    "evaluate": Meaning(AgentOperation.EVALUATE),
    # OpenLIT's.
    "agent": Meaning(AgentOperation.INVOKE_AGENT),
    "execute_task": Meaning(AgentOperation.CHAIN),
    "framework": Meaning(AgentOperation.CHAIN),
    "vectordb": Meaning(AgentOperation.RETRIEVAL),
    "image": Meaning(AgentOperation.GENERATE_CONTENT),
    "audio": Meaning(AgentOperation.GENERATE_CONTENT),
}  # fmt: skip

CONVENTION = Convention(
    Dialect.OTEL,
    (
        Attribute("gen_ai.operation.name", Field.NOTHING, 0, Meaning(AgentOperation.OTHER), _BY_OPERATION,
                  OPERATIONS, votes=False),
        *named(Field.AGENT, "gen_ai.agent.name", votes=False),
        *named(Field.AGENT_ID, "gen_ai.agent.id", votes=False),
        *named(Field.AGENT_VERSION, "gen_ai.agent.version"),
        *named(Field.PROVIDER, "gen_ai.provider.name"),
        *named(Field.MODEL, "gen_ai.response.model", "gen_ai.request.model", votes=False),
        *named(Field.TOOL, "gen_ai.tool.name", votes=False),
        *named(Field.WORKFLOW, "gen_ai.workflow.name"),
        *named(Field.CONVERSATION, "gen_ai.conversation.id", votes=False),
        *named(Field.FINISH_REASON, "gen_ai.response.finish_reasons", votes=False),
        *named(Field.ERROR_TYPE, "error.type", votes=False),
        *named(Field.INPUT_TOKENS, "gen_ai.usage.input_tokens", votes=False),
        *named(Field.OUTPUT_TOKENS, "gen_ai.usage.output_tokens", votes=False),
        *named(Field.CACHED_TOKENS, "gen_ai.usage.cache_read.input_tokens"),
        *named(Field.CACHE_WRITE_TOKENS, "gen_ai.usage.cache_write.input_tokens",
               "gen_ai.usage.cache_creation.input_tokens"),
        *named(Field.REASONING_TOKENS, "gen_ai.usage.reasoning.output_tokens"),
        *named(Field.ARGUMENTS, "gen_ai.tool.call.arguments"),
        *named(Field.INPUT, "gen_ai.input.messages", rank=5),
        *named(Field.OUTPUT, "gen_ai.output.messages", rank=5),
        # Proposals: https://github.com/open-telemetry/semantic-conventions-genai/pull/447
        Attribute("gen_ai.transfer.target.name", Field.TARGET, 0,
                  Meaning(AgentOperation.HANDOFF, InteractionType.HANDOFF), _BY_TRANSFER_TARGET),
        Attribute("gen_ai.transfer.mode", Field.NOTHING, says_rank=_BY_TRANSFER, values={
            "return_to_caller": Meaning(AgentOperation.EXECUTE_TOOL, InteractionType.TOOL),
            "pass_control": Meaning(AgentOperation.HANDOFF, InteractionType.HANDOFF),
        }),
        Attribute("gen_ai.caller.name", Field.SOURCE, 3, Meaning(channel=InteractionType.CALL), _BY_CALLER),
    ),
)  # fmt: skip
