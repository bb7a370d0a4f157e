"""Reading spans: from memory what was acknowledged lately, from parts all else."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import NamedTuple, cast

import numpy as np
from numpy.typing import NDArray

from swarmscope.model.contracts import ReadBudget
from swarmscope.model.errors import LimitExceededError
from swarmscope.model.labels import Utf8Column
from swarmscope.model.spans import (
    AttributeScope,
    Operation,
    Resources,
    Scopes,
    SpanColumns,
    SpanCounts,
    SpanKind,
    SpanRequest,
    SpanRows,
)
from swarmscope.schema.log_tables import COUNT_GRAIN_NS
from swarmscope.schema.span_tables import OPERATION_GRAIN_NS, SPAN_OPERATIONS
from swarmscope.store.embedded.engine import Engine
from swarmscope.store.embedded.logs.slices import Appetite, walk_slices
from swarmscope.store.embedded.native import AnyColumn
from swarmscope.store.embedded.spans.answers import (
    count_rows,
    joined,
    stored_values,
    taken,
    text_bytes,
    to_rows,
    within,
)
from swarmscope.store.embedded.spans.commit import SpanNames
from swarmscope.store.embedded.spans.distinct import DistinctValues, distinct_operation_rows
from swarmscope.store.embedded.spans.generation import SpanMemory, SpanSnapshot
from swarmscope.store.embedded.spans.identity import first_of_each
from swarmscope.store.embedded.spans.live import find_spans, find_traces, live_columns
from swarmscope.store.embedded.spans.records import SERVICE_NAME, to_resources, to_scopes
from swarmscope.store.embedded.spans.span_plan import SpanPlan, plan_spans
from swarmscope.store.embedded.spans.statements import (
    counts_condition,
    hexed,
    in_list,
    settings,
    spans_sql,
    step_counts_sql,
    stored_columns,
)
from swarmscope.store.embedded.spans.step_counts import StepCounts, joined_counts, live_counts, stored_counts

_BATCH_SPANS = 100_000
_IDS_PER_STATEMENT = 1000
_EARLIEST_NS, _LATEST_NS = -(1 << 62), 1 << 62
_IDENTITY = ("trace_id", "span_id", "ts", "kind")
_EVERYTHING = SpanRequest(_EARLIEST_NS, _LATEST_NS, SpanColumns(whole=True))


class _View(NamedTuple):
    """What one read goes by."""

    snapshot: SpanSnapshot
    plan: SpanPlan


class EmbeddedSpanReader:
    """`SpanReader` over the embedded store."""

    def __init__(self, engine: Engine, names: SpanNames, memory: SpanMemory, oldest_ns: Callable[[], int]) -> None:
        """`oldest_ns` tells the earliest time that retention keeps; older spans are not shown, deleted or not."""
        self._engine = engine
        self._names = names
        self._memory = memory
        self._oldest_ns = oldest_ns
        self._lock = threading.Lock()
        self._resources = to_resources(names.resources)
        self._scopes = to_scopes(names.scopes)

    def resources(self) -> Resources:
        """As `SpanReader.resources`; the same object while there is no new one."""
        with self._lock:
            if len(self._resources) < len(self._names.resources):
                self._resources = to_resources(self._names.resources)
            return self._resources

    def scopes(self) -> Scopes:
        """As `SpanReader.scopes`; the same object while there is no new one."""
        with self._lock:
            if len(self._scopes) < len(self._names.scopes):
                self._scopes = to_scopes(self._names.scopes)
            return self._scopes

    def _view(self, tenant: str, request: SpanRequest) -> _View:
        start_ns = max(request.start_ns, self._oldest_ns(), _EARLIEST_NS)
        request = replace(request, start_ns=start_ns, end_ns=min(request.end_ns, _LATEST_NS))
        # Memory first: rows go from memory to parts, so what is missed here is found there. The plan then knows the
        # shapes of all that is in memory.
        snapshot = self._memory.snapshot()
        return _View(snapshot, plan_spans(self._names, tenant, request))

    def scan_spans(self, tenant: str, request: SpanRequest, budget: ReadBudget) -> Iterator[SpanRows]:
        """As `SpanReader.scan_spans`. A batch counts against the budget until the next one is asked for."""
        view = self._view(tenant, request)
        if view.plan.is_empty:
            return
        for columns in self._charged(self._live(view), budget):
            yield to_rows(columns, view.plan, self._names.shapes)
        for columns in self._charged(self._stored(view, budget), budget):
            yield to_rows(columns, view.plan, self._names.shapes)

    def _live(self, view: _View, trace_ids: NDArray[np.uint8] | None = None) -> Iterator[dict[str, AnyColumn]]:
        for generation in view.snapshot.generations:
            spans = generation.spans.snapshot()
            found = find_spans(spans, view.plan)
            if trace_ids is not None:
                found = find_traces(spans, trace_ids, found)
            for begin in range(0, len(found), _BATCH_SPANS):
                yield live_columns(spans, found[begin : begin + _BATCH_SPANS], view.plan)

    def _stored(self, view: _View, budget: ReadBudget, first: str = "") -> Iterator[dict[str, AnyColumn]]:
        sql = spans_sql(view.plan, view.snapshot.first_segment, first=first)
        for block in self._engine.stream_rows(sql, budget, settings(first)):
            columns = stored_values(block, view.plan, self._names.shapes)
            yield within(columns, view.plan.request) if first else columns

    def _charged(self, batches: Iterator[dict[str, AnyColumn]], budget: ReadBudget) -> Iterator[dict[str, AnyColumn]]:
        for columns in batches:
            budget.cancellation.check()
            n_spans = count_rows(columns)
            if n_spans == 0:
                continue
            _check(budget, n_spans, text_bytes(columns))
            budget.used_samples += n_spans
            try:
                yield columns
            finally:
                budget.used_samples -= n_spans

    def count_spans(self, tenant: str, start_ns: int, steps: tuple[int, int], budget: ReadBudget) -> SpanCounts:
        """As `SpanReader.count_spans`."""
        step_ns, n_steps = steps
        view = self._view(tenant, SpanRequest(start_ns + 1, start_ns + 1 + step_ns * n_steps))
        parts: list[StepCounts] = []
        if not view.plan.is_empty:
            spans = [generation.spans.snapshot() for generation in view.snapshot.generations]
            parts += [live_counts(each, find_spans(each, view.plan), start_ns, step_ns) for each in spans]
            sql = step_counts_sql(view.plan, view.snapshot.first_segment, (start_ns, step_ns))
            parts.append(stored_counts(self._engine.columns(sql, budget)))
        return joined_counts(parts, n_steps)

    def walk_spans(
        self, tenant: str, request: SpanRequest, budget: ReadBudget, *, batch_spans: int
    ) -> Iterator[SpanRows]:
        """As `SpanReader.walk_spans`. A batch counts against the budget until the next one is asked for."""
        view = self._view(tenant, request)
        if view.plan.is_empty:
            return
        live_ts_ns = self._live_times(view)

        def count(start_ns: int, end_ns: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
            return self._count_buckets(view, (start_ns, end_ns), live_ts_ns, budget)

        appetite = Appetite(max(batch_spans, 1))
        range_ns = (view.plan.request.start_ns, view.plan.request.end_ns)
        for each in walk_slices(count, range_ns, appetite, backward=True):
            mine = replace(view.plan.request, start_ns=each.start_ns, end_ns=each.end_ns)
            narrowed = view._replace(plan=replace(view.plan, request=mine))
            parts = self._gathered((self._live(narrowed), self._stored(narrowed, budget)), budget)
            n_spans = sum(map(count_rows, parts))
            appetite.learn(each.lines, n_spans)
            if n_spans:
                for columns in self._charged(iter([joined(parts)]), budget):
                    yield to_rows(columns, view.plan, self._names.shapes)

    def _live_times(self, view: _View) -> NDArray[np.int64]:
        """Starts of spans in memory, ascending."""
        views = [generation.spans.snapshot() for generation in view.snapshot.generations]
        return np.sort(np.concatenate([spans.ts_ns[find_spans(spans, view.plan)] for spans in views]))

    def _count_buckets(
        self, view: _View, range_ns: tuple[int, int], live_ts_ns: NDArray[np.int64], budget: ReadBudget
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        stored = self._engine.columns(
            "SELECT bucket, sum(spans) AS n "
            f"{counts_condition(view.plan, range_ns, view.snapshot.first_segment)} GROUP BY bucket",
            budget,
        )
        begin, end = np.searchsorted(live_ts_ns, range_ns, side="right")
        bucket = -(-live_ts_ns[begin:end] // COUNT_GRAIN_NS) * COUNT_GRAIN_NS
        spans = np.ones(len(bucket), np.int64)
        if stored:
            bucket = np.concatenate([bucket, stored["bucket"].astype(np.int64)])
            spans = np.concatenate([spans, stored["n"].astype(np.int64)])
        buckets, which = np.unique(bucket, return_inverse=True)
        return buckets, np.bincount(which, spans, len(buckets)).astype(np.int64)

    def _gathered(
        self, sources: tuple[Iterator[dict[str, AnyColumn]], ...], budget: ReadBudget
    ) -> list[dict[str, AnyColumn]]:
        """All batches at once."""
        parts, n_spans, n_bytes = [], 0, 0
        for source in sources:
            for columns in source:
                if count_rows(columns) == 0:
                    continue
                budget.cancellation.check()
                parts.append(columns)
                n_spans += count_rows(columns)
                n_bytes += text_bytes(columns)
                _check(budget, n_spans, n_bytes)
        return parts

    def find_traces(
        self, tenant: str, trace_ids: NDArray[np.uint8], budget: ReadBudget, request: SpanRequest | None = None
    ) -> SpanRows:
        """As `SpanReader.find_traces`; ordered by start."""
        wanted = request or _EVERYTHING
        # By id, start and kind a span is known that stands in parts twice.
        columns = replace(wanted.columns, trace_id=True, ids=True, kind=True)
        view = self._view(tenant, replace(wanted, columns=columns))
        spans = view.snapshot.generations[0].spans.snapshot()
        parts = [live_columns(spans, np.zeros(0, np.int64), view.plan)]
        if not view.plan.is_empty and len(trace_ids):
            parts += self._gathered((self._live(view, trace_ids),), budget)
            for begin in range(0, len(trace_ids), _IDS_PER_STATEMENT):
                listed = ", ".join(hexed(each.tobytes()) for each in trace_ids[begin : begin + _IDS_PER_STATEMENT])
                parts += self._gathered((self._stored(view, budget, f"trace_id IN ({listed})"),), budget)
        found = joined(parts)
        once = first_of_each(*(found[name] for name in _IDENTITY))  # type: ignore[arg-type]
        if once is not None:
            found = taken(found, once)
        found = taken(found, np.argsort(found["ts"], kind="stable"))  # type: ignore[arg-type]
        asked = {*stored_columns(wanted.columns), "shape", "values"}
        found = {name: column for name, column in found.items() if name in asked or name.startswith("v")}
        return to_rows(found, view.plan, self._names.shapes)

    def operations(self, tenant: str, start_ns: int, end_ns: int) -> list[Operation]:
        """As `SpanReader.operations`: whole days of them."""
        start_ns = max(start_ns, self._oldest_ns(), _EARLIEST_NS)
        snapshot = self._memory.snapshot()
        tenants, resources = self._names.resources.tenants(), self.resources()
        mine = np.flatnonzero(np.array([each == tenant for each in tenants], np.bool_))
        if len(mine) == 0 or start_ns >= end_ns:
            return []
        services = _services(resources)
        found: set[tuple[str, str, int]] = set()
        first = start_ns // OPERATION_GRAIN_NS * OPERATION_GRAIN_NS
        conditions = [f"bucket >= {first}", f"bucket < {min(end_ns, _LATEST_NS)}"]
        if len(mine) < len(tenants):
            conditions.append(in_list("resource", mine))
        rows = self._engine.table(
            f"SELECT DISTINCT resource, name, kind FROM {SPAN_OPERATIONS.name} WHERE {' AND '.join(conditions)}"
        )
        if rows is not None:
            for resource, name, kind in zip(
                *(rows.column(each).to_pylist() for each in rows.column_names), strict=True
            ):
                text = name.decode(errors="replace") if isinstance(name, bytes) else name
                if resource < len(tenants) and tenants[resource] == tenant:
                    found.add((services[resource], text, kind))
        allowed = np.zeros(len(tenants), np.bool_)
        allowed[mine] = True
        for generation in snapshot.generations:
            for resource, name, kind in distinct_operation_rows(generation.spans.snapshot(), (start_ns, end_ns)):
                if resource < len(allowed) and allowed[resource]:
                    found.add((services[resource], name, kind))
        return [Operation(service, name, SpanKind(kind)) for service, name, kind in sorted(found)]

    def attribute_names(self, tenant: str, scope: AttributeScope, start_ns: int, end_ns: int) -> list[str]:
        """As `SpanReader.attribute_names`: by time for those of spans, all there are for others."""
        if scope in (AttributeScope.RESOURCE, AttributeScope.INSTRUMENTATION):
            is_resource = scope is AttributeScope.RESOURCE
            records = self._names.resources if is_resource else self._names.scopes
            attributes = (self.resources() if is_resource else self.scopes()).attributes
            mine = np.array([each == tenant for each in records.tenants()[: len(attributes)]], np.bool_)
            names = attributes.names.take(np.flatnonzero(np.repeat(mine, np.diff(attributes.offsets))))
            return sorted(set(names.to_strings()))
        if scope is not AttributeScope.SPAN:
            return self._names.shapes.names(tenant, scope)
        view = self._view(tenant, SpanRequest(start_ns, end_ns))
        if view.plan.is_empty:
            return []
        request = view.plan.request
        live = [generation.spans.snapshot() for generation in view.snapshot.generations]
        used = {int(shape) for spans in live for shape in np.unique(spans.shape[find_spans(spans, view.plan)])}
        range_ns = (request.start_ns - 1, request.end_ns + COUNT_GRAIN_NS)
        stored = self._engine.columns(
            f"SELECT DISTINCT shape {counts_condition(view.plan, range_ns, view.snapshot.first_segment)}"
        )
        if stored:
            used |= set(stored["shape"].astype(np.int64).tolist())
        return self._names.shapes.names(tenant, scope, used)

    def attribute_values(
        self, tenant: str, name: str, request: SpanRequest, budget: ReadBudget, max_values: int
    ) -> list[tuple[int, bytes]]:
        """As `SpanReader.attribute_values`; sorted."""
        view = self._view(tenant, replace(request, columns=SpanColumns(), attributes=(name,)))
        distinct = DistinctValues(view.plan, max_values)
        if view.plan.is_empty or max_values <= 0:
            return []
        for columns in self._live(view):
            distinct.add(to_rows(columns, view.plan, self._names.shapes).attributes[0])
            if distinct.is_full:
                return distinct.values()
        for kind, sql in distinct.statements(view.snapshot.first_segment):
            for block in self._engine.stream_rows(sql, budget, settings()):
                distinct.add_texts(kind, cast("Utf8Column", block["v0"]))
            if distinct.is_full:
                return distinct.values()
        if (deep := distinct.deep_plan()) is not None:
            for columns in self._stored(view._replace(plan=deep), budget):
                rows = to_rows(columns, deep, self._names.shapes)
                distinct.add_tested(rows.resource, rows.attributes)
        return distinct.values()


def _services(resources: Resources) -> list[str]:
    """The service's name of each resource [n], "" where it has none. # Slow path"""
    return [str(each.get(SERVICE_NAME) or "") for each in resources.attributes.to_dicts()]


def _check(budget: ReadBudget, n_spans: int, n_bytes: int) -> None:
    if budget.used_samples + n_spans > budget.max_samples:
        raise LimitExceededError(
            f"the query would load more than {budget.max_samples} spans into memory at once",
            limit="limits.max_query_samples",
        )
    if budget.max_bytes is not None and n_bytes > budget.max_bytes:
        raise LimitExceededError(
            f"the query would load more than {budget.max_bytes} bytes of spans into memory at once",
            limit="limits.max_query_memory",
        )
