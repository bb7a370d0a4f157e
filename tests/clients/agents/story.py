"""The story that all frameworks here tell, with what their fake models answer.

A planner has a researcher look something up, which searches, and then has a writer make a sentence of it. It is told in
two ways: agents are tools of the planner, or each hands over to the next one. Every model call answers with a fixed
text or tool call and a fixed number of tokens, by who asks and how many tools have answered.
"""

from __future__ import annotations

import json
import sys
from typing import NamedTuple

QUESTION = "What do octopuses eat?"
MODEL = "gpt-4o-mini"
FOUND = "octopus: crabs, clams, snails"


class ToolCall(NamedTuple):
    """What a model wants to be done."""

    name: str
    argument: str  # tools have one, whatever its name is
    id: str

    def arguments(self, of_agents: str) -> dict[str, str]:
        """By name; tools that are agents have theirs called as the framework does it."""
        if self.name.startswith("transfer_to_"):
            return {}
        return {"query" if self.name == "search" else of_agents: self.argument}


class Reply(NamedTuple):
    """What a model answers: a text, or a tool call and no text."""

    input_tokens: int
    output_tokens: int
    text: str = ""
    call: ToolCall | None = None


INSTRUCTIONS = {
    "planner": "You are the planner. Have the researcher find out, then the writer write.",
    "researcher": "You are the researcher. Search.",
    "writer": "You are the writer. Write one sentence.",
}
REPLIES = {
    "planner": (
        Reply(100, 10, call=ToolCall("ask_researcher", QUESTION, "call_1")),
        Reply(130, 12, call=ToolCall("ask_writer", FOUND, "call_2")),
        Reply(160, 20, text="Octopuses eat crabs, clams and snails."),
    ),
    "researcher": (
        Reply(50, 8, call=ToolCall("search", "octopus diet", "call_3")),
        Reply(70, 15, text=FOUND),
    ),
    "writer": (Reply(80, 30, text="Octopuses eat crabs, clams and snails."),),
}
HANDOFFS = {
    "planner": (Reply(100, 10, call=ToolCall("transfer_to_researcher", "", "call_1")),),
    "researcher": (
        Reply(50, 8, call=ToolCall("search", "octopus diet", "call_2")),
        Reply(70, 15, call=ToolCall("transfer_to_writer", "", "call_3")),
    ),
    "writer": (Reply(80, 30, text="Octopuses eat crabs, clams and snails."),),
}
# With handoffs all agents see all messages: how many tools have answered before an agent's first turn.
_ANSWERS_BEFORE = {"planner": 0, "researcher": 1, "writer": 3}
ANSWER = REPLIES["planner"][-1].text


def search(query: str) -> str:
    """Look something up."""
    return FOUND if query == "octopus diet" else "nothing"


def reply_to(instructions: str, n_tool_answers: int, way: str = "tools") -> Reply:
    """What the model says to the agent with these instructions after so many answers of tools."""
    (agent,) = [name for name in INSTRUCTIONS if f"You are the {name}" in instructions]
    if way == "handoffs":
        return HANDOFFS[agent][n_tool_answers - _ANSWERS_BEFORE[agent]]
    return REPLIES[agent][n_tool_answers]


class Asked(NamedTuple):
    """What a script was told by its only argument, a JSON object."""

    url: str  # of OTLP's traces
    conversation: str
    service: str
    way: str = "tools"  # or handoffs


def asked() -> Asked:
    return Asked(**json.loads(sys.argv[1]))
