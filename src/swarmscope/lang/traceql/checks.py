"""Which types go together: what Tempo refuses beyond the grammar. Every check raises QuerySyntaxError."""

from __future__ import annotations

from swarmscope.lang.logql.regexes import compile_regex
from swarmscope.lang.promql.nodes import Span
from swarmscope.lang.traceql.fields import (
    Attribute,
    FieldNode,
    FieldOperation,
    Intrinsic,
    Literal,
    LogicalOperation,
    UnaryOperation,
)
from swarmscope.lang.traceql.nodes import (
    Aggregate,
    Compare,
    GroupBy,
    HintValue,
    Node,
    Query,
    ScalarFilter,
    ScalarNode,
    ScalarOperation,
    SeriesAggregate,
    SeriesFilter,
    SeriesSelection,
    SpansetFilter,
    walk,
)
from swarmscope.lang.traceql.registry import (
    FIELD_OPERATORS,
    HINTS,
    INTRINSICS,
    MAX_INTEGER,
    MIN_INTEGER,
    IntrinsicField,
    OperatorKind,
    ValueType,
)
from swarmscope.model.errors import QuerySyntaxError
from swarmscope.model.spans import AttributeScope

_EQUALITIES = ("=", "!=")
_ALWAYS_THERE = Attribute(AttributeScope.RESOURCE, "service.name")
_DEFAULT_SPAN = Span(0, 0)


