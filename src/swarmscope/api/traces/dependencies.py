"""Which service calls which: by the parents of spans, or by the service graph's metrics where spans are too many."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

from swarmscope.api.prometheus.label_sets import label_dicts
from swarmscope.api.traces.span_views import SERVICE_NAME
from swarmscope.model.contracts import Cancellation, ReadBudget, SpanReader
from swarmscope.model.spans import SpanColumns, SpanKind, SpanRequest, SpanRows, SpanStatus
from swarmscope.query.promql import PromqlEngine, QueryRequest

# So many spans take a second to read and some 150 MB; of more, their metrics tell the same.
MAX_SPANS = 2_000_000
_NS_PER_MS = 1_000_000
_NONE = -1
# Odd constants of 64 random bits: the halves of an id are spread by multiplication.
_MIX = (0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9, 0xD6E8FEB86659FD93)


@dataclass(frozen=True, slots=True)
class Dependency:
    """Calls from one service to another."""

    parent: str
    child: str
    calls: int
    errors: int


def find_dependencies(
    reader: SpanReader,
    engine: PromqlEngine | None,
    tenant: str,
    range_ns: tuple[int, int],
    budget: ReadBudget,
) -> list[Dependency]:
    """Calls in start_ns <= time < end_ns, by parent and child.

    Counted by weights, so sampling does not bend them. A range with more than MAX_SPANS spans is answered from the
    metrics `traces_service_graph_*`, which were counted before sampling.
    """
    request = SpanRequest(*range_ns, SpanColumns(ids=True, kind=True))
    parts: list[_Calls] = []
    n_spans = 0
    for rows in reader.scan_spans(tenant, request, budget):
        budget.cancellation.check()
        n_spans += len(rows)
        if n_spans > MAX_SPANS and engine is not None:
            return _from_metrics(engine, tenant, range_ns, budget.cancellation)
        parts.append(_to_calls(rows))
    return _from_spans(parts, reader) if parts else []


@dataclass(frozen=True, slots=True)
class _Calls:
    """What is kept of each span [n] until its parent is known."""

    as_server: NDArray[np.uint64]  # the key of its id, where it is the server's half of a call
    as_other: NDArray[np.uint64]  # the same in every other part
    parent_server: NDArray[np.uint64]
    parent_other: NDArray[np.uint64]
    is_server: NDArray[np.bool_]
    has_parent: NDArray[np.bool_]
    resource: NDArray[np.int64]
    weight: NDArray[np.float32]
    failed: NDArray[np.bool_]


def _to_calls(rows: SpanRows) -> _Calls:
    trace = np.ascontiguousarray(rows.trace_id).view(np.uint64).reshape(len(rows), 2)
    high, low, spread, salt = (np.uint64(each) for each in _MIX)
    seed = _folded(trace[:, 0] * high ^ _folded(trace[:, 1] * low))

    def keys(ids: NDArray[np.uint8]) -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
        number = np.ascontiguousarray(ids).view(np.uint64).reshape(len(rows))
        other = _folded((number ^ seed) * spread)
        return _folded((other ^ salt) * high), other

    return _Calls(
        *keys(rows.span_id),
        *keys(rows.parent_id),
        is_server=np.asarray(rows.kind == SpanKind.SERVER),
        has_parent=np.asarray(rows.parent_id.any(axis=1)),
        resource=rows.resource,
        weight=rows.weight,
        failed=np.asarray(rows.status == SpanStatus.ERROR),
    )


def _folded(words: NDArray[np.uint64]) -> NDArray[np.uint64]:
    return np.asarray(words ^ (words >> np.uint64(29)))


def _from_spans(parts: list[_Calls], reader: SpanReader) -> list[Dependency]:
    names = ("as_server", "as_other", "parent_server", "parent_other", "is_server", "has_parent", "resource", "weight",
             "failed")  # fmt: skip
    calls = _Calls(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))
    known = reader.resources().attributes.column(SERVICE_NAME).text.to_strings()
    services = sorted(set(known))
    of_resource = np.searchsorted(services, known) if known else np.zeros(0, np.int64)
    own = of_resource[calls.resource]
    above = _parents(np.where(calls.is_server, calls.as_server, calls.as_other), calls)
    crosses = np.flatnonzero((above != _NONE) & (own[above] != own))
    pairs = own[above[crosses]] * len(services) + own[crosses]
    edges, which = np.unique(pairs, return_inverse=True)
    weight = calls.weight[crosses].astype(np.float64)
    counted = np.bincount(which, weight, len(edges))
    failed = np.bincount(which, weight * calls.failed[crosses], len(edges))
    return [
        Dependency(services[edge // len(services)], services[edge % len(services)], round(n), round(n_failed))
        for edge, n, n_failed in zip(edges.tolist(), counted.tolist(), failed.tolist(), strict=True)
        if services[edge // len(services)] and services[edge % len(services)]
    ]


def _parents(own_key: NDArray[np.uint64], calls: _Calls) -> NDArray[np.int64]:
    """The row [n] of each span's parent, _NONE where it is not here."""
    slots = _to_table(own_key)
    # Zipkin's two halves of a call share an id: the server's half is the child of the other one, and what names that
    # id as its parent is the server's work.
    shared = np.where(calls.is_server, _look_up(slots, own_key, calls.as_other), _NONE)
    of_server = _look_up(slots, own_key, calls.parent_server)
    of_other = _look_up(slots, own_key, calls.parent_other)
    named = np.where(calls.has_parent, np.where(of_server != _NONE, of_server, of_other), _NONE)
    return np.asarray(np.where(shared != _NONE, shared, named), np.int64)


