"""What of a condition a reader may use to leave spans out: only what every span that fulfils it has.

An attribute without scope gives no hint, for it may stand with the span or the resource.
"""

from __future__ import annotations

import math

from swarmscope.lang.traceql.fields import (
    Attribute,
    FieldNode,
    FieldOperation,
    Intrinsic,
    Literal,
    LogicalOperation,
    UnaryOperation,
)
from swarmscope.lang.traceql.registry import (
    FIELD_OPERATORS,
    MAX_INTEGER,
    MIN_INTEGER,
    IntrinsicField,
    OperatorKind,
    ValueType,
)
from swarmscope.model.spans import AttributeKey, AttributeScope, Comparison, Condition

_SCOPES = (AttributeScope.SPAN, AttributeScope.RESOURCE)
_PLAIN = (ValueType.STRING, ValueType.INTEGER, ValueType.FLOAT, ValueType.DURATION, ValueType.BOOLEAN)
_MIRRORED = {"<": ">", "<=": ">=", ">": "<", ">=": "<="}
_COLUMNS = {
    IntrinsicField.NAME: ("name", ValueType.STRING),
    IntrinsicField.KIND: ("kind", ValueType.KIND),
    IntrinsicField.STATUS: ("status", ValueType.STATUS),
}


def hints_of(node: FieldNode | None) -> tuple[Condition, ...]:
    """Conditions that all hold for whatever fulfils the node."""
    match node:
        case LogicalOperation(op="&&", operands=operands):
            return tuple(dict.fromkeys(hint for each in operands for hint in hints_of(each)))
        case LogicalOperation(op="||", operands=operands):
            return _either([hints_of(each) for each in operands])
        case Attribute():
            return _equal(node, True)
        case UnaryOperation(op="!", operand=Attribute() as attribute):
            return _equal(attribute, False)
        case FieldOperation():
            return _of_operation(node)
        case _:
            return ()


def selectivity(hints: tuple[Condition, ...]) -> int:
    """How few spans will probably fulfil the hints: more is fewer."""
    points = 0
    for hint in hints:
        if hint.comparison is Comparison.PRESENT:
            points += 2
        elif isinstance(hint.key, AttributeKey):
            points += 6
        else:
            points += {"name": 8, "status": 5 if 2 in hint.values else 1, "kind": 1}.get(hint.key, 3)
    return points


def _either(sides: list[tuple[Condition, ...]]) -> tuple[Condition, ...]:
    """What is common to all sides: keys that each has, with the values of any."""
    merged = []
    for hint in sides[0]:
        matching = [[each for each in side if _kin(each, hint)] for side in sides]
        if all(matching):
            values = tuple(dict.fromkeys(value for group in matching for value in group[0].values))
            merged.append(Condition(hint.key, hint.comparison, values))
    return tuple(merged)


def _kin(left: Condition, right: Condition) -> bool:
    # Ranges of durations do not add up to a list of values.
    return left.key == right.key != "duration" and left.comparison is right.comparison


def _of_operation(node: FieldOperation) -> tuple[Condition, ...]:
    op, left, right = node.op, node.left, node.right
    if isinstance(left, Literal) and not isinstance(right, Literal):
        op, left, right = _MIRRORED.get(op, op), right, left
    if isinstance(right, Literal) and right.type is ValueType.NIL:
        return _present(left) if op == "!=" else ()
    if FIELD_OPERATORS[op].kind is OperatorKind.ARITHMETIC:
        return ()
    if isinstance(left, Intrinsic) and isinstance(right, Literal):
        return _of_intrinsic(op, left.name, right)
    if op == "=" and isinstance(left, Attribute) and isinstance(right, Literal) and right.type in _PLAIN:
        return _equal(left, right.value)
    return _present(left) + _present(right)


def _of_intrinsic(op: str, name: IntrinsicField, literal: Literal) -> tuple[Condition, ...]:
    if name is IntrinsicField.DURATION and literal.type.is_number:
        return _duration(op, literal.value)
    if op == "=" and name in _COLUMNS and literal.value is not None:
        key, kind = _COLUMNS[name]
        value = str(literal.value) if kind is ValueType.STRING else int(literal.value)
        return (Condition(key, Comparison.EQUAL, (value,)),) if literal.type is kind else ()
    return ()


def _duration(op: str, value: str | float | None) -> tuple[Condition, ...]:
    number = value if isinstance(value, (int, float)) else 0
    if math.isnan(number) or abs(number) > MAX_INTEGER:
        return ()
    least = math.ceil(number) if op in (">=", "=") else math.floor(number) + 1
    most = math.floor(number) if op in ("<=", "=") else math.ceil(number) - 1
    match op:
        case "=":
            bounds = (least, most)
        case ">" | ">=":
            bounds = (least, MAX_INTEGER)
        case "<" | "<=":
            bounds = (MIN_INTEGER, most)
        case _:
            return ()
    return (Condition("duration", Comparison.EQUAL, bounds),)


def _equal(node: Attribute, value: str | float | bool | None) -> tuple[Condition, ...]:
    if node.of_parent or node.scope not in _SCOPES or value is None:
        return ()
    return (Condition(AttributeKey(node.scope, node.name), Comparison.EQUAL, (value,)),)


def _present(node: FieldNode) -> tuple[Condition, ...]:
    """Fields that arithmetic cannot do without."""
    match node:
        case Attribute(scope=scope, name=name, of_parent=False) if scope is not None and scope in _SCOPES:
            return (Condition(AttributeKey(scope, name), Comparison.PRESENT),)
        case UnaryOperation(op="-", operand=operand):
            return _present(operand)
        case FieldOperation(op=op, left=left, right=right) if FIELD_OPERATORS[op].kind is OperatorKind.ARITHMETIC:
            return _present(left) + _present(right)
        case _:
            return ()
