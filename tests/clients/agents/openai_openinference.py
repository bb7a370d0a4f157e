"""OpenAI's client with OpenInference: openai_openinference.py '{"url": …, "conversation": …, "service": …}'."""

from __future__ import annotations

import story
from exporting import start_exporting
from model_server import model_server
from openai import OpenAI
from openinference.instrumentation import OITracer, TraceConfig, using_session
from openinference.instrumentation.openai import OpenAIInstrumentor
from plain_openai import converse

asked = story.asked()
provider = start_exporting(asked)
OpenAIInstrumentor().instrument(tracer_provider=provider)
tracer = OITracer(provider.get_tracer("octopuses"), TraceConfig())


@tracer.tool(name="search")
def search(query: str) -> str:
    return story.search(query)


@tracer.agent(name="researcher")
def researcher(request: str) -> str:
    return converse(client, "researcher", request, {"search": search})


@tracer.agent(name="writer")
def writer(request: str) -> str:
    return converse(client, "writer", request, {})


@tracer.tool(name="ask_researcher")
def ask_researcher(request: str) -> str:
    return researcher(request)


@tracer.tool(name="ask_writer")
def ask_writer(request: str) -> str:
    return writer(request)


@tracer.agent(name="planner")
def planner(request: str) -> str:
    return converse(client, "planner", request, {"ask_researcher": ask_researcher, "ask_writer": ask_writer})


with model_server() as url, OpenAI(base_url=url, api_key="none") as client, using_session(asked.conversation):
    assert planner(story.QUESTION) == story.ANSWER
provider.shutdown()
