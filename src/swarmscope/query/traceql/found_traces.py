"""Traces that a query gives, described: the one place that makes Python objects, for a few spans of a few traces."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from swarmscope.lang.traceql.fields import Attribute, Intrinsic
from swarmscope.lang.traceql.nodes import Pipeline, walk
from swarmscope.lang.traceql.registry import IntrinsicField
from swarmscope.model.spans import AttributeScope, SpanStatus
from swarmscope.query.traceql.answers import FoundSpan, FoundSpanSet, FoundTrace, Label, ServiceStats
from swarmscope.query.traceql.span_block import SERVICE_NAME, SpanBlock
from swarmscope.query.traceql.spansets import SpanSets
from swarmscope.query.traceql.values import Tag, Values

# What every answer says of a span or its trace anyway.
_ALWAYS_SHOWN = frozenset({
    IntrinsicField.NAME, IntrinsicField.DURATION, IntrinsicField.SPAN_ID, IntrinsicField.TRACE_ID,
    IntrinsicField.TRACE_DURATION, IntrinsicField.ROOT_NAME, IntrinsicField.ROOT_SERVICE, IntrinsicField.PARENT,
})  # fmt: skip
_SERVICE = Attribute(AttributeScope.RESOURCE, SERVICE_NAME)


class TraceDescriber:
    """Describes the traces of a block that have spans in sets."""

    def __init__(self, block: SpanBlock, sets: SpanSets, pipeline: Pipeline, spans_per_set: int) -> None:
        self._block = block
        self._facts = block.whole_facts()
        self._sets = sets
        self._spans_per_set = spans_per_set
        self._by_trace = _Positions(self._facts.trace, len(self._facts.root))
        self._by_set = _Positions(sets.of_span, len(sets.trace))
        self._service = block.values_of(_SERVICE).first_per_span(len(block))
        self._columns: list[tuple[str, Values]] = [
            (label, block.values_of(node).first_per_span(len(block))) for label, node in _shown_fields(pipeline).items()
        ]

    def describe(self, limit: int) -> list[FoundTrace]:
        """The newest traces that have a set which is not empty, `limit` of them at most."""
        traces = np.unique(self._sets.trace[self._sets.of_span[self._sets.mask]])
        newest = traces[np.argsort(-self._facts.trace_start_ns[traces], kind="stable")]
        return [self._trace(int(trace)) for trace in newest[:limit]]

    def _trace(self, trace: int) -> FoundTrace:
        rows, facts = self._block.rows, self._facts
        members = self._by_trace(trace)
        root = int(facts.root[trace])
        sets = np.flatnonzero(self._sets.trace == trace)
        return FoundTrace(
            trace_id=rows.trace_id[members[0]].tobytes(),
            root_service=None if root < 0 else self._service_name(root),
            root_name=None if root < 0 else rows.name.text(root),
            start_ns=int(facts.trace_start_ns[trace]),
            duration_ns=int(facts.trace_duration_ns[trace]),
            span_sets=tuple(self._span_sets(sets)),
            services=self._services(members),
        )

    def _span_sets(self, sets: NDArray[np.int64]) -> Iterator[FoundSpanSet]:
        for number in sets.tolist():
            members = self._by_set(number)
            if len(members):
                shown = members[np.argsort(self._block.rows.start_ns[members], kind="stable")][: self._spans_per_set]
                attributes = tuple((name, values.typed(number)) for name, values in self._sets.attributes)
                yield FoundSpanSet(len(members), tuple(map(self._span, shown.tolist())), attributes)

    def _span(self, row: int) -> FoundSpan:
        rows = self._block.rows
        return FoundSpan(
            rows.span_id[row].tobytes(),
            rows.name.text(row),
            int(rows.start_ns[row]),
            int(rows.duration_ns[row]),
            tuple(self._shown(row)),
        )

    def _shown(self, row: int) -> Iterator[Label]:
        for label, values in self._columns:
            value = values.typed(row)
            if value.tag not in (Tag.NIL, Tag.OTHER):
                yield label, value

    def _services(self, members: NDArray[np.int64]) -> dict[str, ServiceStats]:
        stats: dict[str, ServiceStats] = {}
        resources = self._block.rows.resource[members]
        failed = self._block.rows.status[members] == SpanStatus.ERROR
        for resource in np.unique(resources).tolist():
            mine = resources == resource
            name = self._service_name(int(members[np.argmax(mine)]))
            before = stats.get(name, ServiceStats(0, 0))
            stats[name] = ServiceStats(before.spans + int(mine.sum()), before.errors + int(failed[mine].sum()))
        return stats

    def _service_name(self, row: int) -> str:
        return str(self._service.typed(row).value or "")


def _shown_fields(pipeline: Pipeline) -> dict[str, Attribute | Intrinsic]:
    """Fields that a pipeline names, by what the answer calls them."""
    fields: dict[str, Attribute | Intrinsic] = {}
    for node in walk(pipeline):
        if isinstance(node, Attribute):
            fields.setdefault(f"parent.{node.name}" if node.of_parent else node.name, node)
        elif isinstance(node, Intrinsic) and node.name not in _ALWAYS_SHOWN:
            fields.setdefault(node.name.value, node)
    return fields


class _Positions:
    """Where each number stands."""

    def __init__(self, numbers: NDArray[np.int64], n: int) -> None:
        self._order = np.argsort(numbers, kind="stable")
        self._bounds = np.searchsorted(numbers[self._order], np.arange(n + 1))

    def __call__(self, number: int) -> NDArray[np.int64]:
        return self._order[self._bounds[number] : self._bounds[number + 1]]
