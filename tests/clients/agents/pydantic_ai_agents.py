"""pydantic-ai with its own instrumentation: pydantic_ai_agents.py '{"url": …, "conversation": …, "service": …}'."""

from __future__ import annotations

import story
from exporting import start_exporting
from pydantic_ai import Agent
from pydantic_ai.messages import ModelMessage, ModelRequest, ModelResponse, TextPart, ToolCallPart, ToolReturnPart
from pydantic_ai.models.function import AgentInfo, FunctionModel
from pydantic_ai.usage import RequestUsage


def answer(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
    parts = [part for message in messages if isinstance(message, ModelRequest) for part in message.parts]
    reply = story.reply_to(info.instructions or "", sum(isinstance(part, ToolReturnPart) for part in parts))
    call = reply.call
    part = ToolCallPart(call.name, call.arguments("request"), call.id) if call else TextPart(reply.text)
    usage = RequestUsage(input_tokens=reply.input_tokens, output_tokens=reply.output_tokens)
    return ModelResponse([part], usage=usage)


asked = story.asked()
provider = start_exporting(asked)
Agent.instrument_all(True)
model = FunctionModel(answer, model_name=story.MODEL)
planner, researcher, writer = (
    Agent(model, name=name, instructions=instructions) for name, instructions in story.INSTRUCTIONS.items()
)
researcher.tool_plain(story.search)


@planner.tool_plain
async def ask_researcher(request: str) -> str:
    return (await researcher.run(request, conversation_id=asked.conversation)).output


@planner.tool_plain
async def ask_writer(request: str) -> str:
    return (await writer.run(request, conversation_id=asked.conversation)).output


assert planner.run_sync(story.QUESTION, conversation_id=asked.conversation).output == story.ANSWER
provider.shutdown()
