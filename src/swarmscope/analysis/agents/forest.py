"""Whose work a span is: what its ancestors say is handed down to it, in whatever order spans arrive."""

from __future__ import annotations

from swarmscope.analysis.agents.settled import OpenSpans, Settled
from swarmscope.model.agents import AgentSpans, Vocabulary

_PATIENCE_NS = 600 * 10**9


class SpanForest:
    """The spans of one tenant as far as they are needed to tell whose work others are. Not thread-safe."""

    def __init__(self, vocabulary: Vocabulary, max_spans: int = 1 << 20, patience_ns: int = _PATIENCE_NS) -> None:
        """Nothing is known yet; `patience_ns` is how long after its arrival a span waits for its ancestors."""
        raise NotImplementedError

    def settle(self, spans: AgentSpans, now_ns: int) -> Settled:
        """Take spans in; all of these and of earlier ones whose ancestors are known now, children before parents."""
        raise NotImplementedError

    def expire(self, now_ns: int) -> Settled:
        """Spans that waited too long, with what is known of their ancestors; call it every few seconds."""
        raise NotImplementedError

    def open_spans(self, now_ns: int) -> OpenSpans:
        """Announced spans that have not ended, nor fallen silent for longer than the patience."""
        raise NotImplementedError
