"""One agent tells another something: a span on either side, joined by W3C headers."""

from __future__ import annotations

import inspect
import json
import logging
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TypeVar, cast

from opentelemetry import baggage
from opentelemetry.baggage.propagation import W3CBaggagePropagator
from opentelemetry.context import Context, attach, detach
from opentelemetry.propagators.composite import CompositePropagator
from opentelemetry.trace import Span, SpanKind
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from opentelemetry.util.types import AttributeValue

from swarmscope.sdk.emergence import trace_consciousness_emergence
from swarmscope.sdk.intelligence.computation import Computation
from swarmscope.sdk.scopes import Scope, SpanPlan
from swarmscope.sdk.telemetry import Telemetry

SOURCE, TARGET, INTERACTION_TYPE = "agent.source", "agent.target", "interaction.type"
Headers = dict[str, str]
Payload = TypeVar("Payload")
Result = TypeVar("Result")
ReceivedHeaders = Mapping[Any, Any] | Iterable[tuple[Any, Any]]
_logger = logging.getLogger("swarmscope.sdk")
# These two whatever OTEL_PROPAGATORS says: the other side's `receive_agent_interaction` reads them.
_W3C = CompositePropagator([TraceContextTextMapPropagator(), W3CBaggagePropagator()])


class MultiAgentTracer:
    """Traces what agents tell each other. Spans go where this SDK is configured to send them, or to `telemetry`."""

    def __init__(self, telemetry: Telemetry | None = None) -> None:
        self._telemetry = telemetry

    def trace_agent_interaction(
        self,
        source_agent: str,
        target_agent: str,
        interaction_type: str,
        payload: Payload,
        send: Callable[[Payload, Headers], Result],
    ) -> Result:
        """Call `send(payload, headers)` inside a span `{source}_to_{target}`, and give what it gives.

        `headers` are W3C's `traceparent`, `tracestate` and `baggage`, to be sent along: `receive_agent_interaction`
        reads them on the other side. An async `send` gives an awaitable, and the span lasts until that is done.
        What `send` raises is told on the span and raised again.
        """
        interaction = _Interaction(self._telemetry, source_agent, target_agent, interaction_type)
        if inspect.iscoroutinefunction(send):
            # The span starts when it is awaited, as the sending does.
            return cast(Result, _sent(interaction, payload, send))
        interaction.start(payload)
        token = attach(interaction.scope.context)
        try:
            result = send(payload, interaction.headers())
        except BaseException as error:
            interaction.end(error)
            raise
        finally:
            detach(token)
        if inspect.isawaitable(result):
            return cast(Result, _finished(interaction, result))
        interaction.end()
        return result

    def trace_consciousness_emergence(self, brain_state: object, computation: Computation | None = None) -> None:
        """Spans of a brain state's modules and pathways: see `sdk.trace_consciousness_emergence`."""
        with _going_to(self._telemetry):
            trace_consciousness_emergence(brain_state, computation)


@contextmanager
def _going_to(telemetry: Telemetry | None) -> Iterator[None]:
    if telemetry is None:
        yield
    else:
        with telemetry.use():
            yield


class _Interaction:
    """The sending side of one interaction."""

    def __init__(self, telemetry: Telemetry | None, source: str, target: str, kind: str) -> None:
        self._telemetry, self._source, self._target, self._kind = telemetry, source, target, kind

    def start(self, payload: object) -> None:
        attributes: dict[str, AttributeValue] = {
            SOURCE: self._source, TARGET: self._target, INTERACTION_TYPE: self._kind
        }  # fmt: skip
        size = payload_bytes(payload)
        if size is not None:
            attributes["payload.size"] = size
        with _going_to(self._telemetry):
            self.scope = Scope(SpanPlan(f"{self._source}_to_{self._target}", attributes, SpanKind.CLIENT))
        self._start_s = time.perf_counter()

    def headers(self) -> Headers:
        """What joins the other side's span to this one."""
        context = self.scope.context
        for name, value in ((SOURCE, self._source), (TARGET, self._target), (INTERACTION_TYPE, self._kind)):
            context = baggage.set_baggage(name, value, context)
        headers: Headers = {}
        _W3C.inject(headers, context)
        return headers

    def end(self, error: BaseException | None = None) -> None:
        self.scope.span.set_attribute("response.success", error is None)
        self.scope.span.set_attribute("response.latency", time.perf_counter() - self._start_s)
        self.scope.end(error)


async def _sent(interaction: _Interaction, payload: Any, send: Callable[[Any, Headers], Any]) -> Any:
    interaction.start(payload)
    # A coroutine function runs nothing before it is awaited.
    return await _finished(interaction, send(payload, interaction.headers()))


async def _finished(interaction: _Interaction, result: Awaitable[Any]) -> Any:
    token = attach(interaction.scope.context)
    try:
        value = await result
    except BaseException as error:
        interaction.end(error)
        raise
    finally:
        detach(token)
    interaction.end()
    return value


def payload_bytes(payload: object) -> int | None:
    """Bytes of what is handed over: of bytes themselves, of text in UTF-8, of all else as JSON; None if it is none."""
    if isinstance(payload, bytes | bytearray | memoryview):
        return memoryview(payload).nbytes
    try:
        text = payload if isinstance(payload, str) else json.dumps(payload, ensure_ascii=False, separators=(",", ":"))
        return len(text.encode())
    except (TypeError, ValueError, RecursionError):
        return None


@contextmanager
def receive_agent_interaction(
    headers: ReceivedHeaders, *, source_agent: str = "", target_agent: str = "", interaction_type: str = ""
) -> Iterator[Span]:
    """The receiving side: a span `{source}_to_{target}` of kind SERVER, child of the sender's.

    `headers` are those of the request: a mapping or pairs, text or bytes, in any case. They name both agents, the kind
    of interaction and the conversation where the sender uses this SDK; arguments come first. Inside, the span is the
    current one and the conversation is the sender's. What is raised inside is told on the span and goes on.
    """
    context = _extracted(headers)
    source = source_agent or _told(context, SOURCE)
    target = target_agent or _told(context, TARGET)
    attributes: dict[str, AttributeValue] = {
        SOURCE: source,
        TARGET: target,
        INTERACTION_TYPE: interaction_type or _told(context, INTERACTION_TYPE),
        "gen_ai.agent.name": target,
    }
    for name in (SOURCE, TARGET, INTERACTION_TYPE):  # of this interaction, not of those that follow from it
        context = baggage.remove_baggage(name, context)
    name = f"{source}_to_{target}" if source and target else "receive_agent_interaction"
    plan = SpanPlan(name, {key: value for key, value in attributes.items() if value}, SpanKind.SERVER)
    token = attach(context)
    try:
        with Scope(plan) as span:
            yield span
    finally:
        detach(token)


def _extracted(headers: ReceivedHeaders) -> Context:
    carrier: dict[str, str] = {}
    try:
        for key, value in headers.items() if isinstance(headers, Mapping) else headers:
            # WSGI's environment calls them HTTP_….
            name = _text(key).lower().removeprefix("http_")
            if name in ("traceparent", "tracestate", "baggage"):
                carrier[name] = f"{carrier[name]},{_text(value)}" if name in carrier else _text(value)
    except Exception:
        _logger.warning("headers of an interaction cannot be read", exc_info=True)
    # Whatever was current here before has nothing to do with the request.
    return _W3C.extract(carrier, Context())


def _text(value: object) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else str(value)


def _told(context: Context, name: str) -> str:
    found = baggage.get_baggage(name, context)
    return found if isinstance(found, str) else ""
