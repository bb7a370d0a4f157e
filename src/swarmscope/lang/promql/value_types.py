"""What an expression evaluates to."""

from __future__ import annotations

from swarmscope.lang.promql.functions import FUNCTIONS
from swarmscope.lang.promql.nodes import (
    Binary,
    Call,
    MatrixSelector,
    Node,
    NumberLiteral,
    Paren,
    StringLiteral,
    Subquery,
    Unary,
    ValueType,
)


def value_type(node: Node) -> ValueType:
    """The type of an expression's value."""
    match node:
        case NumberLiteral():
            return ValueType.SCALAR
        case StringLiteral():
            return ValueType.STRING
        case MatrixSelector() | Subquery():
            return ValueType.MATRIX
        case Unary(expr=expr) | Paren(expr=expr):
            return value_type(expr)
        case Binary(lhs=lhs, rhs=rhs):
            scalars = value_type(lhs) is ValueType.SCALAR and value_type(rhs) is ValueType.SCALAR
            return ValueType.SCALAR if scalars else ValueType.VECTOR
        case Call(function=name):
            return FUNCTIONS[name].return_type
        case _:
            return ValueType.VECTOR
