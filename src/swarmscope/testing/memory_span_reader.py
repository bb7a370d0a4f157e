"""A `SpanReader` and `SpanSink` over plain Python objects, for tests of what reads traces. # Slow path: tests alone"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from swarmscope.model.attributes import AttributeSets, Scalar, ValueColumn, bytes_column, spell_scalar
from swarmscope.model.contracts import ReadBudget, Receipt
from swarmscope.model.errors import LimitExceededError
from swarmscope.model.labels import DEFAULT_TENANT
from swarmscope.model.spans import (
    AttributeKey,
    AttributeScope,
    Comparison,
    Condition,
    Operation,
    Resources,
    Scopes,
    SpanBatch,
    SpanColumns,
    SpanCounts,
    SpanDetails,
    SpanKind,
    SpanRequest,
    SpanRows,
)
from swarmscope.testing.plain_spans import PlainSpan, from_batch, to_batch

_EVER = SpanRequest(-(1 << 63), (1 << 63) - 1, SpanColumns(whole=True))


class MemorySpanReader:
    """Spans of any number of tenants."""

    def __init__(
        self, spans: Sequence[PlainSpan] = (), *, batch_spans: int = 100_000, obeys_hints: bool = True
    ) -> None:
        """`batch_spans`: what a scan gives at once. `obeys_hints`: spans that break a condition are left out."""
        self._batch_spans = batch_spans
        self._obeys_hints = obeys_hints
        self._spans: list[tuple[str, PlainSpan]] = []
        self.spans_read = 0
        self.add(spans)

    def add(self, spans: Sequence[PlainSpan], tenant: str = DEFAULT_TENANT) -> None:
        """Add spans; one that is there already (trace, id and start) is left out."""
        there = {(owner, span.trace_id, span.span_id, span.start_ns) for owner, span in self._spans}
        for span in spans:
            key = (tenant, span.trace_id, span.span_id, span.start_ns)
            if key not in there:
                there.add(key)
                self._spans.append((tenant, span))

    def write_spans(self, batch: SpanBatch) -> Receipt:
        """As `SpanSink.write_spans`."""
        self.add(from_batch(batch), batch.tenant)
        return Receipt(spans=len(batch))

    def _everything(self) -> SpanBatch:
        return to_batch([span for _, span in self._spans])

    def resources(self) -> Resources:
        """All resources, in order of appearance."""
        return self._everything().resources

    def scopes(self) -> Scopes:
        """All scopes, in order of appearance."""
        return self._everything().scopes

    def scan_spans(self, tenant: str, request: SpanRequest, budget: ReadBudget) -> Iterator[SpanRows]:
        """All spans of the request."""
        rows = self._chosen(tenant, request)
        for begin in range(0, len(rows), self._batch_spans):
            yield self._rows(rows[begin : begin + self._batch_spans], request, budget)

    def count_spans(self, tenant: str, start_ns: int, steps: tuple[int, int], budget: ReadBudget) -> SpanCounts:
        """Spans by resource and step."""
        step_ns, n_steps = steps
        request = SpanRequest(start_ns + 1, start_ns + 1 + step_ns * n_steps)
        rows = self._rows(self._chosen(tenant, request), request, budget)
        counts: dict[tuple[int, int], float] = defaultdict(float)
        for resource, ts_ns, weight in zip(
            rows.resource.tolist(), rows.start_ns.tolist(), rows.weight.tolist(), strict=True
        ):
            counts[resource, (ts_ns - start_ns - 1) // step_ns] += weight
        keys = np.array(list(counts), np.int64).reshape(-1, 2)
        return SpanCounts(keys[:, 0], keys[:, 1], np.array(list(counts.values()), np.float64), len(rows))

    def walk_spans(
        self, tenant: str, request: SpanRequest, budget: ReadBudget, *, batch_spans: int
    ) -> Iterator[SpanRows]:
        """The same from the newest on; spans that start together are in one batch."""
        rows = sorted(self._chosen(tenant, request), key=lambda row: -self._spans[row][1].start_ns)
        while rows:
            least_ns = self._spans[rows[min(batch_spans, len(rows)) - 1]][1].start_ns
            batch = [row for row in rows if self._spans[row][1].start_ns >= least_ns]
            rows = rows[len(batch) :]
            yield self._rows(batch, request, budget)

    def find_traces(
        self, tenant: str, trace_ids: NDArray[np.uint8], budget: ReadBudget, request: SpanRequest | None = None
    ) -> SpanRows:
        """Every span of the traces."""
        wanted = {row.tobytes() for row in trace_ids}
        asked = request or _EVER
        rows = [row for row in self._chosen(tenant, asked) if self._spans[row][1].trace_id in wanted]
        return self._rows(rows, asked, budget)

    def operations(self, tenant: str, start_ns: int, end_ns: int) -> list[Operation]:
        """Distinct operations, sorted."""
        found = {
            Operation(str(span.resource.get("service.name", "")), span.name, SpanKind(span.kind))
            for _, span in map(self._spans.__getitem__, self._chosen(tenant, SpanRequest(start_ns, end_ns)))
        }
        return sorted(found, key=lambda one: (one.service, one.name, one.kind))

    def attribute_names(self, tenant: str, scope: AttributeScope, start_ns: int, end_ns: int) -> list[str]:
        """Sorted names."""
        names: set[str] = set()
        for row in self._chosen(tenant, SpanRequest(start_ns, end_ns)):
            span = self._spans[row][1]
            for attributes in {
                AttributeScope.SPAN: [span.attributes],
                AttributeScope.RESOURCE: [span.resource],
                AttributeScope.INSTRUMENTATION: [span.scope.attributes],
                AttributeScope.EVENT: [event.attributes for event in span.events],
                AttributeScope.LINK: [link.attributes for link in span.links],
            }[scope]:
                names.update(attributes)
        return sorted(names)

    def attribute_values(
        self, tenant: str, name: str, request: SpanRequest, budget: ReadBudget, max_values: int
    ) -> list[tuple[int, bytes]]:
        """Distinct values."""
        obeying = MemorySpanReader()
        obeying._spans = self._spans
        values = {
            spell_scalar(self._spans[row][1].attributes[name])
            for row in obeying._chosen(tenant, request)
            if name in self._spans[row][1].attributes
        }
        return [(int(kind), text) for kind, text in sorted(values)[:max_values]]

    def _chosen(self, tenant: str, request: SpanRequest) -> list[int]:
        conditions = request.conditions if self._obeys_hints else ()
        return [
            row
            for row, (owner, span) in enumerate(self._spans)
            if owner == tenant
            and request.start_ns <= span.start_ns < request.end_ns
            and all(_fulfils(span, condition) for condition in conditions)
        ]

    def _rows(self, chosen: list[int], request: SpanRequest, budget: ReadBudget) -> SpanRows:
        budget.cancellation.check()
        budget.used_samples += len(chosen)
        if budget.used_samples > budget.max_samples:
            raise LimitExceededError("too many spans", limit="limits.max_query_samples")
        self.spans_read += len(chosen)
        batch = self._everything()
        batch.take(np.array(chosen, np.int64))
        return _to_rows(batch, request)


def _to_rows(batch: SpanBatch, request: SpanRequest) -> SpanRows:
    """All columns, whether asked for or not, but for the details."""
    details = SpanDetails(
        batch.flags, batch.dropped_attributes, batch.dropped_events, batch.dropped_links, batch.trace_state,
        batch.attributes, batch.keep,
    )  # fmt: skip
    return SpanRows(
        resource=batch.resource,
        trace_id=batch.trace_id,
        start_ns=batch.start_ns,
        weight=(1 / batch.share).astype(np.float32),
        duration_ns=batch.end_ns - batch.start_ns,
        span_id=batch.span_id,
        parent_id=batch.parent_id,
        kind=batch.kind,
        status=batch.status,
        name=batch.name,
        status_message=batch.status_message,
        scope=batch.scope,
        attributes=tuple(_column(batch.attributes, name) for name in request.attributes),
        events=batch.events,
        links=batch.links,
        details=details if request.columns.whole else None,
    )


def _column(sets: AttributeSets, name: str) -> ValueColumn:
    """One attribute of every set; absent where a set has none of this name."""
    pairs = {int(row): pair for pair, row in enumerate(np.repeat(np.arange(len(sets)), np.diff(sets.offsets)))
             if sets.names.text(pair) == name}  # fmt: skip
    texts, kinds = [], np.zeros(len(sets), np.uint8)
    for row in range(len(sets)):
        pair = pairs.get(row)
        text = b""
        if pair is not None:
            kinds[row] = sets.values.kind[pair]
            column = sets.values.text
            begin = int(column.start[pair])
            text = column.buffer[begin : begin + int(column.length[pair])].tobytes()
        texts.append(text)
    return ValueColumn(kinds, bytes_column(texts))


def _fulfils(span: PlainSpan, condition: Condition) -> bool:
    """Whether a span keeps to a condition."""
    match condition.key:
        case "name":
            return span.name in condition.values
        case "kind":
            return span.kind in condition.values
        case "status":
            return span.status in condition.values
        case "duration":
            least_ns, most_ns = condition.values
            return float(least_ns) <= span.end_ns - span.start_ns <= float(most_ns)
        case AttributeKey(scope, name):
            attributes = span.resource if scope is AttributeScope.RESOURCE else span.attributes
            if name not in attributes:
                return False
            return condition.comparison is Comparison.PRESENT or any(
                _equal(attributes[name], value) for value in condition.values
            )
    raise ValueError(f"no column is named {condition.key}")


def _equal(value: Scalar, wanted: str | int | float | bool) -> bool:
    if isinstance(value, bool) or isinstance(wanted, bool):
        return value is wanted
    if isinstance(value, int | float) and isinstance(wanted, int | float):
        return value == wanted
    return type(value) is type(wanted) and value == wanted
