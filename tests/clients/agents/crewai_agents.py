"""CrewAI with OpenInference: crewai_agents.py '{"url": …, "conversation": …, "service": …}'."""

from __future__ import annotations

import os

os.environ |= {"CREWAI_DISABLE_TELEMETRY": "true", "CREWAI_TRACING_ENABLED": "false"}

from typing import Any

import story
from crewai import LLM, Agent, Crew, Process, Task
from crewai.tools import tool
from exporting import start_exporting
from model_server import model_server
from openinference.instrumentation import using_session
from openinference.instrumentation.crewai import CrewAIInstrumentor


def as_function(call: story.ToolCall) -> tuple[str, dict[str, str]]:
    """A manager has one tool for all of its crew."""
    if call.name == "search":
        return "search", call.arguments("")
    return "delegate_work_to_coworker", {
        "task": call.argument, "context": "none", "coworker": call.name.removeprefix("ask_")
    }  # fmt: skip


def agent(name: str, url: str, **more: Any) -> Agent:
    model = LLM(model=story.MODEL, base_url=url, api_key="none")
    return Agent(role=name, goal="An answer", backstory=story.INSTRUCTIONS[name], llm=model, **more)


def run(url: str) -> str:
    crew = Crew(
        name="octopuses", process=Process.hierarchical, manager_agent=agent("planner", url, allow_delegation=True),
        agents=[agent("researcher", url, tools=[tool("search")(story.search)]), agent("writer", url)],
        tasks=[Task(description=story.QUESTION, expected_output="one sentence")],
    )  # fmt: skip
    return str(crew.kickoff())


asked = story.asked()
provider = start_exporting(asked)
CrewAIInstrumentor().instrument(tracer_provider=provider, use_event_listener=True)
with model_server(as_function) as url, using_session(asked.conversation):
    assert run(url) == story.ANSWER
provider.shutdown()
