"""OpenAI's client with OpenLLMetry: openai_openllmetry.py '{"url": …, "conversation": …, "service": …}'."""

from __future__ import annotations

import os

os.environ["TRACELOOP_TELEMETRY"] = "false"
os.environ["TRACELOOP_METRICS_ENABLED"] = "false"

import story
from model_server import model_server
from openai import OpenAI
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from plain_openai import converse
from traceloop.sdk import Traceloop
from traceloop.sdk.decorators import agent, tool, workflow
from traceloop.sdk.instruments import Instruments

asked = story.asked()
Traceloop.init(
    app_name=asked.service, exporter=OTLPSpanExporter(asked.url), disable_batch=True, telemetry_enabled=False,
    instruments={Instruments.OPENAI},
)  # fmt: skip


@tool(name="search")
def search(query: str) -> str:
    return story.search(query)


@agent(name="researcher")
def researcher(request: str) -> str:
    return converse(client, "researcher", request, {"search": search})


@agent(name="writer")
def writer(request: str) -> str:
    return converse(client, "writer", request, {})


@tool(name="ask_researcher")
def ask_researcher(request: str) -> str:
    return researcher(request)


@tool(name="ask_writer")
def ask_writer(request: str) -> str:
    return writer(request)


@agent(name="planner")
def planner(request: str) -> str:
    return converse(client, "planner", request, {"ask_researcher": ask_researcher, "ask_writer": ask_writer})


@workflow(name="octopuses")
def octopuses(request: str) -> str:
    Traceloop.set_association_properties({"session_id": asked.conversation})
    return planner(request)


with model_server() as url, OpenAI(base_url=url, api_key="none") as client:
    assert octopuses(story.QUESTION) == story.ANSWER
