"""A span around a piece of work, whatever form the work has."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from opentelemetry.context import attach, detach
from opentelemetry.trace import Span, SpanKind, Status, StatusCode, set_span_in_context
from opentelemetry.util.types import AttributeValue

from swarmscope.sdk.configuration import current_tracer
from swarmscope.sdk.conversation import CONVERSATION_ID, current_conversation


@dataclass(frozen=True, slots=True)
class SpanPlan:
    """A span that has not started."""

    name: str
    attributes: Mapping[str, AttributeValue] = field(default_factory=dict)
    kind: SpanKind = SpanKind.INTERNAL


class Scope:
    """A started span and the context in which it is the current one. Ends once, with or without an error."""

    def __init__(self, plan: SpanPlan) -> None:
        attributes = dict(plan.attributes)
        if conversation_id := current_conversation():
            attributes.setdefault(CONVERSATION_ID, conversation_id)
        self.span: Span = current_tracer().start_span(plan.name, kind=plan.kind, attributes=attributes)
        self.context = set_span_in_context(self.span)

    def end(self, error: BaseException | None = None) -> None:
        """End the span; a generator that was closed early did not fail."""
        if error is not None and not isinstance(error, GeneratorExit):
            record_failure(self.span, error)
        self.span.end()

    def __enter__(self) -> Span:
        self._token = attach(self.context)
        return self.span

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        detach(self._token)
        self.end(error)


def record_failure(span: Span, error: BaseException) -> None:
    """Tell on the span what went wrong: status, `error.type` and an exception event."""
    span.set_attribute("error.type", type_name(error))
    span.set_status(Status(StatusCode.ERROR, f"{type(error).__name__}: {error}"))
    span.record_exception(error)


def type_name(error: BaseException) -> str:
    """The full name of an exception's class; built-in ones have no module."""
    kind = type(error)
    return kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"
