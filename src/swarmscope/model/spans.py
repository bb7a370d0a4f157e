"""Traces: spans on their way in (one batch is what one request brought) and on their way out, in columns.

The model is OpenTelemetry's: https://opentelemetry.io/docs/specs/otel/trace/api/#span. Other protocols are mapped to
it, and back.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum, IntFlag, StrEnum

import numpy as np
from numpy.typing import NDArray

from swarmscope.model.attributes import AttributeSets, ValueColumn
from swarmscope.model.labels import DEFAULT_TENANT, Utf8Column
from swarmscope.model.logs import SPAN_ID_BYTES, TRACE_ID_BYTES
from swarmscope.model.runs_of_entries import taken_runs


class SpanKind(IntEnum):
    """The part that a span plays (opentelemetry.proto.trace.v1.Span.SpanKind)."""

    UNSPECIFIED = 0
    INTERNAL = 1
    SERVER = 2
    CLIENT = 3
    PRODUCER = 4
    CONSUMER = 5


class SpanStatus(IntEnum):
    """How a span ended (opentelemetry.proto.trace.v1.Status.StatusCode)."""

    UNSET = 0
    OK = 1
    ERROR = 2


class KeepReason(IntFlag):
    """Why a span's trace is kept whole, whatever the share of ordinary traces is."""

    ORDINARY = 0
    ERROR = 1
    SLOW = 2
    POLICY = 4


@dataclass(frozen=True, slots=True)
class Scopes:
    """Instrumentation scopes [n_scopes]."""

    name: Utf8Column
    version: Utf8Column
    attributes: AttributeSets
    schema_url: Utf8Column
    dropped_attributes: NDArray[np.uint32]

    def __len__(self) -> int:
        return len(self.name)


@dataclass(frozen=True, slots=True)
class Resources:
    """What made the spans [n_resources]; the service's name is the attribute `service.name`."""

    attributes: AttributeSets
    schema_url: Utf8Column
    dropped_attributes: NDArray[np.uint32]

    def __len__(self) -> int:
        return len(self.attributes)


@dataclass(frozen=True, slots=True)
class Events:
    """Events of spans: span i owns the entries `offsets[i] : offsets[i + 1]`, in the sender's order."""

    offsets: NDArray[np.int64]  # [n_spans + 1]
    ts_ns: NDArray[np.int64]  # [n_events]
    name: Utf8Column  # [n_events]
    attributes: AttributeSets  # [n_events]
    dropped_attributes: NDArray[np.uint32]  # [n_events]

    @classmethod
    def empty(cls, n_spans: int = 0) -> Events:
        """No event of so many spans."""
        none = Utf8Column.from_strings([])
        return cls(
            np.zeros(n_spans + 1, np.int64), np.zeros(0, np.int64), none, AttributeSets.empty(), np.zeros(0, np.uint32)
        )

    def take(self, rows: NDArray[np.int64]) -> Events:
        """Those of the spans `rows` [n]."""
        offsets, entries = taken_runs(self.offsets, rows)
        return Events(
            offsets,
            self.ts_ns[entries],
            self.name.take(entries),
            self.attributes.take(entries),
            self.dropped_attributes[entries],
        )


@dataclass(frozen=True, slots=True)
class Links:
    """Links of spans: span i owns the entries `offsets[i] : offsets[i + 1]`, in the sender's order."""

    offsets: NDArray[np.int64]  # [n_spans + 1]
    trace_id: NDArray[np.uint8]  # [n_links, TRACE_ID_BYTES]
    span_id: NDArray[np.uint8]  # [n_links, SPAN_ID_BYTES]
    trace_state: Utf8Column  # [n_links]
    attributes: AttributeSets  # [n_links]
    dropped_attributes: NDArray[np.uint32]  # [n_links]
    flags: NDArray[np.uint32]  # [n_links]

    @classmethod
    def empty(cls, n_spans: int = 0) -> Links:
        """No link of so many spans."""
        return cls(
            np.zeros(n_spans + 1, np.int64),
            np.zeros((0, TRACE_ID_BYTES), np.uint8),
            np.zeros((0, SPAN_ID_BYTES), np.uint8),
            Utf8Column.from_strings([]),
            AttributeSets.empty(),
            np.zeros(0, np.uint32),
            np.zeros(0, np.uint32),
        )

    def take(self, rows: NDArray[np.int64]) -> Links:
        """Those of the spans `rows` [n]."""
        offsets, entries = taken_runs(self.offsets, rows)
        return Links(
            offsets,
            self.trace_id[entries],
            self.span_id[entries],
            self.trace_state.take(entries),
            self.attributes.take(entries),
            self.dropped_attributes[entries],
            self.flags[entries],
        )


