"""Numbers of sets of spans, and filters on them.

https://grafana.com/docs/tempo/latest/traceql/construct-traceql-queries/#aggregators
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from swarmscope.lang.traceql.nodes import (
    Aggregate,
    Literal,
    Pipeline,
    ScalarFilter,
    ScalarNode,
    ScalarOperation,
    ScalarPipeline,
)
from swarmscope.query.traceql.arithmetic import calculate
from swarmscope.query.traceql.comparisons import compare_values
from swarmscope.query.traceql.conditions import evaluate
from swarmscope.query.traceql.span_block import SpanBlock
from swarmscope.query.traceql.spansets import SpanSets
from swarmscope.query.traceql.values import Tag, Values, literal_value, real_values, whole_values

RunPipeline: TypeAlias = Callable[[Pipeline, SpanBlock, SpanSets], SpanSets]


class _Setting(NamedTuple):
    """What the numbers are of. `run` is what runs a pipeline inside; `found` takes notes."""

    block: SpanBlock
    sets: SpanSets
    run: RunPipeline
    found: list[tuple[str, Values]]


def filter_sets(node: ScalarFilter, block: SpanBlock, sets: SpanSets, run: RunPipeline) -> SpanSets:
    """The sets for which it holds; a set without any value of a field has no aggregate of it, and goes."""
    n_sets = len(sets.trace)
    found: list[tuple[str, Values]] = []
    left, right = (_number(side, _Setting(block, sets, run, found)) for side in (node.left, node.right))
    held = compare_values(node.op, left, right, n_sets) if n_sets else np.zeros(0, np.bool_)
    # The empty set takes no part, whatever its count is compared with.
    mask = sets.mask
    mask[mask] = held[sets.of_span[mask]]
    return replace(sets.kept(mask), attributes=(*sets.attributes, *found))


def _number(node: ScalarNode, setting: _Setting) -> Values:
    """A number for each set, or one for all; aggregates of the sets themselves are noted in `found`."""
    match node:
        case Literal():
            return literal_value(node)
        case Aggregate():
            values = _aggregated(node, setting.block, setting.sets)
            setting.found.append((str(node), values))
            return values
        case ScalarOperation(op=op, left=left, right=right):
            return calculate(op, _number(left, setting), _number(right, setting))
        case ScalarPipeline(pipeline=pipeline, aggregate=aggregate):
            inner = setting.run(pipeline, setting.block, setting.sets).mask
            return _aggregated(aggregate, setting.block, setting.sets.kept(inner))


def _aggregated(node: Aggregate, block: SpanBlock, sets: SpanSets) -> Values:
    n_sets = len(sets.trace)
    if node.operand is None:
        return whole_values(Tag.INTEGER, np.bincount(sets.of_span[sets.mask], minlength=n_sets).astype(np.int64))
    values = evaluate(node.operand, block)
    owner = np.arange(len(values)) if values.owner is None else values.owner
    flat = values.flat()
    there = np.isin(flat.tag, (Tag.INTEGER, Tag.FLOAT, Tag.DURATION)) & sets.mask[owner]
    rows = np.flatnonzero(there)
    group, numbers = sets.of_span[owner[rows]], flat.real[rows]
    counts = np.bincount(group, minlength=n_sets)
    result = np.where(counts > 0, _combined(node.op, group, numbers, counts), np.nan)
    durations = bool(len(rows)) and bool((flat.tag[rows] == Tag.DURATION).all())
    aggregated = real_values(result)
    if not durations:
        return aggregated
    whole = np.where(counts > 0, result, 0).astype(np.int64)
    tag = np.where(counts > 0, np.uint8(Tag.DURATION), np.uint8(Tag.NIL))
    return replace(aggregated, tag=tag, whole=whole)


def _combined(
    op: str, group: NDArray[np.int64], numbers: NDArray[np.float64], counts: NDArray[np.int64]
) -> NDArray[np.float64]:
    if op in ("sum", "avg"):
        total: NDArray[np.float64] = np.bincount(group, weights=numbers, minlength=len(counts)).astype(np.float64)
        return total / np.maximum(counts, 1) if op == "avg" else total
    result = np.full(len(counts), np.inf if op == "min" else -np.inf)
    with np.errstate(invalid="ignore"):
        (np.minimum if op == "min" else np.maximum).at(result, group, numbers)
    return result
