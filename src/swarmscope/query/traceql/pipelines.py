"""Stages of a pipeline, one behind the other, on the spans of whole traces."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from swarmscope.lang.traceql.nodes import (
    Coalesce,
    GroupBy,
    Pipeline,
    ScalarFilter,
    Select,
    SpansetFilter,
    SpansetNode,
    SpansetOperation,
    Stage,
)
from swarmscope.lang.traceql.registry import SPANSET_OPERATORS
from swarmscope.model.errors import UnsupportedQueryError
from swarmscope.query.traceql.aggregates import filter_sets
from swarmscope.query.traceql.conditions import evaluate, fulfils
from swarmscope.query.traceql.span_block import SpanBlock
from swarmscope.query.traceql.spansets import NO_SET, SpanSets
from swarmscope.query.traceql.structure import relate
from swarmscope.query.traceql.value_groups import group_values
from swarmscope.query.traceql.values import Values


def run_pipeline(pipeline: Pipeline, block: SpanBlock, sets: SpanSets) -> SpanSets:
    """What comes out of the last stage."""
    for stage in pipeline.stages:
        sets = _run_stage(stage, block, sets)
    return sets


def _run_stage(stage: Stage, block: SpanBlock, sets: SpanSets) -> SpanSets:
    match stage:
        case SpansetFilter() | SpansetOperation():
            return sets.kept(spans_of(stage, block, sets))
        case ScalarFilter():
            return filter_sets(stage, block, sets, run_pipeline)
        case GroupBy(key=key):
            return _grouped(str(stage), evaluate(key, block), block, sets)
        case Coalesce():
            of_span = np.full(len(block), NO_SET, np.int64)
            of_span[sets.mask] = sets.trace[sets.of_span[sets.mask]]
            return SpanSets(of_span, np.arange(len(block.whole_facts().root)))
        case Select():
            return sets
    raise UnsupportedQueryError(f"the stage {stage} is not supported")


def spans_of(node: SpansetNode, block: SpanBlock, sets: SpanSets) -> NDArray[np.bool_]:
    """The spans [n] of a spanset expression among those that the sets have."""
    match node:
        case SpansetFilter(condition=condition):
            return sets.mask & fulfils(condition, block)
        case Pipeline():
            return run_pipeline(node, block, sets).mask
        case SpansetOperation(op=op, left=left, right=right):
            operator = SPANSET_OPERATORS[op]
            sides = spans_of(left, block, sets), spans_of(right, block, sets)
            if operator.relation is not None:
                return relate(operator, *sides, sets.of_span, block.whole_facts())
            if op == "||":
                return sides[0] | sides[1]
            both = _has_any(sides[0], sets) & _has_any(sides[1], sets)
            either = np.flatnonzero(sides[0] | sides[1])
            held = np.zeros(len(block), np.bool_)
            held[either] = both[sets.of_span[either]]
            return held


def _has_any(spans: NDArray[np.bool_], sets: SpanSets) -> NDArray[np.bool_]:
    """Which sets [n_sets] have one of the spans."""
    held = np.zeros(len(sets.trace), np.bool_)
    held[sets.of_span[spans & sets.mask]] = True
    return held


def _grouped(label: str, values: Values, block: SpanBlock, sets: SpanSets) -> SpanSets:
    rows = np.flatnonzero(sets.mask)
    keys = _for_all(values, len(block)).first_per_span(len(block)).flat().take(rows)
    groups = group_values([keys], sets.of_span[rows])
    of_span = np.full(len(block), NO_SET, np.int64)
    of_span[rows] = groups.number
    earlier = sets.of_span[rows][groups.first]
    attributes = tuple((name, each.take(earlier)) for name, each in sets.attributes)
    return SpanSets(of_span, sets.trace[earlier], (*attributes, (label, keys.take(groups.first))))


def _for_all(values: Values, n: int) -> Values:
    if len(values) == 1 and values.owner is None and n != 1:
        return values.take(np.zeros(n, np.int64))
    return values
