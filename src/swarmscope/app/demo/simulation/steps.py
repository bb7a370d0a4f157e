"""Single steps of agents: a call of a model, of a tool, of a database, of another agent."""

from __future__ import annotations

from typing import NamedTuple

from swarmscope.app.demo.simulation.events import Step, StepKind
from swarmscope.app.demo.simulation.jobs import Doing, Job
from swarmscope.app.demo.simulation.members import EMBEDDER, Agent
from swarmscope.app.demo.simulation.timeline import Work
from swarmscope.app.demo.simulation.world import PATIENCE_S, World

_MODEL_ERROR_SHARE = 0.004
_MEDIAN_TOOL_S = {
    "web_search": 0.45, "read_page": 0.6, "write_file": 0.06, "run_tests": 1.4, "execute_sql": 0.15,
    "vector_search": 0.05,
}  # fmt: skip
# Tools that stand behind an MCP server, and those that ask a database.
_MCP_SERVERS = {"web_search": "search-mcp", "read_page": "search-mcp", "run_tests": "sandbox-mcp"}
DATABASES = {"execute_sql": "warehouse", "vector_search": "papers"}
_TOOL_RETRIES = 2


class Size(NamedTuple):
    """How much larger than usual a call of a model is."""

    input: float = 1.0
    output: float = 1.0


_USUAL = Size()


def chat(world: World, agent: Agent, parent: Step, words: str, size: Size = _USUAL) -> Work:
    """Call the agent's model."""
    role, model = agent.role, agent.role.model
    step = world.span(StepKind.CHAT, parent, agent, model.name)
    step.model, step.arguments = model, words
    step.input_tokens = max(1, int(role.input_tokens * size.input * world.random.lognormvariate(0, 0.4)))
    step.cached_tokens = int(step.input_tokens * world.random.choice((0, 0, 0.3, 0.6)))
    output_tokens = max(1, int(role.output_tokens * size.output * world.random.lognormvariate(0, 0.4)))
    world.begin(step)
    slowness = world.model_slowness.get(model.name, 1.0) * agent.slowness
    seconds = (model.first_token_s + min(output_tokens, 3_000) / 1000 * model.s_per_1k_output) * slowness
    yield world.spread(seconds, 0.2)
    if world.random.random() < _MODEL_ERROR_SHARE:
        error = world.random.choice(("rate_limit_exceeded", "timeout"))
        world.tell(step, "ERROR", f"{model.name} gave no answer", error=error, model=model.name)
        world.end(step, error)
        return error
    step.output_tokens = output_tokens
    world.end(step)
    return ""


def embed(world: World, agent: Agent, parent: Step) -> Work:
    """Turn a question into a vector."""
    step = world.span(StepKind.EMBEDDINGS, parent, agent, EMBEDDER.name)
    step.model, step.input_tokens = EMBEDDER, world.random.randrange(20, 400)
    world.begin(step)
    yield world.spread(0.05)
    world.end(step)
    return ""


def use_tool(world: World, agent: Agent, parent: Step, tool: str, arguments: str) -> Work:
    """Call a tool, again when it fails; two further tries."""
    error = ""
    for _ in range(1 + _TOOL_RETRIES):
        error = yield from try_tool(world, agent, parent, tool, arguments)
        if not error:
            return ""
        yield world.spread(0.4)
    return error


def try_tool(world: World, agent: Agent, parent: Step, tool: str, arguments: str) -> Work:
    """Call a tool once."""
    step = world.span(StepKind.TOOL, parent, agent, tool)
    step.arguments, step.payload_bytes = arguments, len(arguments)
    world.begin(step)
    if tool in world.tools_down:
        yield world.spread(0.8)
        error = "ConnectionError"
    elif tool in _MCP_SERVERS:
        error = yield from _ask_server(world, agent, step, tool)
    elif tool in DATABASES:
        error = yield from _ask_database(world, step, tool)
    else:
        yield world.spread(_MEDIAN_TOOL_S[tool] * agent.slowness)
        error = ""
    if error:
        world.tell(step, "ERROR", f"{tool} failed", error=error, tool=tool)
    world.end(step, error)
    return error


def _ask_server(world: World, agent: Agent, parent: Step, tool: str) -> Work:
    client = world.begin(world.span(StepKind.MCP_CLIENT, parent, agent, tool))
    yield world.spread(0.003)
    server = world.span(StepKind.MCP_SERVER, client, None, _MCP_SERVERS[tool])
    server.about = tool
    world.begin(server)
    yield world.spread(_MEDIAN_TOOL_S[tool] * agent.slowness)
    world.end(server)
    yield world.spread(0.003)
    world.end(client)
    return ""


def _ask_database(world: World, parent: Step, tool: str) -> Work:
    agent = world.agents[parent.agent]
    kind = StepKind.RETRIEVAL if tool == "vector_search" else StepKind.DATABASE
    step = world.begin(world.span(kind, parent, agent, DATABASES[tool]))
    yield world.spread(_MEDIAN_TOOL_S[tool] * agent.slowness)
    world.end(step)
    return ""


class Message(NamedTuple):
    """What one agent tells another: by which way, of what sort, and in which words."""

    kind: StepKind
    sort: str
    words: str


def tell_agent(
    world: World, parent: Step, target: Agent, message: Message, doing: Doing, patience_s: float | None = PATIENCE_S
) -> Work:
    """The parent's agent tells another something, and waits until that has done `doing`."""
    source = world.agents[parent.agent]
    step = world.span(message.kind, parent, source, target.name)
    step.target, step.interaction, step.arguments = target.name, message.sort, message.words
    step.payload_bytes = len(message.words) + world.random.randrange(200, 4_000)
    world.begin(step)
    teams = (source.role.team, target.role.team)
    world.told[teams] = world.told.get(teams, 0) + 1
    error = yield from world.ask(target, Job(doing, step), patience_s)
    if error == "timeout":
        world.tell(step, "ERROR", f"{target.name} did not answer", error=error, target=target.name)
    world.end(step, error)
    return error


def publish(world: World, parent: Step, target: Agent, words: str, doing: Doing) -> Work:
    """Leave a message for an agent, which will take it in a trace of its own."""
    source = world.agents[parent.agent]
    step = world.span(StepKind.PUBLISH, parent, source, "reviews")
    step.arguments, step.payload_bytes = words, len(words) + 300
    world.begin(step)
    yield world.spread(0.004)
    world.end(step)
    teams = (source.role.team, target.role.team)
    world.told[teams] = world.told.get(teams, 0) + 1
    world.put(target, Job(doing, parent, link=step))
    return ""