class _Checker:
    """Refusals with places in one text."""

    def __init__(self, text: str) -> None:
        self._text = text

    def refuse(self, message: str, node: Node) -> QuerySyntaxError:
        start = (node.span or _DEFAULT_SPAN).start
        line = self._text.count("\n", 0, start) + 1
        column = start - (self._text.rfind("\n", 0, start) + 1) + 1
        return QuerySyntaxError(f"parse error at line {line}, col {column}: invalid TraceQL query: {message}", start)

    def check(self, node: Node) -> None:
        """One node that has rules of its own; field expressions are checked whole, from their root."""
        match node:
            case SpansetFilter(condition=condition) if condition is not None:
                if self.type_of(condition) not in (ValueType.BOOLEAN, ValueType.ATTRIBUTE):
                    raise self.refuse(f"span filter field expressions must resolve to a boolean: {node}", condition)
            case Aggregate(operand=operand) if operand is not None:
                self._check_aggregate(node, operand)
            case GroupBy(key=key):
                self.type_of(key)
                self._check_reads_span(key, "grouping")
            case ScalarFilter() | ScalarOperation():
                self._check_scalar(node)
            case SeriesAggregate():
                self._check_series(node)
            case Compare(top=top, start_ns=start_ns, end_ns=end_ns):
                if top <= 0:
                    raise self.refuse(f"compare() top number of values must be greater than 0: {node}", node)
                if start_ns is not None and end_ns is not None and start_ns >= end_ns:
                    raise self.refuse(f"compare() start must be before end: {node}", node)
            case SeriesSelection(op=op, limit=limit) if not 0 < limit <= MAX_INTEGER:
                raise self.refuse(f"{op} limit must be greater than 0 and a 64-bit integer", node)
            case SeriesFilter(value=value) if not value.type.is_number:
                raise self.refuse(f"metrics compare with a number, not a {value.type}: {node}", node)
            case HintValue():
                self._check_hint(node)
            case Literal(type=ValueType.INTEGER | ValueType.DURATION, value=int(value)):
                if not MIN_INTEGER <= value <= MAX_INTEGER:
                    raise self.refuse(f"number out of range: {node}", node)

    def type_of(self, node: FieldNode) -> ValueType:
        """What a field expression gives. Raises QuerySyntaxError where its operands do not go together."""
        match node:
            case Literal(type=kind):
                return kind
            case Attribute():
                return ValueType.ATTRIBUTE
            case Intrinsic(name=name):
                return INTRINSICS[name].type
            case LogicalOperation(op=op, operands=operands):
                for each in operands:
                    if self.type_of(each) not in (ValueType.BOOLEAN, ValueType.ATTRIBUTE):
                        raise self.refuse(f"illegal operation for the given types: {op} takes no {each}", each)
                return ValueType.BOOLEAN
            case UnaryOperation(op=op, operand=operand):
                kind = self.type_of(operand)
                right = kind.is_number if op == "-" else kind is ValueType.BOOLEAN
                if not right and kind is not ValueType.ATTRIBUTE:
                    raise self.refuse(f"illegal operation for the given type: {op} takes no {kind}: {node}", node)
                return kind if op == "-" else ValueType.BOOLEAN
            case FieldOperation():
                return self._type_of_operation(node)

    def _type_of_operation(self, node: FieldOperation) -> ValueType:
        left, right = self.type_of(node.left), self.type_of(node.right)
        kind = FIELD_OPERATORS[node.op].kind
        if not _go_together(left, right):
            raise self.refuse(f"binary operations must operate on the same type: {node} ({left} and {right})", node)
        for each in (left, right):
            if not _takes(node.op, kind, each):
                raise self.refuse(f"illegal operation for the given types: {node} ({node.op} takes no {each})", node)
        if ValueType.NIL in (left, right):
            self._check_nil(node)
        if kind is OperatorKind.REGEX:
            self._check_regex(node)
        if kind is OperatorKind.ARITHMETIC:
            if ValueType.DURATION in (left, right):
                return ValueType.DURATION
            return right if left is ValueType.ATTRIBUTE else left
        return ValueType.BOOLEAN

    def _check_regex(self, node: FieldOperation) -> None:
        if not isinstance(node.right, Literal):
            raise self.refuse(f"regular expressions must be strings in quotes: {node}", node.right)
        try:
            compile_regex(str(node.right.value))
        except ValueError as error:
            raise self.refuse(str(error), node.right) from None

    def _check_nil(self, node: FieldOperation) -> None:
        for each in (node.left, node.right):
            if node.op == "=" and isinstance(each, Intrinsic) and each.name is not IntrinsicField.PARENT:
                raise self.refuse(f"intrinsics cannot be nil: {node}", node)
            if node.op == "=" and each == _ALWAYS_THERE:
                raise self.refuse(f"{each} cannot be nil", node)

    def _check_aggregate(self, node: Aggregate, operand: FieldNode) -> None:
        kind = self.type_of(operand)
        if not kind.is_number and kind is not ValueType.ATTRIBUTE:
            raise self.refuse(f"aggregate field expressions must resolve to a number type: {node}", operand)
        self._check_reads_span(operand, "aggregate")

    def _check_reads_span(self, operand: FieldNode, what: str) -> None:
        if not any(isinstance(each, (Attribute, Intrinsic)) for each in walk(operand)):
            raise self.refuse(f"{what} field expressions must reference the span: {operand}", operand)

    def _check_scalar(self, node: ScalarFilter | ScalarOperation) -> None:
        for each in (node.left, node.right):
            kind = _scalar_type(each)
            if not kind.is_number:
                raise self.refuse(f"binary operations must operate on the same type: {node} (number and {kind})", each)

    def _check_series(self, node: SeriesAggregate) -> None:
        if node.operand is not None:
            kind = self.type_of(node.operand)
            if not kind.is_number and kind is not ValueType.ATTRIBUTE:
                raise self.refuse(f"{node.op} takes a numeric field, not a {kind}: {node}", node.operand)
        for quantile in node.quantiles:
            if not 0 <= quantile <= 1:
                raise self.refuse(f"quantile must be between 0 and 1: {node}", node)

    def _check_hint(self, node: HintValue) -> None:
        hint = HINTS.get(node.name)
        if hint is not None and node.value.type not in hint.types:
            wanted = " or ".join(hint.types)
            raise self.refuse(f"hint {node.name} takes a {wanted}, not a {node.value.type}", node)


def check_query(query: Query, text: str) -> None:
    """Raise QuerySyntaxError, with the place in `text`, where the parts of a query do not go together."""
    checker = _Checker(text)
    for node in walk(query):
        checker.check(node)


def _scalar_type(node: ScalarNode) -> ValueType:
    return node.type if isinstance(node, Literal) else ValueType.FLOAT


def _go_together(left: ValueType, right: ValueType) -> bool:
    loose = (ValueType.ATTRIBUTE, ValueType.NIL)
    return left in loose or right in loose or left is right or (left.is_number and right.is_number)


def _takes(op: str, kind: OperatorKind, value: ValueType) -> bool:
    if value is ValueType.ATTRIBUTE:
        return True
    if kind is OperatorKind.REGEX:
        return value is ValueType.STRING
    if kind is OperatorKind.ARITHMETIC:
        return value.is_number
    return op in _EQUALITIES or value.is_number or value is ValueType.STRING
