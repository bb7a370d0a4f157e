"""What Loki's API works with."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from swarmscope.api.parts import RequestRecord
from swarmscope.api.work import QueryQueue, Runner
from swarmscope.model.contracts import Clock, LogReader
from swarmscope.model.logs import LogRows
from swarmscope.model.matchers import Matcher
from swarmscope.model.series import Selection
from swarmscope.query.logql.engine import LogqlEngine


class LogAdmin(Protocol):
    """Administration of stored lines; each call blocks and may take long."""

    def delete_lines(self, tenant: str, matchers: Sequence[Matcher], start_ns: int, end_ns: int) -> None:
        """Delete the lines of matching streams with start_ns <= ts < end_ns."""
        ...

    def delete_rows(self, selection: Selection, batches: Iterable[LogRows]) -> int:
        """Delete exactly these lines (stream, time and text are told); how many those were."""
        ...


@dataclass(frozen=True, slots=True)
class LokiSettings:
    """Limits of Loki's API beside those of the engine."""

    prefix: str = "/loki"
    query_timeout_s: float = 120.0
    max_response_bytes: int = 1 << 30
    max_tails: int = 100
    tail_pause_s: float = 0.2  # how often a tail looks for new lines
    tail_ends_s: float = 3600.0  # clients come again; Loki's `tail_max_duration`
    retention_s: int | None = None
    discover_service_name: Sequence[str] = ()
    version: str = "0.1.0"


@dataclass(frozen=True, slots=True)
class LokiParts:
    """Everything that Loki's API works with. `admin` is None while the admin endpoints are disabled."""

    engine: LogqlEngine
    reader: LogReader
    clock: Clock
    run: Runner
    queue: QueryQueue
    is_ready: Callable[[], bool] = lambda: True
    admin: LogAdmin | None = None
    run_admin: Runner | None = None
    on_request: Callable[[RequestRecord], None] = lambda record: None
    settings: LokiSettings = field(default_factory=LokiSettings)
