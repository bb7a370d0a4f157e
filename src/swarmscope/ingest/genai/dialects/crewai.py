"""CrewAI, as OpenLLMetry and CrewAI itself write it: an agent's name is its role."""

from __future__ import annotations

from swarmscope.ingest.genai.attribute import Convention, Field, named
from swarmscope.model.agents import Dialect

CONVENTION = Convention(
    Dialect.OPENLLMETRY,
    (
        *named(Field.AGENT, "crewai.agent.role", "crewai.task.agent", "crewai.agent.name", rank=12),
        *named(Field.AGENT_ID, "crewai.agent.id", rank=12),
        *named(Field.MODEL, "crewai.llm.model", rank=20),
    ),
)
