"""One conversation, across all its traces."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from swarmscope.analysis.agents.distinct_keys import distinct_keys
from swarmscope.analysis.agents.forest import SpanForest
from swarmscope.analysis.agents.intervals import covered_ns
from swarmscope.analysis.agents.settled import Interactions
from swarmscope.analysis.agents.usage_rows import span_usage
from swarmscope.model.agents import NO_TEXT, AgentOperation, AgentSpans, InteractionType
from swarmscope.model.fleet import StoredAgentSpans, UsageMeasure
from swarmscope.model.spans import SpanStatus

_NS_PER_S = 1e9
_NEVER_NS = 1 << 62


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
    busy_s: float  # in calls of models and tools; where they overlap, once


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
    spans, vocabulary = stored.spans, stored.vocabulary
    counted, messages = _counted(stored)
    used = span_usage(spans, counted).measures
    turns = _to_turns(stored, used)
    ends = np.where(spans.end_ns > 0, spans.end_ns, spans.start_ns)
    totals = used.sum(axis=0)
    by_start = np.argsort(spans.start_ns, kind="stable")
    models = {vocabulary.text(code) for code in np.unique(spans.model[spans.model != NO_TEXT]).tolist()}
    return Conversation(
        turns=tuple(turns),
        messages=messages,
        agents=_to_agents(stored, used),
        tools=_to_tools(stored, used),
        models=tuple(sorted(models)),
        trace_ids=tuple(dict.fromkeys(spans.trace_id[row].tobytes().hex() for row in by_start.tolist())),
        begin_ns=int(spans.start_ns.min(initial=_NEVER_NS)) if len(spans) else 0,
        end_ns=int(ends.max(initial=0)),
        errors=round(totals[UsageMeasure.ERRORS]),
        input_tokens=round(totals[UsageMeasure.INPUT_TOKENS]),
        output_tokens=round(totals[UsageMeasure.OUTPUT_TOKENS]),
        cost_usd=float(totals[UsageMeasure.COST_USD]),
        unpriced_tokens=round(totals[UsageMeasure.UNPRICED_TOKENS]),
    )


def _counted(stored: StoredAgentSpans) -> tuple[NDArray[np.uint8], tuple[Message, ...]]:
    """What of each span [n] counts (Counted), and what was handed over: the rules are the forest's."""
    spans = stored.spans
    forest = SpanForest(stored.vocabulary, 4 * len(spans), patience_ns=0, tenant=spans.tenant)
    # Above whom a span stands must be known before it is counted itself.
    parts = [forest.settle(spans.take(_deepest_first(spans)), 0), forest.expire(1)]
    keys = np.concatenate([part.spans.span_key for part in parts])
    told = np.concatenate([part.counted for part in parts])
    order = np.argsort(keys)
    counted = np.zeros(len(spans), np.uint8)
    if len(keys):
        at = np.minimum(np.searchsorted(keys[order], spans.span_key), len(keys) - 1)
        known = keys[order][at] == spans.span_key
        # A span that stands twice counts once.
        firsts, _ = distinct_keys(spans.span_key)
        counted[firsts] = np.where(known, told[order][at], 0)[firsts]
    messages = [message for part in parts for message in _to_messages(part.interactions, stored)]
    return counted, tuple(sorted(messages, key=lambda message: message.at_ns))


def _deepest_first(spans: AgentSpans) -> NDArray[np.int64]:
    """The rows [n], children before their parents; depths by doubling, so that circles end too."""
    n = len(spans)
    order = np.argsort(spans.span_key, kind="stable")
    keys = spans.span_key[order]
    at = np.minimum(np.searchsorted(keys, spans.parent_key), max(n - 1, 0))
    has_parent = (keys[at] == spans.parent_key) & (spans.parent_key != 0)
    above = np.where(has_parent, order[at], n)
    above = np.append(above, n)  # row n is above all roots, and above itself
    depth = np.append(has_parent.astype(np.int64), 0)
    for _ in range(n.bit_length()):
        depth += depth[above]
        above = above[above]
    return np.argsort(-depth[:n], kind="stable")


