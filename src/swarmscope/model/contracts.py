"""The joints of the system: who may call what, who owns the buffers, what holds after a partial failure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from swarmscope.model.agents import AgentSpans
from swarmscope.model.alerts import Alert, Notification
from swarmscope.model.fleet import (
    AgentRecord,
    AgentSpanRequest,
    ConversationSummary,
    Edges,
    Finding,
    FleetRows,
    StoredAgentSpans,
    Usage,
)
from swarmscope.model.logs import LineCounts, LineRequest, LogBatch, LogRows
from swarmscope.model.matchers import Matcher
from swarmscope.model.metrics import HistogramColumns, MetricBatch
from swarmscope.model.series import RollupColumns, SampleColumns, Selection, SymbolTable
from swarmscope.model.spans import (
    AttributeScope,
    Operation,
    Resources,
    Scopes,
    SpanBatch,
    SpanCounts,
    SpanRequest,
    SpanRows,
)


class Clock(Protocol):
    """Where the time comes from; tests hand in a fake."""

    def now_ns(self) -> int:
        """Wall clock, Unix nanoseconds."""
        ...


@dataclass(slots=True)
class Receipt:
    """What became of a batch. `refused` maps a reason, fit for the sender to read, to a count of samples, lines
    or spans.

    `retryable` is true when at least one refusal may pass later (an active-series limit), false when the
    same data would be refused again (a label that is too long). `limit` is the first limit's name.
    """

    samples: int = 0
    histograms: int = 0
    exemplars: int = 0
    lines: int = 0
    spans: int = 0
    refused: dict[str, int] = field(default_factory=dict)
    retryable: bool = False
    limit: str | None = None


class SeriesIndex(Protocol):
    """What the write path may ask the catalogue: is this series known?"""

    def resolve(self, tenant: str, keys: NDArray[np.uint64]) -> NDArray[np.int64]:
        """Catalogue numbers for wire keys [n], UNKNOWN_SERIES where a key is new. Thread-safe, no I/O."""
        ...

    @property
    def seed(self) -> int:
        """The 64-bit seed that every wire key MUST be hashed with: random per process, against forged collisions."""
        ...


class Sink(Protocol):
    """Takes batches. Wrappers are sinks around a sink; the innermost one commits."""

    def write_metrics(self, batch: MetricBatch) -> Receipt:
        """Return when all that was not refused is durable; blocks, so call it from a worker thread.

        The sink owns the batch from here on and may change it. Buffers that the batch's columns point into MUST
        stay unchanged until the call returns. Raises LimitExceededError or UnavailableError when nothing of
        the batch was taken; a partial refusal is told in the receipt, and the rest is durable.
        """
        ...


class LogSink(Protocol):
    """Takes lines; what `Sink` says of buffers, threads, durability and failure holds here too."""

    def write_logs(self, batch: LogBatch) -> Receipt:
        """Return when all that was not refused is durable; `lines` of the receipt says how many."""
        ...


class Cancellation(Protocol):
    """Asked by whoever works long; raises to end the work. Thread-safe."""

    @property
    def remaining_s(self) -> float:
        """Seconds until `check` raises by itself, `inf` where time does not end the work."""
        ...

    def check(self) -> None:
        """Raise QueryTimeoutError or QueryCancelledError when the query should end, else return at once."""
        ...


@dataclass(slots=True)
class ReadBudget:
    """What one query may still fetch. `max_samples` counts samples held in memory at once for the query.

    `max_bytes` bounds what the store itself may take for one statement of the query.
    """

    cancellation: Cancellation
    max_samples: int
    used_samples: int = 0
    max_bytes: int | None = None


@dataclass(frozen=True, slots=True)
class Exemplars:
    """Exemplars of n series in time order: (ts_ms, value, labels) lists by position in the selection."""

    by_series: dict[int, list[tuple[int, float, dict[str, str]]]]


@dataclass(frozen=True, slots=True)
class MetricMetadata:
    """One metric family's type, unit and help text."""

    kind: str
    unit: str
    help: str


