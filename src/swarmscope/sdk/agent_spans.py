"""A span processor for agents: who runs where, what an analysis should see, what somebody should be told at once."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from dataclasses import dataclass

from opentelemetry._logs import LoggerProvider, get_logger_provider
from opentelemetry.context import Context
from opentelemetry.sdk.trace import ReadableSpan, Span, SpanProcessor
from opentelemetry.util.types import AttributeValue

from swarmscope.sdk.open_spans import OpenSpanAnnouncer
from swarmscope.sdk.settings import AlertHook, AnalyticsHook

PHI = "intelligence.phi"
_logger = logging.getLogger("swarmscope.sdk")
# What the conventions for agents begin their attributes with; `agi.` is not among them, all spans have that.
_AGENT_PREFIXES = (
    "gen_ai.", "agent.", "mcp.", "a2a.", "intelligence.", "module.", "pathway.", "llm.", "openinference.", "traceloop.",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class AgentSpanSettings:
    """What an `AgentSpanProcessor` is told.

    Version and environment that are not given are those of AGI_VERSION and AGI_ENVIRONMENT, else of the resource; what
    nobody says is not set.
    """

    version: str = ""
    environment: str = ""
    phi_threshold: float = 0.8
    announce_after_s: float = 1.0
    announce_every_s: float = 10.0
    max_open_spans: int = 10_000


class AgentSpanProcessor(SpanProcessor):
    """Marks spans at their start, hands agents' spans to the hooks at their end, and announces those that stay open.

    Hooks are called in the thread that ended the span; they should be quick. What they raise is logged and goes no
    further. `alert(span, phi)` is called when `intelligence.phi` is above the threshold.
    """

    def __init__(
        self,
        settings: AgentSpanSettings | None = None,
        *,
        analytics: AnalyticsHook | None = None,
        alert: AlertHook | None = None,
        logger_provider: LoggerProvider | None = None,
    ) -> None:
        self._settings = told = settings or AgentSpanSettings()
        self._version = told.version or os.environ.get("AGI_VERSION", "")
        self._environment = told.environment or os.environ.get("AGI_ENVIRONMENT", "")
        self._analytics, self._alert = analytics, alert
        self.announcer = OpenSpanAnnouncer(
            logger_provider or get_logger_provider(), told.announce_after_s, told.announce_every_s, told.max_open_spans
        )

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        """Set `agi.version` and `agi.environment`, and watch the span. Never raises."""
        try:
            resource = span.resource.attributes
            for name, value in (
                ("agi.version", self._version or _first(resource, "agi.version", "service.version")),
                ("agi.environment", self._environment or _first(resource, "agi.environment", *_ENVIRONMENTS)),
            ):
                if value:
                    span.set_attribute(name, value)
            self.announcer.started(span)
        except Exception:
            _logger.exception("a span could not be watched")

    def on_end(self, span: ReadableSpan) -> None:
        """Call the hooks. Never raises."""
        try:
            context = span.get_span_context()
            if context is not None:
                self.announcer.ended(context)
            attributes = span.attributes or {}
            if self._analytics is not None and is_agent_span(attributes):
                self._analytics(span)
        except Exception:
            _logger.exception("the analytics hook failed")
        self._watch_phi(span)

    def _watch_phi(self, span: ReadableSpan) -> None:
        phi = (span.attributes or {}).get(PHI)
        if self._alert is None or isinstance(phi, bool) or not isinstance(phi, int | float):
            return
        if phi > self._settings.phi_threshold:
            try:
                self._alert(span, float(phi))
            except Exception:
                _logger.exception("the alert hook failed")

    def shutdown(self) -> None:
        """Announce nothing more."""
        self.announcer.stop()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Nothing waits here."""
        return True


_ENVIRONMENTS = ("deployment.environment.name", "deployment.environment")


def _first(attributes: Mapping[str, AttributeValue], *names: str) -> str:
    return next((str(attributes[name]) for name in names if attributes.get(name)), "")


def is_agent_span(attributes: Mapping[str, AttributeValue]) -> bool:
    """Whether a span tells of an agent, its tools, models, messages or mind, by any convention."""
    return any(name.startswith(_AGENT_PREFIXES) for name in attributes)
