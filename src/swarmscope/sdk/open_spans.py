"""Telling of spans that have started and not ended: a log record each, so that live and stuck work is visible."""

from __future__ import annotations

import logging
import threading
import time
import weakref
from dataclasses import dataclass

from opentelemetry._logs import LoggerProvider, SeverityNumber
from opentelemetry.sdk.trace import Span
from opentelemetry.trace import INVALID_SPAN_ID, SpanContext, format_span_id, set_span_in_context
from opentelemetry.util.types import AttributeValue

from swarmscope.sdk.forking import call_after_fork

OPEN_SPAN_EVENT = "agent.span.open"
_OF_THE_RESOURCE = ("gen_ai.agent.name", "gen_ai.agent.version", "agent.team")
_NS = 1_000_000_000
_logger = logging.getLogger("swarmscope.sdk")


@dataclass(slots=True)
class _OpenSpan:
    span: weakref.ref[Span]  # a span that the program has lost is not announced, nor kept
    due_ns: int


class OpenSpanAnnouncer:
    """Announces spans that have been open for `after_s`, again every `every_s`.

    One thread for all of them, started with the first span. At most `max_open` spans are watched; those beyond are
    counted in `n_not_watched`.
    """

    def __init__(self, provider: LoggerProvider, after_s: float, every_s: float, max_open: int) -> None:
        self._log = provider.get_logger("swarmscope.sdk")
        self._after_ns, self._every_ns = int(after_s * _NS), int(every_s * _NS)
        self._max_open = max_open
        # A span may open at any time, and is then due `after_s` later: looking that often is often enough.
        self._pause_s = min(after_s / 4, every_s)
        self.n_not_watched = 0
        self._stopped = threading.Event()
        self._forget()
        call_after_fork(self)

    def _forget(self) -> None:
        # Re-entrant: the span that a finaliser ends may be one of those looked at.
        self._lock = threading.RLock()
        self._open: dict[tuple[int, int], _OpenSpan] = {}
        self._thread: threading.Thread | None = None

    def __len__(self) -> int:
        return len(self._open)

    def started(self, span: Span) -> None:
        """Watch a span."""
        context = span.get_span_context()
        if context is None or not context.trace_flags.sampled:
            return
        with self._lock:
            if len(self._open) >= self._max_open or self._stopped.is_set():
                self.n_not_watched += 1
                return
            due_ns = time.monotonic_ns() + self._after_ns
            self._open[context.trace_id, context.span_id] = _OpenSpan(weakref.ref(span), due_ns)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="swarmscope-sdk-open-spans", daemon=True)
                self._thread.start()

    def ended(self, context: SpanContext) -> None:
        """Watch it no longer."""
        with self._lock:
            self._open.pop((context.trace_id, context.span_id), None)

    def stop(self) -> None:
        """Announce nothing more."""
        self._stopped.set()
        with self._lock:
            self._open.clear()

    def start_over(self) -> None:
        """After a fork, in the child: open spans are the parent's."""
        if not self._stopped.is_set():
            self._stopped = threading.Event()
        self._forget()

    def _run(self) -> None:
        while not self._stopped.wait(self._pause_s):
            try:
                self.announce_due(time.monotonic_ns())
            except Exception:
                _logger.exception("open spans could not be announced")

    def announce_due(self, now_ns: int) -> int:
        """Announce what is due at `now_ns` (of `time.monotonic_ns`); how many were."""
        with self._lock:
            due = [(key, entry) for key, entry in self._open.items() if entry.due_ns <= now_ns]
        n = 0
        for key, entry in due:
            span = entry.span()
            if span is None:
                with self._lock:
                    self._open.pop(key, None)
            elif span.is_recording():
                entry.due_ns = now_ns + self._every_ns
                self._announce(span)
                n += 1
        return n

    def _announce(self, span: Span) -> None:
        attributes: dict[str, AttributeValue] = dict(span.attributes or {})
        if "gen_ai.agent.name" not in attributes:
            # A receiver of the record alone does not see whose process this is.
            told = span.resource.attributes
            attributes |= {name: told[name] for name in _OF_THE_RESOURCE if told.get(name)}
        parent_id = span.parent.span_id if span.parent is not None else INVALID_SPAN_ID
        attributes["span.parent_id"] = format_span_id(parent_id) if parent_id != INVALID_SPAN_ID else ""
        attributes["span.name"] = span.name
        attributes["span.kind"] = span.kind.name
        attributes["span.start_ns"] = span.start_time or 0
        self._log.emit(
            timestamp=time.time_ns(),
            context=set_span_in_context(span),
            severity_number=SeverityNumber.INFO,
            attributes=attributes,
            event_name=OPEN_SPAN_EVENT,
        )
