"""What each team's instrumentation says of a step: its name, kind and attributes, by the convention that it follows."""

from __future__ import annotations

import json
from typing import NamedTuple

from swarmscope.app.demo.simulation.events import Step, StepKind
from swarmscope.app.demo.simulation.members import ROLES, Wording

Value = str | int | float | bool
Attributes = dict[str, Value]
INTERNAL, SERVER, CLIENT, PRODUCER, CONSUMER = 1, 2, 3, 4, 5  # SpanKind of OTLP
KIND_NAMES = {INTERNAL: "INTERNAL", SERVER: "SERVER", CLIENT: "CLIENT", PRODUCER: "PRODUCER", CONSUMER: "CONSUMER"}
_WORDINGS = {role.name: role.wording for role in ROLES}
_DATABASE_SYSTEMS = {"warehouse": "postgresql", "papers": "qdrant"}


class Description(NamedTuple):
    """A span's own words."""

    name: str
    kind: int
    attributes: Attributes


def describe(step: Step) -> Description:
    """As the team that the step belongs to would tell it."""
    wording = _WORDINGS.get(step.service, Wording.CURRENT)
    described = _PLAIN[step.kind](step) if step.kind in _PLAIN else _WORDED[wording](step)
    attributes = described.attributes
    if step.error:
        attributes["error.type"] = step.error
    return described


def _of_agent(step: Step) -> Attributes:
    about: Attributes = {}
    if step.agent:
        about["gen_ai.agent.name"] = step.agent
        about["gen_ai.agent.version"] = step.version
    if step.conversation:
        about["gen_ai.conversation.id"] = step.conversation
    return about


def _messages(role: str, words: str) -> str:
    return json.dumps([{"role": role, "parts": [{"type": "text", "content": words}]}])


_OPERATIONS = {
    StepKind.WORKFLOW: "invoke_workflow", StepKind.AGENT: "invoke_agent", StepKind.PLAN: "plan",
    StepKind.CHAT: "chat", StepKind.EMBEDDINGS: "embeddings", StepKind.TOOL: "execute_tool",
    StepKind.RETRIEVAL: "retrieval", StepKind.MEMORY: "upsert_memory",
}  # fmt: skip


def _current(step: Step) -> Description:
    operation = _OPERATIONS[step.kind]
    attributes: Attributes = {"gen_ai.operation.name": operation, **_of_agent(step)}
    if step.model is not None:
        attributes["gen_ai.provider.name"] = step.model.provider
        attributes["gen_ai.request.model"] = step.model.name
        if step.end_ns and not step.error:
            attributes["gen_ai.response.model"] = step.model.name
            attributes["gen_ai.usage.input_tokens"] = step.input_tokens
            attributes["gen_ai.usage.cache_read.input_tokens"] = step.cached_tokens
            if step.kind is StepKind.CHAT:
                attributes["gen_ai.usage.output_tokens"] = step.output_tokens
        if step.arguments:
            attributes["gen_ai.input.messages"] = _messages("user", step.arguments)
        return Description(f"{operation} {step.about}", CLIENT, attributes)
    if step.kind is StepKind.TOOL:
        attributes |= {"gen_ai.tool.name": step.about, "gen_ai.tool.type": "function",
                       "gen_ai.tool.call.arguments": step.arguments}  # fmt: skip
    elif step.kind is StepKind.WORKFLOW:
        attributes["gen_ai.workflow.name"] = step.about
    elif step.kind is StepKind.RETRIEVAL:
        attributes |= {"gen_ai.data_source.id": step.about, "peer.service": step.about,
                       "db.system.name": _DATABASE_SYSTEMS[step.about]}  # fmt: skip
    return Description(f"{operation} {step.about}", CLIENT if step.kind is StepKind.RETRIEVAL else INTERNAL, attributes)


def _legacy(step: Step) -> Description:
    described = _current(step)
    attributes = described.attributes
    if step.model is not None:
        # Who calls stood on the agent's span alone then.
        for name in ("gen_ai.agent.name", "gen_ai.agent.version", "gen_ai.conversation.id"):
            attributes.pop(name, None)
        attributes["gen_ai.system"] = attributes.pop("gen_ai.provider.name")
        attributes.pop("gen_ai.usage.cache_read.input_tokens", None)
        for old, new in (("prompt", "input"), ("completion", "output")):
            tokens = attributes.pop(f"gen_ai.usage.{new}_tokens", None)
            if tokens is not None:
                attributes[f"gen_ai.usage.{old}_tokens"] = tokens
        words = attributes.pop("gen_ai.input.messages", None)
        if words is not None:
            attributes["gen_ai.prompt"] = words
    return described


_OPENINFERENCE_KINDS = {
    StepKind.CHAT: "LLM", StepKind.AGENT: "AGENT", StepKind.TOOL: "TOOL", StepKind.EMBEDDINGS: "EMBEDDING",
    StepKind.RETRIEVAL: "RETRIEVER",
}  # fmt: skip


def _openinference(step: Step) -> Description:
    attributes: Attributes = {"openinference.span.kind": _OPENINFERENCE_KINDS.get(step.kind, "CHAIN")}
    if step.kind is StepKind.AGENT:
        attributes |= {"agent.name": step.agent, "agent.version": step.version}
    if step.conversation:
        attributes["session.id"] = step.conversation
    if step.arguments:
        attributes["input.value"] = step.arguments
    if step.kind is StepKind.TOOL:
        attributes["tool.name"] = step.about
    if step.model is not None:
        attributes |= {"llm.model_name": step.model.name, "llm.provider": _OPENINFERENCE_PROVIDERS[step.model.provider]}
        if step.end_ns and not step.error:
            attributes |= {
                "llm.token_count.prompt": step.input_tokens,
                "llm.token_count.completion": step.output_tokens,
                "llm.token_count.total": step.input_tokens + step.output_tokens,
                "llm.token_count.prompt_details.cache_read": step.cached_tokens,
            }
    names = {StepKind.CHAT: "ChatCompletion", StepKind.AGENT: f"{step.agent}.run"}
    return Description(names.get(step.kind, step.about), INTERNAL, attributes)


