"""What an editor completes: names of fields, and the values that they have."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from swarmscope.lang.traceql import Query, parse_spanset_filter
from swarmscope.lang.traceql.fields import Attribute, FieldOperation, Intrinsic
from swarmscope.lang.traceql.nodes import Pipeline, Select, SpansetFilter
from swarmscope.lang.traceql.registry import INTRINSICS, IntrinsicField
from swarmscope.model.attributes import ValueColumn, bytes_column
from swarmscope.model.contracts import ReadBudget, SpanReader
from swarmscope.model.errors import QuerySyntaxError, UnsupportedQueryError
from swarmscope.model.spans import AttributeScope, SpanKind, SpanRequest, SpanStatus
from swarmscope.query.traceql.demand import demand_of
from swarmscope.query.traceql.settings import TraceqlSettings
from swarmscope.query.traceql.span_block import SERVICE_NAME, SpanTables
from swarmscope.query.traceql.span_streams import SpanStream
from swarmscope.query.traceql.value_decoding import decode_values
from swarmscope.query.traceql.value_groups import group_values
from swarmscope.query.traceql.values import Tag, TypedValue, Values

_SERVICES = Attribute(AttributeScope.RESOURCE, SERVICE_NAME)
_NAMES = Intrinsic(IntrinsicField.NAME)
_HIDDEN = (Tag.NIL, Tag.OTHER, Tag.ARRAY)


@dataclass(frozen=True, slots=True)
class TagRequest:
    """Names or values of spans with start_ns <= start < end_ns; `filter_text` is a `{ … }` or empty."""

    start_ns: int
    end_ns: int
    tenant: str
    max_values: int
    filter_text: str = ""


def tag_names(reader: SpanReader, request: TagRequest, scopes: tuple[AttributeScope, ...]) -> dict[str, list[str]]:
    """Sorted names of attributes by scope."""
    return {
        scope.value: reader.attribute_names(request.tenant, scope, request.start_ns, request.end_ns) for scope in scopes
    }


def intrinsic_names() -> list[str]:
    """Sorted names of what every span has."""
    return sorted({spelling for word in INTRINSICS.values() for spelling in (word.field.value, *word.other_spellings)})


def parse_tag(text: str) -> Attribute | Intrinsic:
    """A field by itself: `name`, `.x`, `resource.x`. Raises QuerySyntaxError."""
    node = parse_spanset_filter(f"{{ {text} != nil }}").condition
    if isinstance(node, FieldOperation) and isinstance(node.left, (Attribute, Intrinsic)):
        return node.left
    raise QuerySyntaxError(f"{text!r} is no field of a span")


def parse_filter(text: str) -> SpansetFilter:
    """A filter to complete values behind; what cannot be read while somebody types it filters nothing."""
    try:
        return parse_spanset_filter(text)
    except (QuerySyntaxError, UnsupportedQueryError):
        return SpansetFilter()


def tag_values(
    reader: SpanReader, settings: TraceqlSettings, tag: str, request: TagRequest, budget: ReadBudget
) -> list[TypedValue]:
    """Distinct values, sorted, at most `max_values`. Raises QuerySyntaxError for what is no field."""
    field = parse_tag(tag)
    chosen = parse_filter(request.filter_text)
    found = _without_spans(reader, field, request, budget) if chosen.condition is None else None
    if found is None:
        query = Query(Pipeline((chosen, Select((field,)))))
        range_ns = (request.start_ns, request.end_ns)
        stream = SpanStream(
            reader, settings, request.tenant, range_ns, query, budget, SpanTables(reader), demand_of([query])
        )
        found = _of_spans(stream, field, request.max_values)
    return sorted(found, key=_by_type_and_value)[: request.max_values]


def _by_type_and_value(value: TypedValue) -> tuple[int, float, str]:
    number = value.value if isinstance(value.value, (int, float)) else 0.0
    return value.tag, number, str(value)


def _without_spans(
    reader: SpanReader, field: Attribute | Intrinsic, request: TagRequest, budget: ReadBudget
) -> set[TypedValue] | None:
    """Values that need no look at the spans themselves; None where that is needed."""
    if field in (_SERVICES, _NAMES):
        operations = reader.operations(request.tenant, request.start_ns, request.end_ns)
        texts = {each.service if field == _SERVICES else each.name for each in operations}
        return {TypedValue(Tag.STRING, text) for text in texts if text}
    if isinstance(field, Intrinsic):
        if field.name is IntrinsicField.STATUS:
            return {TypedValue(Tag.STATUS, int(each)) for each in SpanStatus}
        if field.name is IntrinsicField.KIND:
            return {TypedValue(Tag.KIND, int(each)) for each in SpanKind}
        return None
    if field.scope is not AttributeScope.SPAN or field.of_parent:
        return None
    stored = reader.attribute_values(
        request.tenant, field.name, SpanRequest(request.start_ns, request.end_ns), budget, request.max_values
    )
    kinds = np.array([kind for kind, _ in stored], np.uint8)
    return _distinct(decode_values(ValueColumn(kinds, bytes_column([text for _, text in stored]))))


def _of_spans(stream: SpanStream, field: Attribute | Intrinsic, max_values: int) -> set[TypedValue]:
    found: set[TypedValue] = set()
    for block, positions in stream.matching():
        values = block.values_of(field)
        if values.owner is None:
            found |= _distinct(values.take(positions))
        else:
            chosen = np.zeros(len(block), np.bool_)
            chosen[positions] = True
            found |= _distinct(values.take(np.flatnonzero(chosen[values.owner])))
        if len(found) >= max_values:
            break
    return found


def _distinct(values: Values) -> set[TypedValue]:
    first = group_values([values]).first
    return {value for row in first.tolist() if (value := values.typed(row)).tag not in _HIDDEN}
