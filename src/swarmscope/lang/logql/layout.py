"""Queries as `/loki/api/v1/format_query` answers them: on one line, and broken where a line would pass 100 characters.

Stages stand one a line, indented below their selector; what a call takes stands one a line between its brackets.
"""

from __future__ import annotations

from swarmscope.lang.logql.nodes import (
    BinaryOperation,
    LabelReplace,
    LogPipeline,
    MetricNode,
    Node,
    NumberLiteral,
    RangeAggregation,
    VectorAggregation,
    VectorLiteral,
    operator_text,
    selector_text,
)
from swarmscope.lang.logql.quoting import duration_text, quote
from swarmscope.lang.logql.stages import stage_text
from swarmscope.lang.promql.go_numbers import json_number

MAX_LINE = 100  # characters, indent not counted; Loki's bound
_STEP = "  "


def to_pretty(node: Node, level: int = 0) -> str:
    """The query on as many lines as it needs; parsing it gives an equal tree."""
    indent = _STEP * level
    flat = str(node)
    if len(flat) <= MAX_LINE:
        return indent + flat
    match node:
        case LogPipeline():
            return _pipeline(node, level)
        case RangeAggregation():
            return _range_aggregation(node, level)
        case VectorAggregation(op=op, grouping=grouping, parameter=parameter, expression=expression):
            head = op if grouping is None else f"{op} {grouping} "
            first = "" if parameter is None else f"{indent}{_STEP}{parameter},\n"
            return f"{indent}{head}(\n{first}{to_pretty(expression, level + 1)}\n{indent})"
        case BinaryOperation(left=left, right=right):
            return f"{_operand(left, level + 1)}\n{indent}{operator_text(node)}\n{_operand(right, level + 1)}"
        case LabelReplace(expression=expression, target=target, replacement=replacement, source=source, regex=regex):
            texts = ",\n".join(f"{indent}{_STEP}{quote(each)}" for each in (target, replacement, source, regex))
            return f"{indent}label_replace(\n{to_pretty(expression, level + 1)},\n{texts}\n{indent})"
        case VectorLiteral() | NumberLiteral():
            return indent + flat


def _operand(node: MetricNode, level: int) -> str:
    if not isinstance(node, BinaryOperation):
        return to_pretty(node, level)
    indent = _STEP * level
    flat = f"({node})"
    if len(flat) <= MAX_LINE:
        return indent + flat
    return f"{indent}(\n{to_pretty(node, level + 1)}\n{indent})"


def _pipeline(node: LogPipeline, level: int) -> str:
    deeper = _STEP * (level + 1)
    lines = [_STEP * level + selector_text(node.matchers)]
    lines += [deeper + stage_text(stage) for stage in node.stages]
    return "\n".join(lines)


def _range_aggregation(node: RangeAggregation, level: int) -> str:
    indent, inner, deeper = (_STEP * depth for depth in (level, level + 1, level + 2))
    lines = [f"{indent}{node.op}("]
    if node.parameter is not None:
        lines.append(f"{inner}{json_number(node.parameter)},")
    lines.append(_pipeline(node.pipeline, level + 1))
    if node.unwrap is not None:
        lines.append(f"{deeper}{node.unwrap}")
    offset = f" offset {duration_text(node.offset_ns)}" if node.offset_ns else ""
    lines.append(f"{deeper}[{duration_text(node.range_ns)}]{offset}")
    lines.append(f"{indent})" + ("" if node.grouping is None else f" {node.grouping}"))
    return "\n".join(lines)