@dataclass(slots=True)
class SpanBatch:
    """One request's spans. `resource` and `scope` point into the batch's own tables.

    A sink that refuses some spans MUST drop their rows (`take`); the sink that owns a batch may change it in place.
    Texts are UTF-8: decoders replace what is not. Ids are never all zeros but for `parent_id`, where that says: none.
    """

    resources: Resources
    scopes: Scopes
    resource: NDArray[np.int64]  # [n_spans]
    scope: NDArray[np.int64]  # [n_spans]
    trace_id: NDArray[np.uint8]  # [n_spans, TRACE_ID_BYTES]
    span_id: NDArray[np.uint8]  # [n_spans, SPAN_ID_BYTES]
    parent_id: NDArray[np.uint8]  # [n_spans, SPAN_ID_BYTES] zeros for a root
    start_ns: NDArray[np.int64]  # [n_spans] Unix nanoseconds
    end_ns: NDArray[np.int64]  # [n_spans] may be before the start: clocks are what they are
    kind: NDArray[np.uint8]  # [n_spans] SpanKind
    status: NDArray[np.uint8]  # [n_spans] SpanStatus
    flags: NDArray[np.uint32]  # [n_spans]
    dropped_attributes: NDArray[np.uint32]  # [n_spans]
    dropped_events: NDArray[np.uint32]  # [n_spans]
    dropped_links: NDArray[np.uint32]  # [n_spans]
    name: Utf8Column  # [n_spans]
    status_message: Utf8Column  # [n_spans]
    trace_state: Utf8Column  # [n_spans]
    attributes: AttributeSets  # [n_spans]
    events: Events  # of n_spans
    links: Links  # of n_spans
    keep: NDArray[np.uint8]  # [n_spans] KeepReason, filled on the way
    share: NDArray[np.float32]  # [n_spans] of ordinary traces that is kept where this span decides; 1 keeps all
    tenant: str = DEFAULT_TENANT

    def __len__(self) -> int:
        return len(self.start_ns)

    def take(self, rows: NDArray[np.int64]) -> None:
        """Keep the spans `rows` [n] alone, in that order; resources and scopes stay."""
        for name in _ROW_COLUMNS:
            setattr(self, name, getattr(self, name)[rows])
        for name in _NESTED_COLUMNS:
            setattr(self, name, getattr(self, name).take(rows))


_ROW_COLUMNS = (
    "resource", "scope", "trace_id", "span_id", "parent_id", "start_ns", "end_ns", "kind", "status", "flags",
    "dropped_attributes", "dropped_events", "dropped_links", "keep", "share",
)  # fmt: skip
_NESTED_COLUMNS = ("name", "status_message", "trace_state", "attributes", "events", "links")


class AttributeScope(StrEnum):
    """Where an attribute stands; the values are TraceQL's names."""

    SPAN = "span"
    RESOURCE = "resource"
    EVENT = "event"
    LINK = "link"
    INSTRUMENTATION = "instrumentation"


class Comparison(StrEnum):
    """How a hint compares an attribute or a column with its values."""

    EQUAL = "="  # any of the values, same kind (INT and DOUBLE are one kind here); arrays pass, for their elements may
    PRESENT = "present"  # it is there, whatever it is


