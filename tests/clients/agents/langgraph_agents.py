"""LangGraph's agents with OpenInference: langgraph_agents.py '{"url": …, "conversation": …, "service": …}'."""

from __future__ import annotations

import os
from typing import Any

import story
from exporting import start_exporting
from langchain.agents import create_agent
from langchain_core.language_models import BaseChatModel, LangSmithParams
from langchain_core.messages import AIMessage, BaseMessage, ToolMessage
from langchain_core.messages.ai import UsageMetadata
from langchain_core.outputs import ChatGeneration, ChatResult
from langchain_core.runnables import Runnable, RunnableConfig
from langchain_core.tools import tool
from openinference.instrumentation.langchain import LangChainInstrumentor


class FakeModel(BaseChatModel):
    """Answers as the story says."""

    model_name: str = story.MODEL

    @property
    def _llm_type(self) -> str:
        return "fake"

    @property
    def _identifying_params(self) -> dict[str, Any]:
        return {"model_name": self.model_name}

    def _get_ls_params(self, *_: Any, **__: Any) -> LangSmithParams:
        return LangSmithParams(ls_provider="openai", ls_model_name=self.model_name, ls_model_type="chat")

    def bind_tools(self, tools: Any, **_: Any) -> Runnable[Any, Any]:
        return self

    def _generate(self, messages: list[BaseMessage], *_: Any, **__: Any) -> ChatResult:
        n_answers = sum(isinstance(message, ToolMessage) for message in messages)
        reply = story.reply_to(str(messages[0].content), n_answers)
        calls = [{"name": call.name, "args": call.arguments("request"), "id": call.id} for call in [reply.call] if call]
        usage = UsageMetadata(
            input_tokens=reply.input_tokens, output_tokens=reply.output_tokens,
            total_tokens=reply.input_tokens + reply.output_tokens,
        )  # fmt: skip
        message = AIMessage(
            reply.text, tool_calls=calls, usage_metadata=usage, response_metadata={"model_name": self.model_name}
        )
        return ChatResult(generations=[ChatGeneration(message=message)])


def agent(name: str, *tools: Any) -> Runnable[Any, Any]:
    return create_agent(FakeModel(), tools, system_prompt=story.INSTRUCTIONS[name], name=name)


def ask(asked_agent: Runnable[Any, Any], request: str, config: RunnableConfig) -> str:
    return str(asked_agent.invoke({"messages": [("user", request)]}, config)["messages"][-1].content)


asked = story.asked()
os.environ["LANGSMITH_TRACING"] = "false"
provider = start_exporting(asked)
LangChainInstrumentor().instrument(tracer_provider=provider)
researcher = agent("researcher", tool(story.search))
writer = agent("writer")


@tool
def ask_researcher(request: str, config: RunnableConfig) -> str:
    """Have the researcher find something out."""
    return ask(researcher, request, config)


@tool
def ask_writer(request: str, config: RunnableConfig) -> str:
    """Have the writer write."""
    return ask(writer, request, config)


planner = agent("planner", ask_researcher, ask_writer)
assert ask(planner, story.QUESTION, {"metadata": {"session_id": asked.conversation}}) == story.ANSWER
provider.shutdown()
