"""Distinct values of an attribute, and distinct operations, without fetching the spans."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import cast

import numpy as np
from numpy.typing import NDArray

from swarmscope.model.attributes import ValueColumn
from swarmscope.model.labels import Utf8Column
from swarmscope.schema.log_tables import NS_PER_DAY
from swarmscope.schema.span_tables import N_SLOTS
from swarmscope.store.embedded.spans.flush import distinct_operations
from swarmscope.store.embedded.spans.live import passes
from swarmscope.store.embedded.spans.packing import as_texts
from swarmscope.store.embedded.spans.span_columns import Spans, text_column
from swarmscope.store.embedded.spans.span_plan import NO_SLOT, SpanPlan
from swarmscope.store.embedded.spans.statements import MAX_LISTED, spans_sql


class DistinctValues:
    """The values found so far of the first attribute that a plan wants, `max_values` at most."""

    def __init__(self, plan: SpanPlan, max_values: int) -> None:
        self._plan = plan
        self._max_values = max_values
        self._found: set[tuple[int, bytes]] = set()

    @property
    def is_full(self) -> bool:
        """Whether there are as many as are wanted."""
        return len(self._found) >= self._max_values

    def values(self) -> list[tuple[int, bytes]]:
        """All of them, sorted."""
        return sorted(self._found)[: self._max_values]

    def add(self, values: ValueColumn) -> None:
        """Add those that are there."""
        for kind in np.unique(values.kind[values.kind > 0]).tolist():
            self.add_texts(kind, values.text.take(np.flatnonzero(values.kind == kind)))

    def add_texts(self, kind: int, texts: Utf8Column) -> None:
        """Add values of one kind. # Slow path: of rows that stand apart, each is looked at"""
        buffer = texts.buffer
        for begin, length in np.unique(np.stack([texts.start, texts.length]), axis=1).T.tolist():
            self._found.add((kind, buffer[begin : begin + length].tobytes()))
            if self.is_full:
                return

    def statements(self, first_segment: int) -> Iterator[tuple[int, str]]:
        """Kinds, and SQL that gives all values of the kind in parts as column `v0`, but for the `deep_plan`."""
        plan, deep = self._plan, self._deep_shapes()
        wanted = plan.wanted[0]
        kinds = wanted.kind[plan.shapes]
        for kind in np.unique(kinds).tolist():
            shapes = np.setdiff1d(plan.shapes[(kinds == kind) & (wanted.slot[plan.shapes] != NO_SLOT)], deep)
            if len(shapes):
                narrowed = replace(plan, shapes=shapes, every_shape=False)
                yield kind, f"SELECT DISTINCT v0 FROM ({spans_sql(narrowed, first_segment)}) LIMIT {self._max_values}"

    def _deep_shapes(self) -> NDArray[np.int64]:
        plan = self._plan
        if plan.resources is not None and len(plan.resources) > MAX_LISTED:
            return plan.shapes
        attributes = (plan.wanted[0], *(test.attribute for test in plan.tests))
        deepest = np.max([attribute.slot[plan.shapes] for attribute in attributes], axis=0)
        deep: NDArray[np.int64] = plan.shapes[deepest >= N_SLOTS]
        return deep

    def deep_plan(self) -> SpanPlan | None:
        """What SQL cannot tell exactly, with the tests' attributes behind the wanted one; None where there is none."""
        shapes = self._deep_shapes()
        shapes = shapes[self._plan.wanted[0].slot[shapes] != NO_SLOT]
        if len(shapes) == 0:
            return None
        tested = tuple(test.attribute for test in self._plan.tests)
        return replace(self._plan, shapes=shapes, every_shape=False, wanted=(self._plan.wanted[0], *tested))

    def add_tested(self, resource: NDArray[np.int64], attributes: tuple[ValueColumn, ...]) -> None:
        """Add those of the rows of `deep_plan` [n] that pass."""
        passing = np.ones(len(resource), np.bool_)
        if self._plan.resources is not None:
            passing &= np.isin(resource, self._plan.resources)
        for test, values in zip(self._plan.tests, attributes[1:], strict=True):
            passing &= passes(values, test)
        self.add(attributes[0].take(np.flatnonzero(passing)))


def distinct_operation_rows(spans: Spans, range_ns: tuple[int, int]) -> Iterator[tuple[int, str, int]]:
    """Distinct (resource, name, kind) of spans that start in the range."""
    rows = np.flatnonzero((spans.ts_ns >= range_ns[0]) & (spans.ts_ns < range_ns[1]))
    names = text_column(spans, "name", rows)
    day = spans.ts_ns[rows] // NS_PER_DAY
    first = distinct_operations(spans.resource[rows], as_texts(names), spans.kind[rows], day)
    resource, kind = spans.resource[rows[first]].tolist(), spans.kind[rows[first]].tolist()
    for index, number in enumerate(resource):
        begin, length = int(names.start[first[index]]), int(names.length[first[index]])
        text = names.buffer[begin : begin + length].tobytes().decode(errors="replace")
        yield number, text, cast("int", kind[index])
