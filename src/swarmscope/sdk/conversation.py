"""Which conversation work belongs to: kept in OpenTelemetry's context, carried on as W3C baggage."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from opentelemetry import baggage
from opentelemetry.context import Context, attach, detach

CONVERSATION_ID = "gen_ai.conversation.id"


@contextmanager
def conversation(conversation_id: str) -> Iterator[str]:
    """Inside, spans of agents, tools and workflows carry this conversation's id, here and in whom they call."""
    token = attach(baggage.set_baggage(CONVERSATION_ID, conversation_id))
    try:
        yield conversation_id
    finally:
        detach(token)


def current_conversation(context: Context | None = None) -> str:
    """The conversation's id; empty outside of any."""
    found = baggage.get_baggage(CONVERSATION_ID, context)
    return found if isinstance(found, str) else ""
