"""Compiles the kernels of agents, or loads them from Numba's cache, before the first span needs them."""

from __future__ import annotations

import numpy as np

from swarmscope.analysis.agents.conversations import to_conversation
from swarmscope.analysis.agents.edges import to_edges
from swarmscope.analysis.agents.forest import SpanForest
from swarmscope.analysis.agents.graphs import to_graph
from swarmscope.analysis.agents.runs import to_run
from swarmscope.analysis.agents.usage import to_usage
from swarmscope.model.agents import AgentOperation, AgentSpans, Vocabulary
from swarmscope.model.fleet import StoredAgentSpans
from swarmscope.model.labels import Utf8Column

_NAMES = ("a", "b")


def warm_up() -> None:
    """Two agents, one within the other and one after the other in a conversation, through everything."""
    vocabulary = Vocabulary()
    spans = _two_spans(vocabulary)
    forest = SpanForest(vocabulary, 64)
    forest.settle(spans.take(np.array([1])), 0)
    settled = forest.settle(spans, 0)
    edges, usage = to_edges(settled), to_usage(settled)
    to_graph(edges, vocabulary, 1.0, usage)
    forest.open_spans(0)
    forest.expire(1 << 60)
    apart = _two_spans(vocabulary)
    apart.parent_key[:], apart.end_ns[:] = 0, apart.start_ns
    forest = SpanForest(vocabulary, 64)
    to_usage(forest.settle(apart, 0))
    to_edges(forest.expire(1 << 60))
    stored = StoredAgentSpans(settled.spans, settled.caller, vocabulary)
    to_conversation(stored)
    to_run(stored, 1)


def _two_spans(vocabulary: Vocabulary) -> AgentSpans:
    spans = AgentSpans.blank(2)
    spans.span_key[:], spans.parent_key[:] = (1, 2), (0, 1)
    spans.start_ns[:], spans.end_ns[:] = (1, 10**9), (3 * 10**9, 2 * 10**9)
    spans.agent[:] = [vocabulary.code_of(name) for name in _NAMES]
    spans.operation[:] = AgentOperation.CHAT
    spans.input_tokens[:] = 1
    spans.conversation_key[:] = 1
    spans.conversation = Utf8Column.from_strings(list(_NAMES))
    return spans
