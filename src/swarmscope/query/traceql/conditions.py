"""Which spans fulfil a field expression, and what its value is.

https://grafana.com/docs/tempo/latest/traceql/construct-traceql-queries/#comparison-operators: a comparison with a
field that a span does not have is false, and so is one of types that do not go together.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from swarmscope.lang.traceql.fields import (
    Attribute,
    FieldNode,
    FieldOperation,
    Intrinsic,
    Literal,
    LogicalOperation,
    UnaryOperation,
)
from swarmscope.lang.traceql.registry import FIELD_OPERATORS, IntrinsicField, OperatorKind, ValueType
from swarmscope.query.traceql.arithmetic import calculate, negative
from swarmscope.query.traceql.comparisons import compare_values, is_nil, match_values
from swarmscope.query.traceql.span_block import SpanBlock
from swarmscope.query.traceql.trace_facts import has_parent
from swarmscope.query.traceql.values import Tag, Values, literal_value, whole_values


def fulfils(node: FieldNode | None, block: SpanBlock) -> NDArray[np.bool_]:
    """Which spans [n] fulfil a condition; all do where there is none. Raises QueryFailedError on a bad regex."""
    match node:
        case None:
            return np.ones(len(block), np.bool_)
        case LogicalOperation(op=op, operands=operands):
            return _combined(op, operands, block)
        case UnaryOperation(op="!", operand=operand):
            return _denied(operand, block)
        case FieldOperation(op=op, left=left, right=right):
            return _compared(op, left, right, block)
        case Literal():
            return np.full(len(block), node.value is True)
        case _:
            return compare_values("=", evaluate(node, block), _boolean(True), len(block))


def evaluate(node: FieldNode, block: SpanBlock) -> Values:
    """The values of a field expression; a literal's is one cell."""
    match node:
        case Literal():
            return literal_value(node)
        case Attribute() | Intrinsic():
            return block.values_of(node)
        case UnaryOperation(op="-", operand=operand):
            return negative(evaluate(operand, block))
        case FieldOperation(op=op, left=left, right=right) if FIELD_OPERATORS[op].kind is OperatorKind.ARITHMETIC:
            return calculate(op, evaluate(left, block), evaluate(right, block))
        case _:
            return whole_values(Tag.BOOLEAN, fulfils(node, block).astype(np.int64))


def _combined(op: str, operands: tuple[FieldNode, ...], block: SpanBlock) -> NDArray[np.bool_]:
    held = fulfils(operands[0], block)
    for each in operands[1:]:
        held = held & fulfils(each, block) if op == "&&" else held | fulfils(each, block)
    return held


def _denied(operand: FieldNode, block: SpanBlock) -> NDArray[np.bool_]:
    """Not a comparison; of a field: it is false, and not just missing."""
    if isinstance(operand, (Attribute, Intrinsic)):
        return compare_values("=", evaluate(operand, block), _boolean(False), len(block))
    return ~fulfils(operand, block)


def _compared(op: str, left: FieldNode, right: FieldNode, block: SpanBlock) -> NDArray[np.bool_]:
    kind = FIELD_OPERATORS[op].kind
    if kind is OperatorKind.ARITHMETIC:
        return np.zeros(len(block), np.bool_)
    root = asks_for_root(FieldOperation(op, left, right))
    if root is not None:
        return has_parent(block.rows) ^ root
    if kind is OperatorKind.REGEX and isinstance(right, Literal):
        return match_values(op, evaluate(left, block), str(right.value), len(block))
    if _is_nil(right) or _is_nil(left):
        missing = is_nil(evaluate(left if _is_nil(right) else right, block), len(block))
        return missing if op == "=" else ~missing
    return compare_values(op, evaluate(left, block), evaluate(right, block), len(block))


def asks_for_root(node: FieldNode) -> bool | None:
    """Whether an expression says that a span is a root (True) or is none (False), as nested sets say it; None: neither.

    Roots alone have a negative nestedSetParent, and to know them no other span is needed.
    """
    match node:
        case FieldOperation(
            op=op, left=Intrinsic(name=IntrinsicField.NESTED_SET_PARENT), right=Literal(type=ValueType.INTEGER, value=k)
        ):
            if (op, k) in (("<", 0), ("<=", -1), ("=", -1)):
                return True
            if (op, k) in ((">=", 0), (">", -1), ("!=", -1)):
                return False
    return None


def _is_nil(node: FieldNode) -> bool:
    return isinstance(node, Literal) and node.type is ValueType.NIL


def _boolean(value: bool) -> Values:
    return whole_values(Tag.BOOLEAN, np.array([value], np.int64))
