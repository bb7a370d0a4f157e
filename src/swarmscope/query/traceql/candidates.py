"""Which traces may fulfil a pipeline: conditions that some span of such a trace must fulfil, each by itself.

Whole traces are dear, so they are fetched for few. What these conditions let through is looked at again, exactly.
"""

from __future__ import annotations

from typing import NamedTuple

from swarmscope.lang.traceql.fields import FieldNode
from swarmscope.lang.traceql.nodes import Node, Pipeline, SpansetFilter, SpansetNode, SpansetOperation, walk
from swarmscope.lang.traceql.registry import SPANSET_OPERATORS
from swarmscope.query.traceql.demand import any_of, loosened, needs_traces
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


def own_spans(pipeline: Pipeline) -> FieldNode | None:
    """A condition of the spans that alone decide about a pipeline; None where others may, or where all spans do."""
    if needs_traces(pipeline):
        return None
    conditions: list[FieldNode | None] = []
    if not _gather_filters(pipeline, conditions):
        return None
    return any_of(conditions)


def _gather_filters(node: SpansetNode, found: list[FieldNode | None]) -> bool:
    """Note the filters that spans come in by; False where spans in between matter."""
    match node:
        case SpansetFilter(condition=condition):
            found.append(condition)
            return True
        case SpansetOperation(op=op, left=left, right=right):
            plain = SPANSET_OPERATORS[op].relation is None
            return plain and _gather_filters(left, found) and _gather_filters(right, found)
        case Pipeline(stages=stages):
            first = stages[0]
            if not isinstance(first, (SpansetFilter, SpansetOperation)):
                return False
            # Pipelines inside later stages work on what came in by the first one.
            return _gather_filters(first, found) and all(not _is_structural(stage) for stage in stages[1:])
    return False


def _is_structural(stage: Node) -> bool:
    return any(
        isinstance(node, SpansetOperation) and SPANSET_OPERATORS[node.op].relation is not None for node in walk(stage)
    )


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
