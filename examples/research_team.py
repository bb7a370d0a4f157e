"""Three agents work on a question together, and Swarmscope sees all of it.

    swarmscope up                           # in one terminal
    python examples/research_team.py        # in another
    swarmscope traces '{ span.gen_ai.workflow.name = "research" }'

The model and the search are functions here, so that this runs anywhere; the telemetry is what real ones would send.
Another endpoint: `python examples/research_team.py http://collector:4318`.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator

from swarmscope import sdk

ENDPOINT = sys.argv[1] if len(sys.argv) > 1 else "http://127.0.0.1:4318"
TRACER = sdk.MultiAgentTracer()
LIBRARY = {"bees": "Bees dance to tell where flowers are.", "ants": "Ants lay scents where food is."}


async def ask_model(prompt: str, answer: str) -> str:
    """Stands for a call of a model; an instrumented client library would make this span by itself."""
    with sdk.inference("worker-medium", provider="example"):
        await asyncio.sleep(0.01)
        sdk.record_usage(input_tokens=len(prompt.split()), output_tokens=len(answer.split()), finish_reason="stop")
    return answer


@sdk.tool
def search(topic: str) -> str:
    """Look a topic up."""
    return LIBRARY[topic]


@sdk.agent("researcher", team="science", version="1.0")
async def research(topic: str) -> str:
    """Find out about a topic."""
    found = search(topic)
    return await ask_model(f"What matters in: {found}", found.removesuffix("."))


async def researcher_endpoint(payload: dict[str, str], headers: dict[str, str]) -> str:
    """What a web framework would call in the researcher's process; the headers join both sides."""
    with sdk.receive_agent_interaction(headers):
        return await research(payload["topic"])


@sdk.agent("writer", team="science", version="1.0")
async def write(findings: list[str]) -> AsyncIterator[str]:
    """Write a report, sentence by sentence."""
    for finding in findings:
        yield await ask_model(f"A sentence on: {finding}", f"{finding}.")


@sdk.agent("planner", team="science", version="1.0")
async def plan(question: str, topics: list[str]) -> str:
    """Divide the work and hand the results over."""
    await ask_model(question, " ".join(topics))
    findings = await asyncio.gather(
        *(
            TRACER.trace_agent_interaction("planner", "researcher", "task", {"topic": topic}, researcher_endpoint)
            for topic in topics
        )
    )
    with sdk.handoff("writer"):
        return " ".join([sentence async for sentence in write(findings)])


@sdk.workflow("research")
async def answer(question: str) -> str:
    """The whole run."""
    return await plan(question, ["bees", "ants"])


def main() -> None:
    """Ask one question, and say what became of the telemetry."""
    sdk.configure(ENDPOINT, service_name="research-team", environment="example")
    with sdk.conversation("how-insects-talk"):
        print(asyncio.run(answer("How do insects tell each other where things are?")))
    sdk.flush()
    print("dropped:", sdk.dropped())


if __name__ == "__main__":
    main()