class Reader(Protocol):
    """Gives metrics back. Time ranges are closed: start_ms <= ts <= end_ms. Results belong to the caller.

    Whatever a `Sink` has acknowledged is seen by reads that begin afterwards.
    """

    @property
    def symbols(self) -> SymbolTable:
        """The strings behind label codes."""
        ...

    def select_series(self, tenant: str, matchers: Sequence[Matcher], start_ms: int, end_ms: int) -> Selection:
        """Series that match all matchers and may have samples in the range (a superset in time is allowed).

        Raises QueryFailedError on a bad regex. No matcher at all means every series.
        """
        ...

    def read_samples(self, selection: Selection, start_ms: int, end_ms: int, budget: ReadBudget) -> SampleColumns:
        """Float samples of the selection. Raises LimitExceededError when the budget's samples are used up."""
        ...

    @property
    def rollup_resolutions_ms(self) -> tuple[int, ...]:
        """Bucket widths that `read_rollups` knows, ascending; () where there are none."""
        ...

    def read_rollups(
        self, selection: Selection, resolution_ms: int, range_ms: tuple[int, int], budget: ReadBudget
    ) -> RollupColumns:
        """Buckets whose end lies in (start, end], exact: what rollups do not know yet is made from samples.

        Raises ValueError where start or end is not a multiple of the resolution.
        """
        ...

    def read_histograms(self, selection: Selection, start_ms: int, end_ms: int, budget: ReadBudget) -> HistogramColumns:
        """Native histograms; `series` is the position in the selection; sorted by (series, ts_ms), unique."""
        ...

    def read_exemplars(self, selection: Selection, start_ms: int, end_ms: int) -> Exemplars:
        """Exemplars of the selection."""
        ...

    def label_names(self, tenant: str, matchers: Sequence[Sequence[Matcher]], start_ms: int, end_ms: int) -> list[str]:
        """Sorted names of labels on series that match any of the matcher lists (all series if none is given)."""
        ...

    def label_values(
        self, tenant: str, name: str, matchers: Sequence[Sequence[Matcher]], start_ms: int, end_ms: int
    ) -> list[str]:
        """Sorted values of one label, as `label_names`."""
        ...

    def metadata(self, tenant: str) -> dict[str, list[MetricMetadata]]:
        """All known metadata by metric family."""
        ...


class Following(Protocol):
    """Lines as they are committed. Close it when done; whoever is slow loses lines, and is told how many."""

    def next(self, timeout_s: float) -> tuple[list[LogRows], int]:
        """What was committed since the last call, and how many lines were dropped; waits for at most `timeout_s`."""
        ...

    def selection(self) -> Selection:
        """What the rows' `stream` points into; it only grows."""
        ...

    def close(self) -> None:
        """Stop following."""
        ...


class LogReader(Protocol):
    """Gives logs back. Times are nanoseconds, ranges half-open: start_ns <= ts < end_ns.

    Whatever a `LogSink` has acknowledged is seen by reads that begin afterwards. Results belong to the caller.
    """

    @property
    def symbols(self) -> SymbolTable:
        """The strings behind stream labels' codes."""
        ...

    def select_streams(self, tenant: str, matchers: Sequence[Matcher], start_ns: int, end_ns: int) -> Selection:
        """Streams that match all matchers and may have lines in the range (a superset in time is allowed)."""
        ...

    def label_names(self, tenant: str, matchers: Sequence[Sequence[Matcher]], start_ns: int, end_ns: int) -> list[str]:
        """Sorted names of stream labels, as `Reader.label_names`."""
        ...

    def label_values(
        self, tenant: str, name: str, matchers: Sequence[Sequence[Matcher]], start_ns: int, end_ns: int
    ) -> list[str]:
        """Sorted values of one stream label."""
        ...

    def shape_names(self, shape: int) -> tuple[str, ...]:
        """The metadata names that a line of this shape has values for, in the values' order."""
        ...

    def metadata_names(self) -> frozenset[str]:
        """Names of metadata that any line may have, as senders wrote them; those with columns of their own aside."""
        ...

    def scan_lines(self, selection: Selection, request: LineRequest, budget: ReadBudget) -> Iterator[LogRows]:
        """All lines of the request in batches of some 100,000, in any order of batches.

        Raises LimitExceededError when the budget's samples (lines here) or bytes are used up.
        """
        ...

    def walk_lines(
        self, selection: Selection, request: LineRequest, budget: ReadBudget, *, backward: bool, batch_lines: int
    ) -> Iterator[LogRows]:
        """Lines in order of time: every batch is all of a slice of time behind (`backward`: before) the last one's.

        The first slices hold about `batch_lines` lines, so who needs the newest thousand stops early.
        """
        ...

    @property
    def count_grain_ns(self) -> int:
        """Width of the buckets of `count_lines`; multiples of it since the epoch are their ends."""
        ...

    def count_lines(self, selection: Selection, range_ns: tuple[int, int], budget: ReadBudget) -> LineCounts:
        """Lines in (start, end], exact. Raises ValueError where start or end is no multiple of the grain."""
        ...

    def follow(self, tenant: str, matchers: Sequence[Matcher]) -> Following:
        """Lines of matching streams from now on."""
        ...


