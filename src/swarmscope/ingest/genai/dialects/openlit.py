"""OpenLIT, what it writes beside OpenTelemetry's names.

https://github.com/openlit/openlit/blob/main/sdk/python/src/openlit/semcov/__init__.py. Its tokens of Anthropic's models
are as Anthropic tells them: what was read from and written to a cache is not part of the input.
"""

from __future__ import annotations

from swarmscope.ingest.genai.attribute import Attribute, Convention, Field, Meaning, named
from swarmscope.model.agents import AgentOperation, Dialect, InteractionType

_BY_RECIPIENT = 30

CONVENTION = Convention(
    Dialect.OPENLIT,
    (
        *named(Field.COST, "gen_ai.usage.cost", votes=False),
        *named(Field.REASONING_TOKENS, "gen_ai.usage.reasoning_tokens", rank=2, votes=False),
        *named(Field.ARGUMENTS, "gen_ai.tool.args", "gen_ai.tool.input", rank=3),
        *named(Field.AGENT, "gen_ai.agent.role", rank=15),
        *named(Field.TEAM, "gen_ai.team.name", rank=1),
        Attribute("gen_ai.agent.recipient", Field.TARGET, 4,
                  Meaning(AgentOperation.MESSAGE, InteractionType.MESSAGE), _BY_RECIPIENT),
        *named(Field.SOURCE, "gen_ai.agent.sender", rank=4),
        *named(Field.INPUT, "gen_ai.content.prompt", rank=9),
        *named(Field.OUTPUT, "gen_ai.content.completion", rank=9),
        *named(Field.NOTHING, "gen_ai.sdk.version", "gen_ai.request.is_stream", "gen_ai.application_name"),
    ),
)  # fmt: skip
