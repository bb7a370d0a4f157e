"""What Jaeger's and Zipkin's API work with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from swarmscope.api.parts import RequestRecord
from swarmscope.api.traces.whole_traces import MAX_WHOLE_SPANS
from swarmscope.api.work import QueryQueue
from swarmscope.model.contracts import Clock, SpanReader
from swarmscope.query.promql import PromqlEngine
from swarmscope.query.settings import EngineSettings


@dataclass(frozen=True, slots=True)
class TraceApiSettings:
    """Limits of one API of traces. `prefix`: what all its paths begin with."""

    prefix: str
    query_timeout_s: float = 120.0
    max_spans: int = EngineSettings.max_samples  # that one query may hold
    max_read_bytes: int | None = None  # that the store may take for one query
    max_traces: int = 10_000  # of one search
    max_whole_spans: int = MAX_WHOLE_SPANS  # of the traces in one answer
    version: str = "0.1.0"


@dataclass(frozen=True, slots=True)
class TraceApiParts:
    """Everything that one API of traces works with. `metrics` answers what is asked of metrics of spans."""

    reader: SpanReader
    metrics: PromqlEngine
    clock: Clock
    queue: QueryQueue
    settings: TraceApiSettings
    is_ready: Callable[[], bool] = lambda: True
    on_request: Callable[[RequestRecord], None] = lambda record: None