_OPENINFERENCE_PROVIDERS = {
    "openai": "openai", "anthropic": "anthropic", "gcp.gemini": "google", "mistral_ai": "mistralai",
}  # fmt: skip


def _openllmetry(step: Step) -> Description:
    if step.model is not None:
        described = _legacy(step)
        described.attributes["llm.request.type"] = "chat"
        return Description(f"{step.model.provider}.chat", CLIENT, described.attributes)
    kind = {StepKind.AGENT: "agent", StepKind.TOOL: "tool", StepKind.WORKFLOW: "workflow"}.get(step.kind, "task")
    attributes: Attributes = {"traceloop.span.kind": kind, "traceloop.entity.name": step.about, **_of_agent(step)}
    if step.arguments:
        attributes["traceloop.entity.input"] = step.arguments
    return Description(f"{step.about}.{kind}", INTERNAL, attributes)


def _interaction(step: Step) -> Description:
    attributes: Attributes = {
        "agent.source": step.agent, "agent.target": step.target, "interaction.type": step.interaction,
        "payload.size": step.payload_bytes, **_of_agent(step),
    }  # fmt: skip
    if step.end_ns:
        attributes["response.success"] = not step.error
        attributes["response.latency"] = (step.end_ns - step.start_ns) / 1e9
    return Description(f"{step.agent}_to_{step.target}", CLIENT, attributes)


def _handoff(step: Step) -> Description:
    tool = f"transfer_to_{step.target.replace('-', '_')}"
    attributes: Attributes = {
        "gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": tool, "gen_ai.tool.type": "function",
        "gen_ai.tool.call.arguments": step.arguments, "gen_ai.transfer.target.name": step.target,
        "gen_ai.transfer.mode": "pass_control", **_of_agent(step),
    }  # fmt: skip
    return Description(f"execute_tool {tool}", INTERNAL, attributes)


def _a2a(step: Step) -> Description:
    attributes: Attributes = {
        "a2a.method.name": "message/send", "a2a.protocol.version": "0.3.0",
        "a2a.task.id": f"{step.span_id:016x}", "agent.source": step.agent, "agent.target": step.target,
        "payload.size": step.payload_bytes, **_of_agent(step),
    }  # fmt: skip
    return Description("message/send", CLIENT, attributes)


def _mcp(step: Step) -> Description:
    attributes: Attributes = {
        "mcp.method.name": "tools/call", "mcp.protocol.version": "2025-06-18", "gen_ai.tool.name": step.about,
        "network.transport": "tcp",
    }  # fmt: skip
    if step.kind is StepKind.MCP_SERVER:
        return Description(f"tools/call {step.about}", SERVER, attributes)
    return Description(f"tools/call {step.about}", CLIENT, {**attributes, **_of_agent(step)})


def _database(step: Step) -> Description:
    attributes: Attributes = {
        "db.system.name": _DATABASE_SYSTEMS[step.about], "db.namespace": step.about, "peer.service": step.about,
        "db.operation.name": "SELECT",
    }  # fmt: skip
    return Description(f"SELECT {step.about}", CLIENT, attributes)


def _publish(step: Step) -> Description:
    attributes: Attributes = {
        "messaging.system": "nats", "messaging.operation.type": "send", "messaging.destination.name": step.about,
        "messaging.message.body.size": step.payload_bytes, **_of_agent(step),
    }  # fmt: skip
    return Description(f"send {step.about}", PRODUCER, attributes)


def _consume(step: Step) -> Description:
    attributes: Attributes = {
        "messaging.system": "nats", "messaging.operation.type": "process", "messaging.destination.name": "reviews",
        **_of_agent(step),
    }  # fmt: skip
    return Description("process reviews", CONSUMER, attributes)


def _evaluate(step: Step) -> Description:
    attributes: Attributes = {"openinference.span.kind": "EVALUATOR", **_of_agent(step), "simulated": True}
    return Description(f"evaluate {step.about}", INTERNAL, attributes)


def _mind(step: Step) -> Description:
    names = {StepKind.MODULE: f"module {step.about}", StepKind.PATHWAY: f"pathway {step.about}"}
    attributes: Attributes = dict(step.numbers)
    if step.kind is StepKind.MODULE:
        attributes["module.name"] = step.about
    elif step.kind is StepKind.PATHWAY:
        attributes["pathway.name"] = step.about
    return Description(names.get(step.kind, "consciousness_emergence"), INTERNAL, attributes)


_PLAIN = {
    StepKind.INTERACTION: _interaction, StepKind.HANDOFF: _handoff, StepKind.A2A: _a2a, StepKind.MCP_CLIENT: _mcp,
    StepKind.MCP_SERVER: _mcp, StepKind.DATABASE: _database, StepKind.PUBLISH: _publish, StepKind.CONSUME: _consume,
    StepKind.EVALUATE: _evaluate, StepKind.REFLECTION: _mind, StepKind.MODULE: _mind, StepKind.PATHWAY: _mind,
}  # fmt: skip
_WORDED = {
    Wording.CURRENT: _current, Wording.LEGACY: _legacy, Wording.OPENINFERENCE: _openinference,
    Wording.OPENLLMETRY: _openllmetry,
}  # fmt: skip
