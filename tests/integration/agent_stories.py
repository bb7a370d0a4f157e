"""What a run of the agents' story (`tests/clients/agents/story.py`) came to, in terms that all frameworks share."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from tests.clients.agents import story


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


def _without_models(told: Story) -> Story:
    agents = {name: AgentPart(0, part.tool_calls, 0, 0, frozenset()) for name, part in told.agents.items()}
    return replace(told, agents=agents, conversations=frozenset())


DIFFERENCES: dict[str, tuple[Difference, ...]] = {
    "autogen": (
        Difference("no spans of calls of models, and nothing of conversations", _without_models),
        Difference(
            "a tool that is an agent has the agent's name",
            lambda told: replace(told, tools={name.removeprefix("ask_"): n for name, n in told.tools.items()}),
        ),
    ),
    "crewai": (
        Difference(
            "a manager has one tool for all of its crew",
            lambda told: replace(told, tools={"delegate_work_to_coworker": 2, "search": 1}),
        ),
    ),
}


def told_by_all(conversation: str) -> Story:
    """By the story alone: what every framework's run must come to."""
    agents = {}
    for name, replies in story.REPLIES.items():
        calls = [reply.call.name for reply in replies if reply.call]
        agents[name] = AgentPart(
            inferences=len(replies), tool_calls=len(calls), input_tokens=sum(reply.input_tokens for reply in replies),
            output_tokens=sum(reply.output_tokens for reply in replies), models=frozenset({story.MODEL}),
        )  # fmt: skip
    return Story(
        agents=agents,
        edges={("planner", "researcher", "tool"): 1, ("planner", "writer", "tool"): 1},
        tools={"ask_researcher": 1, "ask_writer": 1, "search": 1},
        conversations=frozenset({conversation}),
    )


def told_by(framework: str, conversation: str) -> Story:
    """What a framework's run must come to."""
    told = told_by_all(conversation)
    for difference in DIFFERENCES.get(framework, ()):
        told = difference.made(told)
    return told
