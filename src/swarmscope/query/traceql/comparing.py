"""`compare()`: how often every attribute's values stand in a selection of spans, and in the rest.

https://grafana.com/docs/tempo/latest/metrics-from-traces/metrics-queries/functions/#the-compare-function
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from swarmscope.lang.traceql.fields import Attribute, Intrinsic
from swarmscope.lang.traceql.nodes import Compare
from swarmscope.lang.traceql.registry import IntrinsicField
from swarmscope.model.attributes import AttributeSets
from swarmscope.model.spans import AttributeScope, SpanColumns
from swarmscope.query.traceql.answers import TraceSeries
from swarmscope.query.traceql.comparisons import distinct_texts
from swarmscope.query.traceql.conditions import fulfils
from swarmscope.query.traceql.demand import Demand
from swarmscope.query.traceql.metric_requests import Steps
from swarmscope.query.traceql.series_cells import Cells
from swarmscope.query.traceql.settings import TraceqlSettings
from swarmscope.query.traceql.span_block import SpanBlock
from swarmscope.query.traceql.value_decoding import decode_values
from swarmscope.query.traceql.value_groups import group_values
from swarmscope.query.traceql.values import NIL, Tag, TypedValue, Values

BASELINE, SELECTION = "baseline", "selection"
_SIDES = (BASELINE, SELECTION)
_META, _ERROR, _TOO_MANY = "__meta_type", "__meta_error", "__too_many_values__"
_INTRINSICS = (IntrinsicField.NAME, IntrinsicField.KIND, IntrinsicField.STATUS, IntrinsicField.STATUS_MESSAGE)


def compare_demand() -> Demand:
    """All there is of a span's attributes."""
    return Demand(SpanColumns(kind=True, name=True, status_message=True, whole=True))


class _Spans(NamedTuple):
    """What is counted, for each span of a batch."""

    side: NDArray[np.int64]  # [n] position in _SIDES
    start_ns: NDArray[np.int64]  # [n]
    weight: NDArray[np.float64]  # [n]


@dataclass(slots=True)
class _Field:
    """One attribute's values, and rows of cells: value i has those of the baseline and of the selection."""

    rows: dict[TypedValue, int] = field(default_factory=dict)
    total_row: int = -1
    overflows: bool = False


class CompareAccumulator:
    """Takes spans batch by batch and counts values of all their attributes."""

    def __init__(self, node: Compare, steps: Steps, settings: TraceqlSettings) -> None:
        self._node = node
        self._settings = settings
        self._cells = Cells(steps, 0.0, settings.max_cells)
        self._n_rows = 0
        self._fields: dict[str, _Field] = {}

    def add(self, block: SpanBlock, positions: NDArray[np.int64]) -> None:
        """Take the spans at these positions into account."""
        if not len(positions):
            return
        rows, details = block.rows, block.rows.details
        spans = _Spans(
            self._selected(block)[positions].astype(np.int64),
            rows.start_ns[positions],
            rows.weight[positions].astype(np.float64),
        )
        for name in _INTRINSICS:
            node = Intrinsic(name)
            values = block.values_of(node).first_per_span(len(block)).take(positions)
            self._count(str(node), values, np.arange(len(positions)), spans)
        if details is not None:
            self._count_sets(AttributeScope.SPAN, details.attributes.take(positions), spans)
        resources = block.tables.resources(rows).attributes
        self._count_sets(AttributeScope.RESOURCE, resources.take(rows.resource[positions]), spans)

    def _selected(self, block: SpanBlock) -> NDArray[np.bool_]:
        start_ns, end_ns = self._node.start_ns, self._node.end_ns
        selected = fulfils(self._node.selection.condition, block)
        if start_ns is not None and end_ns is not None:
            selected &= (start_ns <= block.rows.start_ns) & (block.rows.start_ns < end_ns)
        return selected

    def series(self) -> list[TraceSeries]:
        """For each attribute its most frequent values on both sides, and how many spans have it at all."""
        matrix = self._cells.values(self._n_rows)
        return [each for name in sorted(self._fields) for each in self._series_of(name, self._fields[name], matrix)]

    def _count_sets(self, scope: AttributeScope, sets: AttributeSets, spans: _Spans) -> None:
        owner = np.repeat(np.arange(len(sets)), np.diff(sets.offsets))
        distinct, code = distinct_texts(sets.names)
        values = decode_values(sets.values, np.arange(len(owner)))
        pair = np.arange(len(owner)) if values.owner is None else values.owner
        order = np.argsort(code[pair], kind="stable")
        bounds = np.searchsorted(code[pair][order], np.arange(len(distinct) + 1))
        for number in range(len(distinct)):
            mine = order[bounds[number] : bounds[number + 1]]
            label = str(Attribute(scope, distinct.text(number)))
            self._count(label, values.take(mine), owner[pair[mine]], spans)

    def _count(self, label: str, values: Values, owner: NDArray[np.int64], spans: _Spans) -> None:
        there = np.flatnonzero((values.tag != Tag.NIL) & (values.tag != Tag.OTHER) & (values.tag != Tag.ARRAY))
        if not len(there):
            return
        values, owner = values.take(there), owner[there]
        known = self._fields.setdefault(label, _Field())
        if known.total_row < 0:
            known.total_row = self._new_rows()
        side, start_ns, weight = spans.side[owner], spans.start_ns[owner], spans.weight[owner]
        self._cells.add(known.total_row + side, start_ns, weight, self._n_rows)
        number, first = group_values([values])
        rows = np.array([self._row_of(known, values.typed(row)) for row in first.tolist()], np.int64)[number]
        counted = np.flatnonzero(rows >= 0)
        self._cells.add(rows[counted] + side[counted], start_ns[counted], weight[counted], self._n_rows)

    def _row_of(self, known: _Field, value: TypedValue) -> int:
        row = known.rows.get(value)
        if row is None:
            if len(known.rows) >= self._settings.max_compared_values:
                known.overflows = True
                return -1
            row = known.rows[value] = self._new_rows()
        return row

    def _new_rows(self) -> int:
        self._n_rows += len(_SIDES)
        return self._n_rows - len(_SIDES)

    def _series_of(self, name: str, known: _Field, matrix: NDArray[np.float64]) -> Iterator[TraceSeries]:
        for side, word in enumerate(_SIDES):
            if known.overflows:
                labels = ((_META, _text(word)), (_ERROR, _text(_TOO_MANY)), (name, NIL))
                yield TraceSeries(labels, matrix[known.total_row + side])
                continue
            totals = {value: float(matrix[row + side].sum()) for value, row in known.rows.items()}
            best = sorted(totals, key=lambda value: (-totals[value], str(value)))[: self._node.top]
            for value in best:
                if totals[value] > 0:
                    yield TraceSeries(((_META, _text(word)), (name, value)), matrix[known.rows[value] + side])
            total = matrix[known.total_row + side]
            if total.any():
                yield TraceSeries(((_META, _text(f"{word}_total")), (name, NIL)), total)


def _text(text: str) -> TypedValue:
    return TypedValue(Tag.STRING, text)