@njit(nogil=True, cache=True)
def _to_table(keys: NDArray[np.uint64]) -> NDArray[np.int64]:
    """An open-addressed table of rows by key; of equal keys the first row stays."""
    size = 16
    while size < 2 * len(keys):
        size *= 2
    slots = np.full(size, -1, np.int64)
    mask = np.uint64(size - 1)
    for row in range(len(keys)):
        at = keys[row] & mask
        while slots[at] >= 0 and keys[slots[at]] != keys[row]:
            at = (at + np.uint64(1)) & mask
        if slots[at] < 0:
            slots[at] = row
    return slots


@njit(nogil=True, cache=True)
def _look_up(slots: NDArray[np.int64], keys: NDArray[np.uint64], wanted: NDArray[np.uint64]) -> NDArray[np.int64]:
    """The row [n] of each wanted key, -1 where there is none."""
    mask = np.uint64(len(slots) - 1)
    found = np.full(len(wanted), -1, np.int64)
    for i in range(len(wanted)):
        at = wanted[i] & mask
        while slots[at] >= 0 and keys[slots[at]] != wanted[i]:
            at = (at + np.uint64(1)) & mask
        found[i] = slots[at]
    return found


def warm_up() -> None:
    """Compile the kernels."""
    keys = np.zeros(1, np.uint64)
    _look_up(_to_table(keys), keys, keys)


def _from_metrics(
    engine: PromqlEngine, tenant: str, range_ns: tuple[int, int], cancellation: Cancellation
) -> list[Dependency]:
    end_ms = range_ns[1] // _NS_PER_MS
    range_ms = max(1, end_ms - range_ns[0] // _NS_PER_MS)

    def counted(metric: str) -> dict[tuple[str, str], int]:
        text = f'sum by (client, server) (increase({metric}{{client!="",server!=""}}[{range_ms}ms]))'
        result = engine.query_instant(QueryRequest(text, end_ms, end_ms, tenant=tenant, cancellation=cancellation))
        edges = label_dicts(result.labels, result.symbols)
        return {
            (edge["client"], edge["server"]): round(float(values[-1]))
            for edge, values in zip(edges, result.values, strict=True)
        }

    calls = counted("traces_service_graph_request_total")
    failed = counted("traces_service_graph_request_failed_total")
    return [
        Dependency(parent, child, n, failed.get((parent, child), 0))
        for (parent, child), n in sorted(calls.items())
        if n and parent != child
    ]
