"""Answers of trace queries, as plain values: an API turns them into what its clients expect."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from swarmscope.query.traceql.values import TypedValue

Label = tuple[str, TypedValue]


@dataclass(frozen=True, slots=True)
class FoundSpan:
    """A span that a query gives. `attributes`: fields that the query names, where the span has them."""

    span_id: bytes
    name: str
    start_ns: int
    duration_ns: int
    attributes: tuple[Label, ...] = ()


@dataclass(frozen=True, slots=True)
class FoundSpanSet:
    """A set of `matched` spans, of which the first few are here; `attributes` are what stages found of the set."""

    matched: int
    spans: tuple[FoundSpan, ...]
    attributes: tuple[Label, ...] = ()


@dataclass(frozen=True, slots=True)
class ServiceStats:
    """Spans of one service in one trace, and those of them that ended in an error."""

    spans: int
    errors: int


@dataclass(frozen=True, slots=True)
class FoundTrace:
    """A trace that a query gives. Without a root span its service and name are None."""

    trace_id: bytes
    root_service: str | None
    root_name: str | None
    start_ns: int
    duration_ns: int
    span_sets: tuple[FoundSpanSet, ...]
    services: dict[str, ServiceStats]


@dataclass(frozen=True, slots=True)
class SearchAnswer:
    """Traces, newest first. `spans_read` and `traces_read` are what the search looked at."""

    traces: tuple[FoundTrace, ...]
    spans_read: int = 0
    traces_read: int = 0


@dataclass(frozen=True, slots=True)
class TraceExemplar:
    """A span behind a point of a series."""

    trace_id: bytes
    ts_ns: int
    value: float  # what the series measures of the span, NaN where it only counts spans


@dataclass(frozen=True, slots=True)
class TraceSeries:
    """A series of numbers; NaN where a step has none."""

    labels: tuple[Label, ...]
    values: NDArray[np.float64]  # [n_steps]
    exemplars: tuple[TraceExemplar, ...] = ()


@dataclass(frozen=True, slots=True)
class MetricsAnswer:
    """Series at these times: each point is of the spans that began in the step before it, its end included."""

    times_ns: NDArray[np.int64]  # [n_steps]
    series: tuple[TraceSeries, ...]
    spans_read: int = 0
