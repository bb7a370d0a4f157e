"""AutoGen with its own tracing: autogen_agents.py '{"url": …, "conversation": …, "service": …}'."""

from __future__ import annotations

import asyncio
import json

import story
from autogen_agentchat.agents import AssistantAgent
from autogen_agentchat.conditions import TextMessageTermination
from autogen_agentchat.teams import Swarm
from autogen_agentchat.tools import AgentTool
from autogen_core import FunctionCall
from autogen_core.models import CreateResult, ModelFamily, ModelInfo, RequestUsage
from autogen_core.tools import FunctionTool
from autogen_ext.models.replay import ReplayChatCompletionClient
from exporting import start_exporting

CAN = ModelInfo(
    vision=False, function_calling=True, json_output=False, family=ModelFamily.GPT_4O, structured_output=False
)


def model(name: str) -> ReplayChatCompletionClient:
    replies = story.HANDOFFS if asked.way == "handoffs" else story.REPLIES
    return ReplayChatCompletionClient([to_result(reply) for reply in replies[name]], CAN)


def to_result(reply: story.Reply) -> CreateResult:
    call = reply.call
    # An agent that is a tool is called by its own name.
    calls = [FunctionCall(call.id, json.dumps(call.arguments("task")), call.name.removeprefix("ask_"))] if call else []
    return CreateResult(
        finish_reason="function_calls" if calls else "stop", content=calls or reply.text, cached=False,
        usage=RequestUsage(prompt_tokens=reply.input_tokens, completion_tokens=reply.output_tokens),
    )  # fmt: skip


def agent(name: str, tools: list[FunctionTool | AgentTool], hands_over_to: str | None = None) -> AssistantAgent:
    return AssistantAgent(
        name, model(name), tools=list(tools), handoffs=[hands_over_to] if hands_over_to else None,
        system_message=story.INSTRUCTIONS[name], description=name, max_tool_iterations=4,
    )  # fmt: skip


def as_tool(asked_agent: AssistantAgent) -> AgentTool:
    return AgentTool(asked_agent, return_value_as_last_message=True)


def team() -> AssistantAgent | Swarm:
    search = [FunctionTool(story.search, "Look something up.")]
    if asked.way == "handoffs":
        agents = [agent("planner", [], "researcher"), agent("researcher", search, "writer"), agent("writer", [])]
        return Swarm(agents, termination_condition=TextMessageTermination("writer"))
    return agent("planner", [as_tool(agent("researcher", search)), as_tool(agent("writer", []))])


async def run() -> str:
    result = await team().run(task=story.QUESTION)
    return str(result.messages[-1].content)


asked = story.asked()
provider = start_exporting(asked)
assert asyncio.run(run()) == story.ANSWER
provider.shutdown()
