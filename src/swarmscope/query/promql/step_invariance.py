"""Which expressions have the same value at every step."""

from __future__ import annotations

from swarmscope.lang.promql.functions import TIME_DEPENDENT
from swarmscope.lang.promql.nodes import (
    Aggregate,
    Call,
    MatrixSelector,
    Node,
    NumberLiteral,
    StringLiteral,
    Subquery,
    VectorSelector,
    children,
)
from swarmscope.query.promql.frames import Steps


def is_step_invariant(node: Node) -> bool:
    """Whether the value is the same at every step: everything in it is pinned with `@`."""
    match node:
        case VectorSelector(at=at) | Subquery(at=at):
            return at is not None
        case MatrixSelector(vector=vector):
            return vector.at is not None
        case Call(function=name, args=args):
            return bool(args) and name not in TIME_DEPENDENT and all(map(is_step_invariant, args))
        case Aggregate(expr=expr, param=param):
            return is_step_invariant(expr) and (param is None or is_step_invariant(param))
        case NumberLiteral() | StringLiteral():
            return True
        case _:
            return all(map(is_step_invariant, children(node)))


def steps_of(node: Node, steps: Steps) -> Steps:
    """The steps at which a node is really evaluated: the first alone where the value is the same at all."""
    if steps.count > 1 and is_step_invariant(node):
        return Steps(steps.start_ms, steps.step_ms, 1)
    return steps
