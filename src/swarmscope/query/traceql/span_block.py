"""Spans in columns, and what each field is for them."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
from numba import njit
from numpy.typing import NDArray

from swarmscope.lang.traceql.fields import Attribute, Intrinsic
from swarmscope.lang.traceql.registry import IntrinsicField
from swarmscope.model.attributes import AttributeSets, ValueColumn
from swarmscope.model.contracts import SpanReader
from swarmscope.model.labels import Utf8Column
from swarmscope.model.spans import AttributeScope, Resources, Scopes, SpanRows
from swarmscope.query.traceql.trace_facts import TraceFacts, has_parent
from swarmscope.query.traceql.value_decoding import decode_values
from swarmscope.query.traceql.values import Tag, Values, concatenated, nil_values, text_values, whole_values

SERVICE_NAME = "service.name"


class SpanTables:
    """Resources and scopes of a reader, read again when rows point behind what is known. Of one query."""

    def __init__(self, reader: SpanReader) -> None:
        self._reader = reader
        self._resources = reader.resources()
        self._scopes: Scopes | None = None
        self._columns: dict[str, Values] = {}

    def resources(self, rows: SpanRows) -> Resources:
        """All that the rows point into."""
        if len(rows) and int(rows.resource.max()) >= len(self._resources):
            self._resources = self._reader.resources()
            self._columns.clear()
        return self._resources

    def resource_column(self, rows: SpanRows, name: str) -> Values:
        """One attribute of all resources."""
        resources = self.resources(rows)
        if name not in self._columns:
            self._columns[name] = decode_values(resources.attributes.column(name))
        return self._columns[name]

    def scopes(self, rows: SpanRows) -> Scopes:
        """All that the rows point into."""
        if self._scopes is None or (len(rows.scope) and int(rows.scope.max()) >= len(self._scopes)):
            self._scopes = self._reader.scopes()
        return self._scopes


@dataclass(slots=True)
class SpanBlock:
    """n spans and the means to look at them. `names` are those of `rows.attributes`.

    `facts` is there when all spans of all traces in the block are: fields that need them may be asked for then.
    """

    rows: SpanRows
    names: tuple[str, ...]
    tables: SpanTables
    facts: TraceFacts | None = None
    _known: dict[Attribute | Intrinsic, Values] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.rows)

    def values_of(self, node: Attribute | Intrinsic) -> Values:
        """The values of a field; with an index or owners where that is nearer."""
        known = self._known.get(node)
        if known is None:
            known = self._intrinsic(node.name) if isinstance(node, Intrinsic) else self._attribute(node)
            self._known[node] = known
        return known

    def whole_facts(self) -> TraceFacts:
        """What is known of the traces. Raises ValueError where the block does not hold whole traces."""
        if self.facts is None:
            raise ValueError("a field of whole traces was asked of single spans")
        return self.facts

    def _attribute(self, node: Attribute) -> Values:
        if node.of_parent:
            own = self.values_of(replace(node, of_parent=False, span=None)).first_per_span(len(self)).flat()
            parent = self.whole_facts().parent
            padded = concatenated([own, nil_values(1)])
            return padded.take(np.where(parent < 0, len(self), parent))
        rows = self.rows
        match node.scope:
            case AttributeScope.SPAN:
                return self._span_attribute(node.name)
            case AttributeScope.RESOURCE:
                return self._resource_attribute(node.name)
            case AttributeScope.EVENT:
                return _nested(rows.events.attributes, rows.events.offsets, node.name)
            case AttributeScope.LINK:
                return _nested(rows.links.attributes, rows.links.offsets, node.name)
            case AttributeScope.INSTRUMENTATION:
                scopes = self.tables.scopes(rows)
                return _looked_up(decode_values(scopes.attributes.column(node.name)), rows.scope)
            case _:
                return self._nearest(node.name)

    def _span_attribute(self, name: str) -> Values:
        if name not in self.names:
            raise ValueError(f"the attribute {name} was not read")
        return decode_values(self.rows.attributes[self.names.index(name)])

    def _resource_attribute(self, name: str) -> Values:
        return _looked_up(self.tables.resource_column(self.rows, name), self.rows.resource)

    def _nearest(self, name: str) -> Values:
        """The span's own attribute, else the resource's."""
        own, outer = self._span_attribute(name), self._resource_attribute(name)
        if not (own.tag != Tag.NIL).any():
            return outer
        if not (outer.tag != Tag.NIL).any():
            return own
        if own.owner is None and outer.owner is None and outer.index is not None:
            there = own.tag != Tag.NIL
            index = np.where(there, np.arange(len(own)), outer.index + len(own))
            return replace(concatenated([own, replace(outer, index=None)]), index=index)
        return _merged(own.flat(), outer.flat(), len(self))

    def _intrinsic(self, name: IntrinsicField) -> Values:
        rows = self.rows
        match name:
            case IntrinsicField.NAME:
                return text_values(rows.name)
            case IntrinsicField.DURATION:
                return whole_values(Tag.DURATION, rows.duration_ns)
            case IntrinsicField.KIND:
                return whole_values(Tag.KIND, rows.kind.astype(np.int64))
            case IntrinsicField.STATUS:
                return whole_values(Tag.STATUS, rows.status.astype(np.int64))
            case IntrinsicField.STATUS_MESSAGE:
                return text_values(rows.status_message)
            case IntrinsicField.SPAN_ID:
                return text_values(hex_column(rows.span_id))
            case IntrinsicField.PARENT_ID:
                return text_values(hex_column(rows.parent_id), has_parent(rows))
            case IntrinsicField.PARENT:
                there = has_parent(rows)
                return replace(whole_values(Tag.OTHER, there.astype(np.int64)),
                               tag=np.where(there, np.uint8(Tag.OTHER), np.uint8(Tag.NIL)))  # fmt: skip
            case IntrinsicField.TRACE_ID:
                return text_values(hex_column(rows.trace_id))
            case IntrinsicField.INSTRUMENTATION_NAME:
                return _looked_up(text_values(self.tables.scopes(rows).name), rows.scope)
            case IntrinsicField.INSTRUMENTATION_VERSION:
                return _looked_up(text_values(self.tables.scopes(rows).version), rows.scope)
            case _:
                return self._nested_intrinsic(name)

    def _nested_intrinsic(self, name: IntrinsicField) -> Values:
        events, links = self.rows.events, self.rows.links
        match name:
            case IntrinsicField.EVENT_NAME:
                return replace(text_values(events.name), owner=owners(events.offsets))
            case IntrinsicField.EVENT_TIME_SINCE_START:
                owner = owners(events.offsets)
                since_ns = events.ts_ns - self.rows.start_ns[owner]
                return replace(whole_values(Tag.DURATION, since_ns), owner=owner)
            case IntrinsicField.LINK_TRACE_ID:
                return replace(text_values(hex_column(links.trace_id)), owner=owners(links.offsets))
            case IntrinsicField.LINK_SPAN_ID:
                return replace(text_values(hex_column(links.span_id)), owner=owners(links.offsets))
            case _:
                return self._trace_intrinsic(name)

    def _trace_intrinsic(self, name: IntrinsicField) -> Values:
        facts = self.whole_facts()
        match name:
            case IntrinsicField.TRACE_DURATION:
                return replace(whole_values(Tag.DURATION, facts.trace_duration_ns), index=facts.trace)
            case IntrinsicField.CHILD_COUNT:
                return whole_values(Tag.INTEGER, facts.child_count())
            case IntrinsicField.NESTED_SET_LEFT:
                return whole_values(Tag.INTEGER, facts.nested_sets().left)
            case IntrinsicField.NESTED_SET_RIGHT:
                return whole_values(Tag.INTEGER, facts.nested_sets().right)
            case IntrinsicField.NESTED_SET_PARENT:
                return whole_values(Tag.INTEGER, facts.nested_sets().parent)
            case IntrinsicField.ROOT_NAME:
                return _of_roots(text_values(self.rows.name), facts)
            case _:
                service = self._resource_attribute(SERVICE_NAME).first_per_span(len(self)).flat()
                return _of_roots(service, facts)


def _of_roots(values: Values, facts: TraceFacts) -> Values:
    padded = concatenated([replace(values, index=None, owner=None), nil_values(1)])
    root = np.where(facts.root < 0, len(padded) - 1, facts.root)
    return replace(padded.take(root), index=facts.trace)


def _looked_up(values: Values, index: NDArray[np.int64]) -> Values:
    """Values of resources or scopes as those of spans."""
    if values.owner is None:
        return replace(values, index=index)
    # Arrays: all elements of the resource for each of its spans.
    bounds = np.searchsorted(values.owner, np.arange(int(values.owner[-1]) + 2 if len(values) else 1))
    counts = np.diff(bounds)[index]
    owner = np.repeat(np.arange(len(index)), counts)
    first = np.repeat(bounds[index] - (np.cumsum(counts) - counts), counts)
    taken = replace(values, owner=None).take(np.arange(len(owner)) + first)
    return replace(taken, owner=owner, elements=True)


def _merged(own: Values, outer: Values, n_spans: int) -> Values:
    """Where a span has values of its own those, else the outer ones; owners stay ascending."""
    there = np.zeros(n_spans, np.bool_)
    owners_own = np.arange(n_spans) if own.owner is None else own.owner
    owners_outer = np.arange(n_spans) if outer.owner is None else outer.owner
    there[owners_own[own.tag != Tag.NIL]] = True
    kept_own, kept_outer = np.flatnonzero(there[owners_own]), np.flatnonzero(~there[owners_outer])
    owner = np.concatenate([owners_own[kept_own], owners_outer[kept_outer]])
    order = np.argsort(owner, kind="stable")
    both = concatenated([own.take(kept_own), outer.take(kept_outer)]).take(order)
    return replace(both, owner=owner[order], elements=True)


def owners(offsets: NDArray[np.int64]) -> NDArray[np.int64]:
    """Whose each entry is."""
    return np.repeat(np.arange(len(offsets) - 1), np.diff(offsets))


def _nested(sets: AttributeSets, offsets: NDArray[np.int64], name: str) -> Values:
    column: ValueColumn = sets.column(name)
    return decode_values(column, owners(offsets))


def hex_column(ids: NDArray[np.uint8]) -> Utf8Column:
    """Ids [n, width] in lower-case hexadecimal."""
    n, width = ids.shape
    text = _hexadecimal(np.ascontiguousarray(ids))
    length = np.full(n, 2 * width, np.int64)
    return Utf8Column(text, np.arange(n, dtype=np.int64) * (2 * width), length)


@njit(nogil=True, cache=True)
def _hexadecimal(ids: NDArray[np.uint8]) -> NDArray[np.uint8]:
    n, width = ids.shape
    text = np.empty(n * width * 2, np.uint8)
    for i in range(n):
        for k in range(width):
            for half in range(2):
                digit = (ids[i, k] >> 4) if half == 0 else (ids[i, k] & 15)
                text[(i * width + k) * 2 + half] = digit + (48 if digit < 10 else 87)
    return text
