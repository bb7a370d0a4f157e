"""What charts of notifications show: the query of an alert, asked of the store."""

from __future__ import annotations

import numpy as np

from swarmscope.integrations.slack.query_chart import MAX_LINES, ChartLine, ChartRequest, ChartValues
from swarmscope.lang.promql import parse_promql, to_text
from swarmscope.lang.promql.nodes import Binary, Node, NumberLiteral, without_parens
from swarmscope.query.deadlines import Deadline
from swarmscope.query.promql.engine import PromqlEngine, QueryRequest, labels_as_text

_POINTS = 240  # a picture is no finer
_TIME_LIMIT_S = 8.0
_NS_PER_MS = 1_000_000
_COMPARISONS = frozenset({"==", "!=", ">", "<", ">=", "<="})


def chart_values(engine: PromqlEngine) -> ChartValues:
    """Asks the engine for what an expression was, over the time of a chart. Runs in any thread."""

    def values(request: ChartRequest) -> list[ChartLine]:
        start_ms, end_ms = request.start_ns // _NS_PER_MS, request.end_ns // _NS_PER_MS
        result = engine.query_range(
            QueryRequest(
                text=shown_expression(request.expression),
                start_ms=start_ms,
                end_ms=end_ms,
                step_ms=max(1, (end_ms - start_ms) // _POINTS),
                tenant=request.tenant,
                cancellation=Deadline(_TIME_LIMIT_S),
            )
        )
        times_ns = result.times_ms * _NS_PER_MS
        shown = np.where(result.present, result.values, np.nan)
        # One more than is drawn, so that the picture can say that there is more.
        names = labels_as_text(result)
        return [ChartLine(name, times_ns, row) for name, row in zip(names[: MAX_LINES + 1], shown, strict=False)]

    return values


def shown_expression(expression: str) -> str:
    """What is compared, where the expression compares with a number: `x > 5` itself is nothing before the alert.

    Raises QuerySyntaxError.
    """
    node: Node = without_parens(parse_promql(expression))
    if not isinstance(node, Binary) or node.op not in _COMPARISONS or node.return_bool:
        return expression
    sides = (without_parens(node.lhs), without_parens(node.rhs))
    if isinstance(sides[1], NumberLiteral):
        return to_text(node.lhs)
    return to_text(node.rhs) if isinstance(sides[0], NumberLiteral) else expression
