"""What Tempo's API works with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from swarmscope.api.parts import RequestRecord
from swarmscope.api.traces.whole_traces import MAX_WHOLE_SPANS
from swarmscope.api.work import QueryQueue, Runner
from swarmscope.model.contracts import Clock, SpanReader
from swarmscope.query.settings import EngineSettings
from swarmscope.query.traceql.engine import TraceqlEngine

_MIB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class TempoSettings:
    """Limits of Tempo's API beside those of the engine."""

    prefix: str = "/tempo"
    query_timeout_s: float = 120.0
    max_spans: int = EngineSettings.max_samples  # that one query may read
    max_read_bytes: int | None = None  # that the store may take for one query
    max_whole_spans: int = MAX_WHOLE_SPANS  # of a trace that is read whole
    max_trace_bytes: int = 64 * _MIB  # of one trace in an answer, as protobuf; 0 for no limit
    max_traces: int = 10_000  # of one search
    max_tag_values: int = 10_000  # of one tag
    version: str = "0.1.0"


@dataclass(frozen=True, slots=True)
class TempoParts:
    """Everything that Tempo's API works with."""

    engine: TraceqlEngine
    reader: SpanReader
    clock: Clock
    run: Runner
    queue: QueryQueue
    is_ready: Callable[[], bool] = lambda: True
    on_request: Callable[[RequestRecord], None] = lambda record: None
    settings: TempoSettings = field(default_factory=TempoSettings)