class SpanSink(Protocol):
    """Takes spans; what `Sink` says of buffers, threads, durability and failure holds here too."""

    def write_spans(self, batch: SpanBatch) -> Receipt:
        """Return when all that was not refused is durable; `spans` of the receipt says how many."""
        ...


class TraceJudge(Protocol):
    """Decides, per trace, what is kept. Thread-safe. Asked when spans go from the journal to where they stay."""

    def weigh(
        self, tenant: str, trace_id: NDArray[np.uint8], keep: NDArray[np.uint8], share: NDArray[np.float32]
    ) -> NDArray[np.float32]:
        """The weight [n] of each span (`SpanRows.weight`), 0 where its trace is not kept.

        All of `SpanBatch`'s columns of these names. A trace's first answer stands: later spans get the same.
        """
        ...

    @property
    def patience_s(self) -> float:
        """How long spans should wait before they are weighed, so that their trace is complete; 0: not at all."""
        ...


class SpanReader(Protocol):
    """Gives spans back. Times are nanoseconds, ranges half-open: start_ns <= a span's start < end_ns.

    Whatever a `SpanSink` has acknowledged is seen by reads that begin afterwards, until a `TraceJudge` lets it go.
    Results belong to the caller. A span that was sent twice (same trace, span id and start) stands once.
    """

    def resources(self) -> Resources:
        """All resources by number; it only grows. Numbers are of all tenants."""
        ...

    def scopes(self) -> Scopes:
        """All instrumentation scopes by number; it only grows."""
        ...

    def scan_spans(self, tenant: str, request: SpanRequest, budget: ReadBudget) -> Iterator[SpanRows]:
        """All spans of the request in batches of some 100,000, in any order.

        Raises LimitExceededError when the budget's samples (spans here) or bytes are used up.
        """
        ...

    def count_spans(self, tenant: str, start_ns: int, steps: tuple[int, int], budget: ReadBudget) -> SpanCounts:
        """All spans by resource and step, without reading them one by one. `steps`: width in nanoseconds, number.

        Step k has the spans with start_ns + k * width < a span's start <= start_ns + (k + 1) * width.
        """
        ...

    def walk_spans(
        self, tenant: str, request: SpanRequest, budget: ReadBudget, *, batch_spans: int
    ) -> Iterator[SpanRows]:
        """Spans from the newest on: every batch is all of a slice of time before the last one's.

        The first slices hold about `batch_spans` spans, so who needs the newest traces stops early.
        """
        ...

    def find_traces(
        self, tenant: str, trace_ids: NDArray[np.uint8], budget: ReadBudget, request: SpanRequest | None = None
    ) -> SpanRows:
        """Every span of the traces [n, TRACE_ID_BYTES], whole unless `request` says less; its times bound them."""
        ...

    def operations(self, tenant: str, start_ns: int, end_ns: int) -> list[Operation]:
        """Operations that have spans in the range (a superset in time is allowed), sorted."""
        ...

    def attribute_names(self, tenant: str, scope: AttributeScope, start_ns: int, end_ns: int) -> list[str]:
        """Sorted names of attributes of one scope (a superset in time is allowed)."""
        ...

    def attribute_values(
        self, tenant: str, name: str, request: SpanRequest, budget: ReadBudget, max_values: int
    ) -> list[tuple[int, bytes]]:
        """Distinct values (ValueKind, bytes) of a span attribute in spans that fulfil the request's conditions.

        Here the conditions are exact. At most `max_values`, any of them.
        """
        ...


