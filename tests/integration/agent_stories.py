"""What a run of the agents' story (`tests/clients/agents/story.py`) came to, in terms that all frameworks share."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from tests.clients.agents import story
from tests.clients.agents.runs import FRAMEWORKS


@dataclass(frozen=True)
class AgentPart:
    """What one agent did and used."""

    inferences: int
    tool_calls: int
    input_tokens: int
    output_tokens: int
    models: frozenset[str]


@dataclass(frozen=True)
class Story:
    """A run as the program tells it."""

    agents: Mapping[str, AgentPart]
    edges: Mapping[tuple[str, str, str], int]  # source, target and type; how often
    tools: Mapping[str, int]  # calls
    conversations: frozenset[str]


@dataclass(frozen=True)
class Difference:
    """What a framework does not tell, or tells otherwise, whoever listens."""

    reason: str
    made: Callable[[Story], Story]


_NOBODY = AgentPart(0, 0, 0, 0, frozenset())
MANAGER = "SwarmGroupChatManager"
# To the output: each request and answer of a tool, and what the agent says in the end; then the answer to the group.
_TOLD_TO_MANAGER = {"planner": 3 + 1, "researcher": 5 + 1, "writer": 1 + 1}


def _without_models(told: Story) -> Story:
    agents = {name: replace(_NOBODY, tool_calls=part.tool_calls) for name, part in told.agents.items()}
    return replace(told, agents=agents, conversations=frozenset())


def _with_manager(told: Story) -> Story:
    messages = {(source, target, "message"): 1 for source in told.agents for target in told.agents if source != target}
    messages |= {(MANAGER, agent, "message"): 2 for agent in told.agents}  # the beginning, and whose turn it is
    messages |= {(agent, MANAGER, "message"): count for agent, count in _TOLD_TO_MANAGER.items()}
    return replace(told, agents={**told.agents, MANAGER: _NOBODY}, edges={**told.edges, **messages})


_NO_MODELS = Difference("no spans of calls of models, and nothing of conversations", _without_models)
DIFFERENCES: dict[str, tuple[Difference, ...]] = {
    "autogen": (
        _NO_MODELS,
        Difference(
            "a tool that is an agent has the agent's name",
            lambda told: replace(told, tools={name.removeprefix("ask_"): n for name, n in told.tools.items()}),
        ),
    ),
    "autogen_handoffs": (
        _NO_MODELS,
        Difference("a manager says whose turn it is, and what an agent answers goes to all others", _with_manager),
    ),
    "crewai": (
        Difference(
            "a manager has one tool for all of its crew",
            lambda told: replace(told, tools={"delegate_work_to_coworker": 2, "search": 1}),
        ),
    ),
}


def told_by_all(way: str, conversation: str) -> Story:
    """By the story alone: what every framework's run must come to."""
    agents, tools = {}, {}
    for name, replies in (story.HANDOFFS if way == "handoffs" else story.REPLIES).items():
        calls = [reply.call.name for reply in replies if reply.call and "transfer" not in reply.call.name]
        agents[name] = AgentPart(
            inferences=len(replies), tool_calls=len(calls), input_tokens=sum(reply.input_tokens for reply in replies),
            output_tokens=sum(reply.output_tokens for reply in replies), models=frozenset({story.MODEL}),
        )  # fmt: skip
        tools |= dict.fromkeys(calls, 1)
    edges = {("planner", "researcher", "tool"): 1, ("planner", "writer", "tool"): 1}
    if way == "handoffs":
        edges = {("planner", "researcher", "handoff"): 1, ("researcher", "writer", "handoff"): 1}
    return Story(agents, edges, tools, frozenset({conversation}))


def told_by(framework: str, conversation: str) -> Story:
    """What a framework's run must come to."""
    told = told_by_all(FRAMEWORKS[framework].way, conversation)
    for difference in DIFFERENCES.get(framework, ()):
        told = difference.made(told)
    return told
