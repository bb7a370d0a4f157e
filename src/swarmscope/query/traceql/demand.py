"""What a query needs of spans: columns, attributes, whole traces; and what of its conditions a reader may use."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from swarmscope.lang.traceql.fields import (
    Attribute,
    FieldNode,
    FieldOperation,
    Intrinsic,
    Literal,
    LogicalOperation,
)
from swarmscope.lang.traceql.nodes import Node, children, walk
from swarmscope.lang.traceql.registry import IntrinsicField
from swarmscope.model.spans import AttributeScope, SpanColumns
from swarmscope.query.traceql.conditions import asks_for_root

_OF_TRACES = frozenset({
    IntrinsicField.TRACE_DURATION, IntrinsicField.ROOT_NAME, IntrinsicField.ROOT_SERVICE, IntrinsicField.CHILD_COUNT,
    IntrinsicField.NESTED_SET_LEFT, IntrinsicField.NESTED_SET_RIGHT, IntrinsicField.NESTED_SET_PARENT,
})  # fmt: skip
_COLUMNS = {
    IntrinsicField.NAME: SpanColumns(name=True),
    IntrinsicField.DURATION: SpanColumns(duration=True),
    IntrinsicField.KIND: SpanColumns(kind=True),
    IntrinsicField.STATUS: SpanColumns(kind=True),
    IntrinsicField.STATUS_MESSAGE: SpanColumns(status_message=True),
    IntrinsicField.SPAN_ID: SpanColumns(ids=True),
    IntrinsicField.PARENT_ID: SpanColumns(ids=True),
    IntrinsicField.PARENT: SpanColumns(ids=True),
    IntrinsicField.NESTED_SET_PARENT: SpanColumns(ids=True),
    IntrinsicField.ROOT_NAME: SpanColumns(name=True),
    IntrinsicField.EVENT_NAME: SpanColumns(events=True),
    IntrinsicField.EVENT_TIME_SINCE_START: SpanColumns(events=True),
    IntrinsicField.LINK_TRACE_ID: SpanColumns(links=True),
    IntrinsicField.LINK_SPAN_ID: SpanColumns(links=True),
    IntrinsicField.INSTRUMENTATION_NAME: SpanColumns(scope=True),
    IntrinsicField.INSTRUMENTATION_VERSION: SpanColumns(scope=True),
}
_SCOPE_COLUMNS = {
    AttributeScope.EVENT: SpanColumns(events=True),
    AttributeScope.LINK: SpanColumns(links=True),
    AttributeScope.INSTRUMENTATION: SpanColumns(scope=True),
}
FOR_FACTS = SpanColumns(ids=True, duration=True)


@dataclass(frozen=True, slots=True)
class Demand:
    """Columns, and names of span attributes in order."""

    columns: SpanColumns = field(default_factory=SpanColumns)
    attributes: tuple[str, ...] = ()

    def joined(self, other: Demand) -> Demand:
        """What either needs."""
        return Demand(_both(self.columns, other.columns), tuple(dict.fromkeys(self.attributes + other.attributes)))


def demand_of(nodes: Iterable[Node]) -> Demand:
    """What the fields in and below these nodes need."""
    columns, names = SpanColumns(), []
    for each in nodes:
        for node in walk(each):
            if isinstance(node, Intrinsic):
                columns = _both(columns, _COLUMNS.get(node.name, SpanColumns()))
            elif isinstance(node, Attribute):
                if node.scope in (None, AttributeScope.SPAN):
                    names.append(node.name)
                elif node.scope in _SCOPE_COLUMNS:
                    columns = _both(columns, _SCOPE_COLUMNS[node.scope])
    return Demand(columns, tuple(dict.fromkeys(names)))


def needs_traces(node: Node) -> bool:
    """Whether a field in or below the node is of a span's whole trace."""
    waiting: list[Node] = [node]
    while waiting:
        current = waiting.pop()
        if isinstance(current, FieldOperation) and asks_for_root(current) is not None:
            continue
        if isinstance(current, Intrinsic) and current.name in _OF_TRACES:
            return True
        if isinstance(current, Attribute) and current.of_parent:
            return True
        if not isinstance(current, (Intrinsic, Attribute, Literal)):
            waiting.extend(children(current))
    return False


def loosened(node: FieldNode | None) -> FieldNode | None:
    """A condition that every span fulfils which fulfils this one, and that needs no other span; None: all spans do."""
    if node is None or not needs_traces(node):
        return node
    match node:
        case LogicalOperation(op="&&", operands=operands):
            left = [loose for each in operands if (loose := loosened(each)) is not None]
            return all_of(left)
        case LogicalOperation(op="||", operands=operands):
            return any_of([loosened(each) for each in operands])
        case _:
            return None


def all_of(nodes: list[FieldNode]) -> FieldNode | None:
    """All conditions at once."""
    if not nodes:
        return None
    return nodes[0] if len(nodes) == 1 else LogicalOperation("&&", _flat("&&", nodes))


def any_of(nodes: list[FieldNode | None]) -> FieldNode | None:
    """Any of the conditions; None where one of them is none."""
    some = [node for node in nodes if node is not None]
    if len(some) < len(nodes) or not some:
        return None
    return some[0] if len(some) == 1 else LogicalOperation("||", _flat("||", some))


def _flat(op: str, nodes: list[FieldNode]) -> tuple[FieldNode, ...]:
    flat: list[FieldNode] = []
    for node in nodes:
        flat.extend(node.operands if isinstance(node, LogicalOperation) and node.op == op else (node,))
    return tuple(flat)


def _both(left: SpanColumns, right: SpanColumns) -> SpanColumns:
    return replace(left, **{name: True for name in SpanColumns.__slots__ if getattr(right, name)})
