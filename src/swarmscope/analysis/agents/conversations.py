"""One conversation, across all its traces."""

from __future__ import annotations

from dataclasses import dataclass

from swarmscope.model.fleet import StoredAgentSpans


@dataclass(frozen=True, slots=True)
class Turn:
    """One step of an agent: a call of a model or a tool, or an invocation."""

    agent: str
    caller: str  # empty for none
    start_ns: int
    end_ns: int  # 0 while it is open
    operation: str
    name: str
    model: str
    tool: str
    input_tokens: int  # counted ones: 0 where a span below tells them
    output_tokens: int
    cost_usd: float
    error: str  # its type, or "error"; empty where it went well
    trace_id: str
    span_id: str


@dataclass(frozen=True, slots=True)
class Message:
    """What one agent handed to another."""

    source: str
    target: str
    type: str
    at_ns: int
    payload_bytes: int  # 0 where unknown
    is_error: bool


@dataclass(frozen=True, slots=True)
class AgentShare:
    """What one agent did in a conversation."""

    agent: str
    turns: int
    errors: int
    inferences: int
    tool_calls: int
    input_tokens: int
    output_tokens: int
    cost_usd: float
    busy_s: float  # of its calls of models and tools, overlaps once


@dataclass(frozen=True, slots=True)
class ToolShare:
    """How one tool was used."""

    tool: str
    calls: int
    errors: int
    busy_s: float


@dataclass(frozen=True, slots=True)
class Conversation:
    """Everything of one conversation; turns and messages in order of their start."""

    turns: tuple[Turn, ...]
    messages: tuple[Message, ...]
    agents: tuple[AgentShare, ...]  # by name
    tools: tuple[ToolShare, ...]  # by name
    models: tuple[str, ...]
    trace_ids: tuple[str, ...]  # in order of their first span
    begin_ns: int
    end_ns: int
    errors: int
    input_tokens: int
    output_tokens: int
    cost_usd: float
    unpriced_tokens: int


def to_conversation(stored: StoredAgentSpans) -> Conversation:
    """The conversation that all of these spans belong to; nothing is counted twice."""
    raise NotImplementedError
