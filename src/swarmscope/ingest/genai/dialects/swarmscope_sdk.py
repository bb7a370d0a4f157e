"""What our own SDK writes beside OpenTelemetry's names: interactions, teams."""

from __future__ import annotations

from swarmscope.ingest.genai.attribute import Attribute, Convention, Field, Meaning, named
from swarmscope.model.agents import AgentOperation, Dialect, InteractionType

_BY_TYPE = 24
_BY_TARGET = 25

CONVENTION = Convention(
    Dialect.SWARMSCOPE,
    (
        *named(Field.SOURCE, "agent.source"),
        Attribute("agent.target", Field.TARGET, 1, Meaning(AgentOperation.MESSAGE, InteractionType.MESSAGE),
                  _BY_TARGET),
        Attribute("interaction.type", Field.NOTHING, says_rank=_BY_TYPE, values={
            "handoff": Meaning(AgentOperation.HANDOFF, InteractionType.HANDOFF),
        }),
        *named(Field.PAYLOAD_BYTES, "payload.size"),
        *named(Field.SUCCESS, "response.success"),
        *named(Field.TEAM, "agent.team", votes=False),
        *named(Field.AGENT_VERSION, "agent.version", rank=5, votes=False),
    ),
)  # fmt: skip