class SpanObserver(Protocol):
    """Is told of spans that a sink has taken. Thread-safe; it never raises, and never waits for long."""

    def observe_spans(self, spans: AgentSpans) -> None:
        """Spans of one batch, all of them, before sampling; they belong to the observer from here on."""
        ...


class FleetSink(Protocol):
    """Keeps what was found of the fleet."""

    def write_fleet(self, rows: FleetRows) -> None:
        """Return when the rows are in parts. A call that failed may be made again: nothing is counted twice.

        Codes are of the process's `Vocabulary`. Raises UnavailableError when nothing was taken.
        """
        ...


class FleetReader(Protocol):
    """Gives the fleet's past back. Times are nanoseconds, ranges half-open. Results belong to the caller.

    What was written is seen at once. Minutes count as a whole when their start lies in the range.
    """

    def read_edges(self, tenant: str, start_ns: int, end_ns: int, *, by_minute: bool = False) -> Edges:
        """Edges of the range, one row for source, target, type and versions; `minute_ns` is 0 unless `by_minute`."""
        ...

    def read_usage(
        self, tenant: str, start_ns: int, end_ns: int, by: tuple[str, ...], *, by_minute: bool = False
    ) -> Usage:
        """Usage summed over all but the columns `by` (names of `Usage`'s columns); those are NO_TEXT or 0."""
        ...

    def read_agents(self, tenant: str) -> list[AgentRecord]:
        """All agents ever seen, by name."""
        ...

    def read_findings(self, tenant: str, start_ns: int, end_ns: int) -> list[Finding]:
        """Findings that lasted in the range, the newest first."""
        ...

    def read_agent_spans(self, tenant: str, request: AgentSpanRequest) -> StoredAgentSpans:
        """Spans of agents as they were normalised, at most `max_spans` of them (the newest)."""
        ...

    def conversations(
        self, tenant: str, start_ns: int, end_ns: int, max_conversations: int
    ) -> list[ConversationSummary]:
        """Conversations that have spans in the range, the newest first."""
        ...


class CommitObserver(Protocol):
    """Is told what was committed, right after reads see it. Thread-safe; it never raises, and never waits.

    Series and streams are catalogue numbers of all tenants, in any order, possibly more than once; lent for the call.
    """

    def metrics_committed(self, series: NDArray[np.int64]) -> None:
        """Series [n] that have new samples."""
        ...

    def logs_committed(self, streams: NDArray[np.int64]) -> None:
        """Streams [n] that have new lines."""
        ...

    def spans_committed(self) -> None:
        """There are new spans."""
        ...


class AlertSink(Protocol):
    """Takes alerts of rules and senders. Thread-safe."""

    def take_alerts(self, alerts: Sequence[Alert]) -> None:
        """Route them; returns when they are remembered, before anybody is told. Never raises."""
        ...


class Notifier(Protocol):
    """One integration of a receiver: says a notification to the outside."""

    @property
    def kind(self) -> str:
        """`webhook`, `pagerduty`, `slack` …: the label of counters."""
        ...

    @property
    def sends_resolved(self) -> bool:
        """Whether it wants to be told of the end."""
        ...

    async def notify(self, notification: Notification, note: Mapping[str, str]) -> Mapping[str, str]:
        """Try once. `note` is what the last success for this group gave back (a message's id); the new one is kept.

        Raises NotifyFailedError; cancelled when the time that the group has is over.
        """
        ...


class StateStore(Protocol):
    """Small records that outlive the process: by kind (`silence`, `rule` …) and key. Thread-safe."""

    def load(self, kind: str) -> dict[str, bytes]:
        """All records of a kind."""
        ...

    def write(self, kind: str, records: Mapping[str, bytes | None]) -> None:
        """Put records, or delete them (None), all or none; they are on disk on return. Raises UnavailableError."""
        ...
