"""The tree as `/api/v1/parse_query` answers it. Source of the shape: Prometheus' web API."""

from __future__ import annotations

from typing import Any

from swarmscope.lang.promql.functions import FUNCTIONS
from swarmscope.lang.promql.nodes import (
    Aggregate,
    Anchor,
    Binary,
    Call,
    MatrixSelector,
    Node,
    NumberLiteral,
    Paren,
    StringLiteral,
    Subquery,
    Unary,
    VectorSelector,
)
from swarmscope.lang.promql.printer import number_text


def to_ast_json(node: Node | None) -> Any:
    """A node as plain lists and mappings, ready for JSON."""
    match node:
        case None:
            return None
        case NumberLiteral(value=value):
            return {"type": "numberLiteral", "val": number_text(value)}
        case StringLiteral(value=value):
            return {"type": "stringLiteral", "val": value}
        case VectorSelector():
            return {"type": "vectorSelector", **_selector_json(node)}
        case MatrixSelector(vector=vector, range_ms=range_ms):
            return {"type": "matrixSelector", "range": range_ms, **_selector_json(vector)}
        case Subquery(expr=expr):
            return {
                "type": "subquery",
                "expr": to_ast_json(expr),
                "range": node.range_ms,
                "step": node.step_ms or 0,
                **_times_json(node.offset_ms, node.at),
            }
        case Unary(expr=expr):
            return {"type": "unaryExpr", "op": "-", "expr": to_ast_json(expr)}
        case Paren(expr=expr):
            return {"type": "parenExpr", "expr": to_ast_json(expr)}
        case Binary():
            return _binary_json(node)
        case Call():
            return _call_json(node)
        case Aggregate():
            return {
                "type": "aggregation",
                "op": node.op,
                "expr": to_ast_json(node.expr),
                "param": to_ast_json(node.param),
                "grouping": list(node.grouping),
                "without": node.without,
            }


def _times_json(offset_ms: int, at: int | Anchor | None) -> dict[str, Any]:
    return {
        "offset": offset_ms,
        "timestamp": at if isinstance(at, int) else None,
        "startOrEnd": str(at) if isinstance(at, Anchor) else None,
    }


def _selector_json(node: VectorSelector) -> dict[str, Any]:
    matchers = [{"name": m.name, "value": m.value, "type": str(m.operator)} for m in node.matchers]
    return {
        "name": node.name,
        "matchers": matchers,
        **_times_json(node.offset_ms, node.at),
        "anchored": False,
        "smoothed": False,
    }


def _call_json(node: Call) -> dict[str, Any]:
    function = FUNCTIONS[node.function]
    return {
        "type": "call",
        "func": {
            "name": function.name,
            "argTypes": [str(kind) for kind in function.arg_types],
            "variadic": function.variadic,
            "returnType": str(function.return_type),
        },
        "args": [to_ast_json(arg) for arg in node.args],
    }


def _binary_json(node: Binary) -> dict[str, Any]:
    matching = None
    if node.matching is not None:
        matching = {
            "card": str(node.matching.cardinality),
            "labels": list(node.matching.labels),
            "on": node.matching.on,
            "include": list(node.matching.include),
            "fillValues": {"lhs": node.matching.fill_left, "rhs": node.matching.fill_right},
        }
    return {
        "type": "binaryExpr",
        "op": node.op,
        "lhs": to_ast_json(node.lhs),
        "rhs": to_ast_json(node.rhs),
        "matching": matching,
        "bool": node.return_bool,
    }