def _to_messages(found: Interactions, stored: StoredAgentSpans) -> list[Message]:
    text = stored.vocabulary.text
    rows = np.flatnonzero(found.count > 0)
    pair = found.pair[rows]
    columns = (found.source[pair], found.target[pair], found.type[pair], (found.end_ns - found.duration_ns)[rows])
    return [
        Message(text(source), text(target), InteractionType(kind).label, at_ns, size, bool(is_error))
        for source, target, kind, at_ns, size, is_error in zip(
            *(column.tolist() for column in columns),
            found.payload_bytes[rows].tolist(),
            found.is_error[rows].tolist(),
            strict=True,
        )
    ]


def _to_turns(stored: StoredAgentSpans, used: NDArray[np.float64]) -> list[Turn]:
    spans, text = stored.spans, stored.vocabulary.text
    return [
        Turn(
            agent=text(int(spans.agent[row])),
            caller=text(int(stored.caller[row])),
            start_ns=int(spans.start_ns[row]),
            end_ns=int(spans.end_ns[row]),
            operation=AgentOperation(int(spans.operation[row])).label,
            name=text(int(spans.name[row])),
            model=text(int(spans.model[row])),
            tool=text(int(spans.tool[row])),
            input_tokens=round(used[row, UsageMeasure.INPUT_TOKENS]),
            output_tokens=round(used[row, UsageMeasure.OUTPUT_TOKENS]),
            cost_usd=float(used[row, UsageMeasure.COST_USD]),
            error=_error_of(spans, row, text),
            trace_id=spans.trace_id[row].tobytes().hex(),
            span_id=spans.span_id[row].tobytes().hex(),
        )
        for row in np.lexsort((spans.span_key, spans.start_ns)).tolist()
    ]


def _error_of(spans: AgentSpans, row: int, text: Callable[[int], str]) -> str:
    return text(int(spans.error_type[row])) or ("error" if spans.status[row] == SpanStatus.ERROR else "")


def _to_agents(stored: StoredAgentSpans, used: NDArray[np.float64]) -> tuple[AgentShare, ...]:
    spans, shares = stored.spans, []
    for code in np.unique(spans.agent).tolist():
        rows = np.flatnonzero(spans.agent == code)
        totals = used[rows].sum(axis=0)
        steps = rows[used[rows, UsageMeasure.BUSY_S] > 0]
        shares.append(
            AgentShare(
                agent=stored.vocabulary.text(code),
                turns=len(rows),
                errors=round(totals[UsageMeasure.ERRORS]),
                inferences=round(totals[UsageMeasure.INFERENCES]),
                tool_calls=round(totals[UsageMeasure.TOOL_CALLS]),
                input_tokens=round(totals[UsageMeasure.INPUT_TOKENS]),
                output_tokens=round(totals[UsageMeasure.OUTPUT_TOKENS]),
                cost_usd=float(totals[UsageMeasure.COST_USD]),
                busy_s=covered_ns(spans.start_ns[steps], spans.end_ns[steps]) / _NS_PER_S,
            )
        )
    return tuple(sorted(shares, key=lambda share: share.agent))


def _to_tools(stored: StoredAgentSpans, used: NDArray[np.float64]) -> tuple[ToolShare, ...]:
    spans, tools = stored.spans, []
    calls = np.flatnonzero(used[:, UsageMeasure.TOOL_CALLS] > 0)
    for code in np.unique(spans.tool[calls]).tolist():
        rows = calls[spans.tool[calls] == code]
        totals = used[rows].sum(axis=0)
        busy_s = covered_ns(spans.start_ns[rows], spans.end_ns[rows]) / _NS_PER_S
        tools.append(ToolShare(stored.vocabulary.text(code), len(rows), round(totals[UsageMeasure.ERRORS]), busy_s))
    return tuple(sorted(tools, key=lambda tool: tool.tool))
