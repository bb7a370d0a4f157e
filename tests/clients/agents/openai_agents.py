"""OpenAI's Agents SDK with OpenInference: openai_agents.py '{"url": …, "conversation": …, "service": …}'."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import agents
import story
from agents.items import ModelResponse, TResponseStreamEvent
from agents.models.interface import Model
from agents.tracing import generation_span
from agents.usage import Usage
from exporting import start_exporting
from openai.types.responses import ResponseFunctionToolCall, ResponseOutputMessage, ResponseOutputText
from openinference.instrumentation import using_session
from openinference.instrumentation.openai_agents import OpenAIAgentsInstrumentor


class FakeModel(Model):
    """Answers as the story says, and traces itself as the SDK's model of chat completions does."""

    async def get_response(self, system_instructions: str | None, input: Any, *_: Any, **__: Any) -> ModelResponse:
        items = input if isinstance(input, list) else []
        n_answers = sum(item.get("type") == "function_call_output" for item in items)
        reply = story.reply_to(system_instructions or "", n_answers, asked.way)
        usage = {"input_tokens": reply.input_tokens, "output_tokens": reply.output_tokens}
        with generation_span(model=story.MODEL, usage=usage, output=[{"role": "assistant", "content": reply.text}]):
            return ModelResponse(
                output=[as_item(reply)],
                usage=Usage(requests=1, total_tokens=reply.input_tokens + reply.output_tokens, **usage),
                response_id=None,
            )

    def stream_response(self, *_: Any, **__: Any) -> AsyncIterator[TResponseStreamEvent]:
        raise NotImplementedError


def as_item(reply: story.Reply) -> ResponseFunctionToolCall | ResponseOutputMessage:
    if call := reply.call:
        return ResponseFunctionToolCall(
            arguments=json.dumps(call.arguments("input")), call_id=call.id, name=call.name, type="function_call"
        )
    text = ResponseOutputText(annotations=[], text=reply.text, type="output_text")
    return ResponseOutputMessage(id="1", content=[text], role="assistant", status="completed", type="message")


asked = story.asked()
agents.set_trace_processors([])  # its own one sends to OpenAI
provider = start_exporting(asked)
OpenAIAgentsInstrumentor().instrument(tracer_provider=provider)


def agent(name: str, **more: Any) -> agents.Agent[None]:
    return agents.Agent(name, instructions=story.INSTRUCTIONS[name], model=FakeModel(), **more)


def team() -> agents.Agent[None]:
    search = [agents.function_tool(story.search)]
    writer = agent("writer")
    if asked.way == "handoffs":
        return agent("planner", handoffs=[agent("researcher", tools=search, handoffs=[writer])])
    researcher = agent("researcher", tools=search)
    return agent(
        "planner", tools=[researcher.as_tool("ask_researcher", "Research"), writer.as_tool("ask_writer", "Write")]
    )


async def run() -> str:
    with using_session(asked.conversation):
        return str((await agents.Runner.run(team(), story.QUESTION)).final_output)


assert asyncio.run(run()) == story.ANSWER
provider.shutdown()
