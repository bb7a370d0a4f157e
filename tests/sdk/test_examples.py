"""The examples of the documentation and of the examples folder, as they stand there."""

import re
import subprocess
import sys
from collections import Counter
from dataclasses import fields
from pathlib import Path

from swarmscope import sdk
from tests.sdk.otlp_receiver import attributes_of

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "sdk.md").read_text(encoding="utf-8")
NOTHING_DROPPED = "{'traces': {}, 'metrics': {}, 'logs': {}}"


def _run(*arguments):
    done = subprocess.run([sys.executable, *arguments], capture_output=True, text=True, timeout=60, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_first_example_of_the_page(receiver):
    program = re.search(r"```python\n(.*?)```", PAGE, re.DOTALL).group(1)
    assert "http://127.0.0.1:4318" in program
    printed = _run("-c", program.replace("http://127.0.0.1:4318", receiver.url))
    assert printed == f"order 7 is on its way\n{NOTHING_DROPPED}\n"
    spans = {span.name: attributes_of(span) for span in receiver.spans()}
    assert set(spans) == {"invoke_agent assistant", "execute_tool look_up", "chat gpt-4.1"}
    assert {each["gen_ai.conversation.id"] for each in spans.values()} == {"customer-42"}
    assert spans["chat gpt-4.1"]["gen_ai.usage.input_tokens"] == 120


def test_research_team(receiver):
    printed = _run("examples/research_team.py", receiver.url)
    report = "Bees dance to tell where flowers are. Ants lay scents where food is."
    assert printed == f"{report}\ndropped: {NOTHING_DROPPED}\n"
    spans = receiver.spans()
    assert len({span.trace_id for span in spans}) == 1
    kinds = {2: "server", 3: "client"}
    assert Counter((span.name, kinds.get(span.kind, "")) for span in spans) == {
        ("invoke_workflow research", ""): 1,
        ("invoke_agent planner", ""): 1,
        ("planner_to_researcher", "client"): 2,
        ("planner_to_researcher", "server"): 2,
        ("invoke_agent researcher", ""): 2,
        ("execute_tool search", ""): 2,
        ("execute_tool transfer_to_writer", ""): 1,
        ("invoke_agent writer", ""): 1,
        ("chat worker-medium", "client"): 5,
    }
    by_id = {span.span_id: span for span in spans}

    def parents(name):
        return {by_id[span.parent_span_id].name for span in spans if span.name == name and span.parent_span_id}

    assert parents("invoke_agent researcher") == {"planner_to_researcher"}
    assert parents("invoke_agent writer") == {"execute_tool transfer_to_writer"}
    assert parents("chat worker-medium") == {f"invoke_agent {name}" for name in ("planner", "researcher", "writer")}


def test_page_names_every_option_and_every_public_name():
    assert [field.name for field in fields(sdk.SdkSettings) if f"`{field.name}`" not in PAGE] == []
    own = {name for name in sdk.__all__ if name not in ("Operation", "BrainStateError", "AgentSpanSettings", "current")}
    assert [name for name in sorted(own) if not re.search(rf"\b{name}\b", PAGE)] == []
    collector = [name for name in vars(sdk.IntelligenceMetricsCollector) if not name.startswith("_")]
    assert [name for name in collector if name not in PAGE and name != "stop"] == []
