"""Binary operators between vectors and scalars, and between vectors matched by labels."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from swarmscope.lang.promql.nodes import COMPARISONS, Binary, Cardinality, VectorMatching
from swarmscope.model.errors import QueryFailedError
from swarmscope.model.labels import METRIC_NAME
from swarmscope.model.series import LabelFrame
from swarmscope.query.promql.arithmetic import apply_operator
from swarmscope.query.promql.cell_operators import combine_cells
from swarmscope.query.promql.context import Evaluation
from swarmscope.query.promql.frames import Frame, Scalars
from swarmscope.query.promql.label_columns import (
    METADATA_LABELS,
    column,
    concatenate,
    drop_labels,
    group_by_labels,
    keep_labels,
    label_set_text,
    with_column,
)
from swarmscope.query.promql.same_labels import drop_metric_name, merge_same_labels
from swarmscope.query.promql.selectors import take_rows_of, without_empty_series
from swarmscope.query.promql.stacking import stack_frames

_MANY_TO_ONE = "multiple matches for labels: many-to-one matching must be explicit (group_left/group_right)"
_NOT_UNIQUE = "multiple matches for labels: grouping labels must ensure unique matches"


def scalar_scalar(node: Binary, lhs: Scalars, rhs: Scalars) -> Scalars:
    """An operator between scalars."""
    values, _ = apply_operator(node.op, lhs.values, rhs.values, node.op in COMPARISONS)
    return Scalars(values)


def vector_scalar(node: Binary, vector: Frame, scalar: Scalars, *, swapped: bool, evaluation: Evaluation) -> Frame:
    """An operator between a vector and a scalar; `swapped`: the scalar stands on the left."""
    other = np.broadcast_to(scalar.values, vector.values.shape)
    if vector.histograms is None:
        sides = (other, vector.values) if swapped else (vector.values, other)
        values, stays = apply_operator(node.op, *sides, node.return_bool)
        if stays is not None:
            values = vector.values  # also where the vector stands on the right
        present = vector.present if stays is None else vector.present & stays
        result = Frame(vector.labels, np.ascontiguousarray(values), present)
    else:
        scalar_frame = Frame(vector.labels, np.ascontiguousarray(other), vector.present)
        pair = (scalar_frame, vector) if swapped else (vector, scalar_frame)
        result = combine_cells(node, *pair, kept=vector, evaluation=evaluation)
    if node.op not in COMPARISONS or node.return_bool:
        return without_empty_series(drop_metric_name(result))
    return without_empty_series(result)


class _Sides(NamedTuple):
    """Both vectors with the match group of each series."""

    lhs: Frame
    rhs: Frame
    lhs_group: NDArray[np.int64]
    rhs_group: NDArray[np.int64]
    n_groups: int


def _match_labels(matching: VectorMatching, labels: LabelFrame) -> LabelFrame:
    if matching.on:
        return keep_labels(labels, matching.labels)
    return drop_labels(labels, {*matching.labels, METRIC_NAME})


def _sides(matching: VectorMatching, lhs: Frame, rhs: Frame) -> _Sides:
    both = concatenate(_match_labels(matching, lhs.labels), _match_labels(matching, rhs.labels))
    group, first = group_by_labels(both)
    return _Sides(lhs, rhs, group[: lhs.n_series], group[lhs.n_series :], len(first))


@njit(nogil=True, cache=True, error_model="numpy")
def any_of_group(group: NDArray[np.int64], present: NDArray[np.bool_], n_groups: int) -> NDArray[np.bool_]:
    """Where any series of a group is present [n_groups, n_steps]."""
    found = np.zeros((n_groups, present.shape[1]), np.bool_)
    for i in range(len(group)):
        for step in range(present.shape[1]):
            found[group[i], step] |= present[i, step]
    return found


def set_operation(node: Binary, lhs: Frame, rhs: Frame) -> Frame:
    """`and`, `or`, `unless`."""
    sides = _sides(node.matching or VectorMatching(), lhs, rhs)
    if node.op == "or":
        taken = any_of_group(sides.lhs_group, lhs.present, sides.n_groups)[sides.rhs_group]
        rest = without_empty_series(Frame(rhs.labels, rhs.values, rhs.present & ~taken, rhs.histograms))
        return merge_same_labels(stack_frames(lhs, rest))
    found = any_of_group(sides.rhs_group, rhs.present, sides.n_groups)[sides.lhs_group]
    kept = lhs.present & (found if node.op == "and" else ~found)
    return without_empty_series(Frame(lhs.labels, lhs.values, kept, lhs.histograms))


def vector_vector(node: Binary, lhs: Frame, rhs: Frame, evaluation: Evaluation) -> Frame:
    """Arithmetic and comparison between vectors. Raises QueryFailedError on ambiguous matches."""
    matching = node.matching or VectorMatching()
    swapped = matching.cardinality is Cardinality.ONE_TO_MANY
    many, one = (rhs, lhs) if swapped else (lhs, rhs)
    sides = _sides(matching, many, one)
    fill_one, fill_many = matching.fill_right, matching.fill_left
    if swapped:
        fill_one, fill_many = fill_many, fill_one
    pairs = _pair_up(matching, sides, swapped, (fill_one, fill_many), evaluation)
    parts = [_combine(node, many, one, pairs.rows, pairs.present, evaluation)]
    if fill_one is not None:
        parts.append(_filled_one(node, many, pairs.lonely_many, fill_one, evaluation))
    if fill_many is not None:
        parts.append(_filled_many(node, one, pairs.lonely_one, fill_many, evaluation))
    result = parts[0]
    for part in parts[1:]:
        result = stack_frames(result, part)
    try:
        merged = merge_same_labels(result)
    except QueryFailedError:
        if matching.cardinality is Cardinality.ONE_TO_ONE:
            raise
        raise QueryFailedError(_NOT_UNIQUE) from None
    return without_empty_series(merged)


class _Pairs(NamedTuple):
    """Which series meet: rows [2, n_pairs] (many side, one side) and where both are present."""

    rows: NDArray[np.int64]
    present: NDArray[np.bool_]
    lonely_many: NDArray[np.bool_]  # [n_many, n_steps] present without a partner
    lonely_one: NDArray[np.bool_]  # [n_one, n_steps]


def _pair_up(
    matching: VectorMatching,
    sides: _Sides,
    swapped: bool,
    fills: tuple[float | None, float | None],
    evaluation: Evaluation,
) -> _Pairs:
    many, one = sides.lhs, sides.rhs
    partner = np.full(sides.n_groups, -1, np.int64)
    partner[sides.rhs_group] = np.arange(one.n_series)
    one_is_unique = bool((partner[sides.rhs_group] == np.arange(one.n_series)).all())
    explicit = matching.cardinality is not Cardinality.ONE_TO_ONE
    many_is_unique = explicit or len(np.unique(sides.lhs_group)) == many.n_series
    if not (one_is_unique and many_is_unique):
        return _pair_up_by_step(matching, sides, swapped, fills, evaluation)
    # Fast path: a series has the same partner at every step.
    many_rows = np.flatnonzero(partner[sides.lhs_group] >= 0)
    one_rows = partner[sides.lhs_group[many_rows]]
    whole = len(many_rows) == many.n_series
    present = (many.present if whole else many.present[many_rows]) & one.present[one_rows]
    nothing = np.zeros((0, many.n_steps), np.bool_)
    lonely_many, lonely_one = nothing, nothing
    if fills[0] is not None or fills[1] is not None:
        lonely_many = many.present & ~any_of_group(sides.rhs_group, one.present, sides.n_groups)[sides.lhs_group]
        lonely_one = one.present & ~any_of_group(sides.lhs_group, many.present, sides.n_groups)[sides.rhs_group]
    return _Pairs(np.vstack([many_rows, one_rows]), present, lonely_many, lonely_one)


def _pair_up_by_step(
    matching: VectorMatching,
    sides: _Sides,
    swapped: bool,
    fills: tuple[float | None, float | None],
    evaluation: Evaluation,
) -> _Pairs:
    """# Slow path: several series of a match group take turns, or collide, which is an error."""
    many, one = sides.lhs, sides.rhs
    n_steps = many.n_steps
    filled = fills[0] is not None or fills[1] is not None
    matters = np.ones(n_steps, np.bool_) if filled else many.present.any(axis=0)
    partner = np.full((sides.n_groups, n_steps), -1, np.int64)
    for row in range(one.n_series):
        group, here = sides.rhs_group[row], one.present[row] & matters
        clash = here & (partner[group] >= 0)
        if clash.any():
            earlier = int(partner[group][int(np.argmax(clash))])
            _raise_many_to_many(matching, one.labels, (row, earlier), swapped, evaluation)
        partner[group, here] = row
    meets = np.where(many.present, partner[sides.lhs_group], -1)
    if matching.cardinality is Cardinality.ONE_TO_ONE:
        matched = np.zeros((sides.n_groups, n_steps), np.int64)
        relevant = many.present if fills[0] is not None else meets >= 0
        np.add.at(matched, sides.lhs_group, relevant.astype(np.int64))
        if (matched > 1).any():
            raise QueryFailedError(_MANY_TO_ONE)
    rows, steps = np.nonzero(meets >= 0)
    keys, where = np.unique(rows * max(1, one.n_series) + meets[rows, steps], return_inverse=True)
    present = np.zeros((len(keys), n_steps), np.bool_)
    present[where.reshape(-1), steps] = True
    pairs = np.vstack([keys // max(1, one.n_series), keys % max(1, one.n_series)])
    lonely_many = many.present & (meets < 0)
    lonely_one = one.present & ~any_of_group(sides.lhs_group, many.present, sides.n_groups)[sides.rhs_group]
    return _Pairs(pairs, present, lonely_many, lonely_one)


def _raise_many_to_many(
    matching: VectorMatching, labels: LabelFrame, rows: tuple[int, int], swapped: bool, evaluation: Evaluation
) -> None:
    symbols = evaluation.symbols
    group = label_set_text(_match_labels(matching, labels), rows[0], symbols)
    series = ", ".join(label_set_text(labels, row, symbols) for row in rows)
    raise QueryFailedError(
        f"found duplicate series for the match group {group} on the {'left' if swapped else 'right'} hand-side "
        f"of the operation: [{series}];many-to-many matching not allowed: matching labels must be unique on one side"
    )


def _result_labels(node: Binary, many: LabelFrame, one: LabelFrame) -> LabelFrame:
    """Labels of results whose row k came from row k of both sides."""
    matching = node.matching or VectorMatching()
    labels = many
    if node.op not in COMPARISONS or node.return_bool:
        labels = drop_labels(labels, METADATA_LABELS)
    if matching.cardinality is Cardinality.ONE_TO_ONE:
        return keep_labels(labels, matching.labels) if matching.on else drop_labels(labels, matching.labels)
    for name in matching.include:
        labels = with_column(labels, name, column(one, name))
    return labels


def _combine(
    node: Binary,
    many: Frame,
    one: Frame,
    rows: NDArray[np.int64],
    present: NDArray[np.bool_],
    evaluation: Evaluation,
) -> Frame:
    """Apply the operator to paired rows."""
    evaluation.matrix(0, 0)
    many_side, one_side = take_rows_of(many, rows[0]), take_rows_of(one, rows[1])
    labels = _result_labels(node, many_side.labels, one_side.labels)
    return _operate(node, many_side, one_side, labels, present, evaluation)


def _operate(
    node: Binary, many: Frame, one: Frame, labels: LabelFrame, present: NDArray[np.bool_], evaluation: Evaluation
) -> Frame:
    swapped = node.matching is not None and node.matching.cardinality is Cardinality.ONE_TO_MANY
    lhs, rhs = (one, many) if swapped else (many, one)
    if lhs.histograms is None and rhs.histograms is None:
        values, stays = apply_operator(node.op, lhs.values, rhs.values, node.return_bool)
        return Frame(labels, values, present if stays is None else present & stays)
    lhs = Frame(labels, lhs.values, present, lhs.histograms)
    rhs = Frame(labels, rhs.values, present, rhs.histograms)
    return combine_cells(node, lhs, rhs, kept=lhs, evaluation=evaluation)


def _filled_one(node: Binary, many: Frame, lonely: NDArray[np.bool_], fill: float, evaluation: Evaluation) -> Frame:
    """Cells of the many side that met nobody, against a fill value."""
    matching = node.matching or VectorMatching()
    partner = _match_labels(matching, many.labels)
    labels = _result_labels(node, many.labels, partner)
    stand_in = Frame(partner, np.full(many.values.shape, fill), lonely)
    return _operate(node, many, stand_in, labels, lonely, evaluation)


def _filled_many(node: Binary, one: Frame, lonely: NDArray[np.bool_], fill: float, evaluation: Evaluation) -> Frame:
    """Cells of the one side that met nobody, against a fill value."""
    matching = node.matching or VectorMatching()
    own = _match_labels(matching, one.labels)
    labels = _result_labels(node, own, one.labels)
    stand_in = Frame(own, np.full(one.values.shape, fill), lonely)
    return _operate(node, stand_in, one, labels, lonely, evaluation)
