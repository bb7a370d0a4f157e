"""Which traces may fulfil a pipeline: conditions that some span of such a trace must fulfil, each by itself.

Whole traces are dear, so they are fetched for few. What these conditions let through is looked at again, exactly.
"""

from __future__ import annotations

from typing import NamedTuple

from swarmscope.lang.traceql.fields import FieldNode
from swarmscope.lang.traceql.nodes import Pipeline, SpansetFilter, SpansetNode, SpansetOperation
from swarmscope.lang.traceql.registry import SPANSET_OPERATORS
from swarmscope.query.traceql.demand import any_of, loosened
from swarmscope.query.traceql.hints import hints_of, selectivity


class CandidatePlan(NamedTuple):
    """A candidate has spans in range that fulfil `driver`, and some for each of `others`; None is fulfilled by all."""

    driver: FieldNode | None
    others: tuple[FieldNode, ...]


def plan_candidates(pipeline: Pipeline) -> CandidatePlan:
    """The driver is the condition that probably fewest spans fulfil."""
    needed = _needed(pipeline)
    driver = _rarest(needed)
    others = dict.fromkeys(each for each in needed if each is not None and each != driver)
    return CandidatePlan(driver, tuple(others))


def _rarest(conditions: list[FieldNode | None]) -> FieldNode | None:
    return max(conditions, key=lambda each: -1 if each is None else selectivity(hints_of(each)))


def _needed(node: SpansetNode) -> list[FieldNode | None]:
    """Conditions of which each is fulfilled by a span of every trace that gets through; one at least."""
    match node:
        case SpansetFilter(condition=condition):
            return [loosened(condition)]
        case Pipeline(stages=stages):
            found: list[FieldNode | None] = []
            for stage in stages:
                if isinstance(stage, (SpansetFilter, SpansetOperation)):
                    found += _needed(stage)
            return found or [None]
        case SpansetOperation(op=op, left=left, right=right):
            if op == "||":
                return [any_of([_rarest(_needed(left)), _rarest(_needed(right))])]
            return _needed(right) if SPANSET_OPERATORS[op].negated else _needed(left) + _needed(right)
