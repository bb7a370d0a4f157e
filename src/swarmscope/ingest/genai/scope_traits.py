"""What the name of an instrumentation scope says: the framework, and which of its habits have to be known."""

from __future__ import annotations

import re
from enum import IntFlag


class Trait(IntFlag):
    """Habits of frameworks that their attributes alone do not tell."""

    NONE = 0
    GRAPH = 1  # nodes of graphs may be agents
    CREW = 2  # names of spans are `role._execute_core` and `crew.kickoff`
    AGENTS_SDK = 4  # the name of an agent's span is the agent's
    HANDOFF_TOOLS = 8  # the tool `transfer_to_X` passes control to X
    RUNTIME = 16  # messages go to agents of a runtime


_PREFIXES = re.compile(
    r"^(?:openinference[._]instrumentation[._-]|opentelemetry[._]instrumentation[._-]|@arizeai/openinference-instrumentation-"
    r"|@traceloop/instrumentation-|@opentelemetry/instrumentation-|openlit[._]instrumentation[._]|io\.opentelemetry\.)"
)
# What a framework's scopes are called, by how their names begin.
_NAMES = (
    ("autogen", "autogen"),
    ("crewai", "crewai"),
    ("pydantic", "pydantic_ai"),
    ("langgraph", "langgraph"),
    ("langchain", "langchain"),
    ("gcp.vertex.agent", "google_adk"),
    ("google_adk", "google_adk"),
    ("swarmscope", "swarmscope"),
    ("traceloop", "traceloop"),
    ("strands", "strands"),
    ("semantic_kernel", "semantic_kernel"),
    ("microsoft.semantickernel", "semantic_kernel"),
    ("agent_framework", "agent_framework"),
)
_TRAITS = {
    "autogen": Trait.RUNTIME | Trait.HANDOFF_TOOLS,
    "crewai": Trait.CREW,
    "langchain": Trait.GRAPH | Trait.HANDOFF_TOOLS,
    "langgraph": Trait.GRAPH | Trait.HANDOFF_TOOLS,
    "openai_agents": Trait.AGENTS_SDK | Trait.HANDOFF_TOOLS,
}


def framework_of(scope: str) -> str:
    """The framework that a scope's name tells of; the name itself where it is not a known instrumentation's."""
    name, n_prefixes = _PREFIXES.subn("", scope.strip())
    plain = name.lower().replace("-", "_")
    for beginning, framework in _NAMES:
        if plain.startswith(beginning):
            return framework
    if not n_prefixes:
        return scope.strip()
    # Versions and modules behind the framework's name: `openai.v1`.
    return re.split(r"[./]", plain)[0]


def traits_of(framework: str) -> Trait:
    """What has to be known of a framework."""
    return _TRAITS.get(framework, Trait.NONE)