@dataclass(frozen=True, slots=True)
class AttributeKey:
    """One attribute of one scope."""

    scope: AttributeScope
    name: str


@dataclass(frozen=True, slots=True)
class Condition:
    """What every wanted span fulfils: a hint. A reader MAY leave out spans that break it; the caller filters again.

    `key` is an attribute of the span or the resource, or one of the texts `name`, `kind`, `status`, `duration`, whose
    values are: names; SpanKind; SpanStatus; (least, most) nanoseconds, both inclusive.
    """

    key: AttributeKey | str
    comparison: Comparison
    values: tuple[str | int | float | bool, ...] = ()


@dataclass(frozen=True, slots=True)
class SpanColumns:
    """Which columns of `SpanRows` are wanted beside resource, start and weight. `whole`: all there are."""

    trace_id: bool = True  # who only counts by time does without half of the bytes
    ids: bool = False  # span and parent id
    duration: bool = False
    kind: bool = False  # kind and status
    name: bool = False
    status_message: bool = False
    scope: bool = False
    events: bool = False
    links: bool = False
    whole: bool = False


@dataclass(frozen=True, slots=True)
class SpanRequest:
    """What spans are wanted: start_ns <= span's start < end_ns, and all of `conditions`, which are hints.

    `attributes` are span attributes by name; each becomes a column of `SpanRows.attributes`, in that order.
    """

    start_ns: int
    end_ns: int
    columns: SpanColumns = field(default_factory=SpanColumns)
    attributes: tuple[str, ...] = ()
    conditions: tuple[Condition, ...] = ()


@dataclass(frozen=True, slots=True)
class SpanDetails:
    """Columns that only a whole span has."""

    flags: NDArray[np.uint32]  # [n]
    dropped_attributes: NDArray[np.uint32]  # [n]
    dropped_events: NDArray[np.uint32]  # [n]
    dropped_links: NDArray[np.uint32]  # [n]
    trace_state: Utf8Column  # [n]
    attributes: AttributeSets  # [n] all of them
    keep: NDArray[np.uint8]  # [n] KeepReason


@dataclass(frozen=True, slots=True)
class SpanRows:
    """Spans on their way out, in any order. Columns that the request did not ask for are empty.

    `resource` and `scope` are the store's numbers: positions in `SpanReader.resources()` and `scopes()`.
    """

    resource: NDArray[np.int64]  # [n]
    trace_id: NDArray[np.uint8]  # [n, TRACE_ID_BYTES]
    start_ns: NDArray[np.int64]  # [n]
    weight: NDArray[np.float32]  # [n] how many spans this one stands for (sampling); 1 where all are kept
    duration_ns: NDArray[np.int64]  # [n] end minus start, may be negative
    span_id: NDArray[np.uint8]  # [n, SPAN_ID_BYTES]
    parent_id: NDArray[np.uint8]  # [n, SPAN_ID_BYTES]
    kind: NDArray[np.uint8]  # [n] SpanKind
    status: NDArray[np.uint8]  # [n] SpanStatus
    name: Utf8Column  # [n]
    status_message: Utf8Column  # [n]
    scope: NDArray[np.int64]  # [n]
    attributes: tuple[ValueColumn, ...] = ()  # one column [n] for each name of the request
    events: Events = field(default_factory=Events.empty)
    links: Links = field(default_factory=Links.empty)
    details: SpanDetails | None = None  # with `SpanColumns.whole`

    def __len__(self) -> int:
        return len(self.start_ns)


@dataclass(frozen=True, slots=True)
class SpanCounts:
    """How many spans [n] began in a step, by resource: sums of weights, and how many spans they were made from."""

    resource: NDArray[np.int64]  # [n] as `SpanRows.resource`
    step: NDArray[np.int64]  # [n] from 0
    weight: NDArray[np.float64]  # [n]
    n_spans: int


@dataclass(frozen=True, slots=True)
class Operation:
    """Spans of one service, name and kind are one operation."""

    service: str
    name: str
    kind: SpanKind
