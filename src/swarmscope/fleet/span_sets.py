"""Spans of agents out of the store and of memory as one set, in one vocabulary."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from swarmscope.analysis.agents.conversations import to_conversation
from swarmscope.model.agents import TEXT_COLUMNS, AgentSpans, Vocabulary
from swarmscope.model.fleet import ConversationSummary, StoredAgentSpans

Part = tuple[AgentSpans, NDArray[np.uint32]]  # spans, and the agents that they work for


def joined(stored: StoredAgentSpans, parts: Sequence[Part], vocabulary: Vocabulary) -> StoredAgentSpans:
    """All of them in order of their start, codes of `vocabulary`; a span stands once, a stored one before others."""
    spans, caller = in_vocabulary(stored, vocabulary)
    if any(len(part) for _, part in parts):
        spans = AgentSpans.concat([spans, *(part for part, _ in parts)])
        caller = np.concatenate([caller, *(part for _, part in parts)])
    _, first = np.unique(spans.span_key, return_index=True)
    rows = first[np.argsort(spans.start_ns[first], kind="stable")]
    return StoredAgentSpans(spans.take(rows), caller[rows], vocabulary)


def in_vocabulary(stored: StoredAgentSpans, vocabulary: Vocabulary) -> Part:
    """The same spans with codes of another vocabulary."""
    if stored.vocabulary is vocabulary:
        return stored.spans, stored.caller
    spans = replace(stored.spans)
    for name in TEXT_COLUMNS:
        setattr(spans, name, _recoded(getattr(spans, name), stored.vocabulary, vocabulary))
    return spans, _recoded(stored.caller, stored.vocabulary, vocabulary)


def _recoded(codes: NDArray[np.uint32], known: Vocabulary, vocabulary: Vocabulary) -> NDArray[np.uint32]:
    distinct, which = np.unique(codes, return_inverse=True)
    texts = [known.text(code) for code in distinct.tolist()]
    return np.array([vocabulary.code_of(text) for text in texts], np.uint32)[which]


def of_conversation(parts: Sequence[Part], conversation: str) -> list[Part]:
    """The spans of one conversation."""
    found = []
    for spans, caller in parts:
        keys, first = np.unique(spans.conversation_key, return_index=True)
        known = [key for key, row in zip(keys.tolist(), first.tolist(), strict=True)
                 if key and spans.conversation.text(row) == conversation]  # fmt: skip
        rows = np.flatnonzero(np.isin(spans.conversation_key, np.array(known, np.uint64)))
        found.append((spans.take(rows), caller[rows]))
    return found


def of_trace(parts: Sequence[Part], trace_id: bytes) -> list[Part]:
    """The spans of one trace."""
    wanted = np.frombuffer(trace_id, np.uint8)
    rows = [np.flatnonzero((spans.trace_id == wanted).all(axis=1)) for spans, _ in parts]
    return [(spans.take(here), caller[here]) for (spans, caller), here in zip(parts, rows, strict=True)]


def conversation_names(parts: Sequence[Part], start_ns: int, end_ns: int) -> set[str]:
    """Conversations that have spans which end in the range."""
    names: set[str] = set()
    for spans, _ in parts:
        here = np.flatnonzero((spans.conversation_key != 0) & (spans.end_ns >= start_ns) & (spans.end_ns < end_ns))
        _, first = np.unique(spans.conversation_key[here], return_index=True)
        names.update(spans.conversation.text(row) for row in here[first].tolist())
    return names - {""}


def to_summary(conversation: str, found: StoredAgentSpans) -> ConversationSummary:
    """One conversation in a list, out of all of its spans (at least one)."""
    told, spans = to_conversation(found), found.spans
    return ConversationSummary(
        id=conversation,
        begin_ns=told.begin_ns,
        end_ns=told.end_ns,
        agents=tuple(share.agent for share in told.agents),
        traces=len(told.trace_ids),
        spans=len(spans),
        errors=told.errors,
        input_tokens=told.input_tokens,
        output_tokens=told.output_tokens,
        cost_usd=told.cost_usd,
    )
