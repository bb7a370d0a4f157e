"""Runs the frameworks' scripts, each in an environment that has the framework, out of reach of any network."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from tests.clients.installed import agent_python_clients, crewai_python_clients

SCRIPTS = Path(__file__).parent
RECORDED = SCRIPTS.parent.parent / "data" / "agents"
TIMEOUT_S = 120
GUARD = {"PYTHONPATH": str(SCRIPTS / "loopback")}
# What keeps frameworks from telling their makers that they are used.
_SILENT = {
    "ANONYMIZED_TELEMETRY": "false", "CREWAI_DISABLE_TELEMETRY": "true", "CREWAI_TRACING_ENABLED": "false",
    "DO_NOT_TRACK": "1", "LANGSMITH_TRACING": "false", "OPENAI_AGENTS_DISABLE_TRACING": "0",
    "TRACELOOP_METRICS_ENABLED": "false", "TRACELOOP_TELEMETRY": "false",
}  # fmt: skip


class Framework(NamedTuple):
    """A script, the way in which it tells the story, and the folder of the environment that it runs in."""

    script: str
    way: str = "tools"
    environment: Callable[[], Path] = agent_python_clients


FRAMEWORKS = {
    "autogen": Framework("autogen_agents.py"),
    "autogen_handoffs": Framework("autogen_agents.py", "handoffs"),
    "crewai": Framework("crewai_agents.py", environment=crewai_python_clients),
    "langgraph": Framework("langgraph_agents.py"),
    "openai_agents": Framework("openai_agents.py"),
    "openai_agents_handoffs": Framework("openai_agents.py", "handoffs"),
    "openai_openinference": Framework("openai_openinference.py"),
    "openai_openllmetry": Framework("openai_openllmetry.py"),
    "pydantic_ai": Framework("pydantic_ai_agents.py"),
}


def run_framework(name: str, url: str, conversation: str, home: Path, tenant: str = "") -> None:
    """One run of the story; its spans go to `url` (OTLP over HTTP). `home` takes what a framework writes on its own.

    Raises NotInstallableError.
    """
    framework = FRAMEWORKS[name]
    python = framework.environment() / "bin" / "python"
    service = f"{name}-service"
    asked = json.dumps({"url": url, "conversation": conversation, "service": service, "way": framework.way})
    environment = {"PATH": os.environ["PATH"], "HOME": str(home), "TMPDIR": str(home), **GUARD, **_SILENT}
    if tenant:
        environment["OTEL_EXPORTER_OTLP_HEADERS"] = f"x-scope-orgid={tenant}"
    done = subprocess.run(
        [str(python), str(SCRIPTS / framework.script), asked],
        cwd=home, env=environment, capture_output=True, text=True, timeout=TIMEOUT_S,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
