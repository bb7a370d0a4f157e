"""How agents and tools reach each other: MCP, A2A and messaging of any kind.

https://github.com/open-telemetry/semantic-conventions-genai (mcp, a2a) and
https://opentelemetry.io/docs/specs/semconv/messaging/. A message by itself says nothing of agents: what sends or takes
it may be any program, so such a span has a channel and no operation.
"""

from __future__ import annotations

from swarmscope.ingest.genai.attribute import Attribute, Convention, Field, Meaning, named
from swarmscope.model.agents import AgentOperation, Dialect, InteractionType

_BY_PROTOCOL = 20
_BY_MESSAGE = 60

_MESSAGE = Meaning(channel=InteractionType.MESSAGE)

CONVENTION = Convention(
    Dialect.MESSAGING,
    (
        Attribute("mcp.method.name", Field.NOTHING, 0, Meaning(channel=InteractionType.MCP), _BY_PROTOCOL, {
            "tools/call": Meaning(AgentOperation.EXECUTE_TOOL, InteractionType.MCP),
        }),
        *named(Field.ARGUMENTS, "mcp.request.argument", rank=5),
        *named(Field.TOOL, "mcp.tool.name", rank=8),
        Attribute("a2a.method.name", Field.NOTHING, 0, Meaning(AgentOperation.MESSAGE, InteractionType.A2A),
                  _BY_PROTOCOL),
        *named(Field.CONVERSATION, "a2a.context.id", "a2a.context_id", "a2a.contextId", "a2a.message.context_id",
               rank=2),
        Attribute("messaging.operation.type", Field.NOTHING, 0, _MESSAGE, _BY_MESSAGE),
        Attribute("messaging.operation.name", Field.NOTHING, 0, _MESSAGE, _BY_MESSAGE),
        Attribute("messaging.operation", Field.NOTHING, 0, _MESSAGE, _BY_MESSAGE),
        *named(Field.PAYLOAD_BYTES, "messaging.message.body.size", "messaging.message.envelope.size",
               "messaging.message.payload_size_bytes", "messaging.message_payload_size_bytes", rank=2),
    ),
)  # fmt: skip
