"""Arithmetic and aggregation of histograms, by hand and against the slow reference."""

import random
from fractions import Fraction

import numpy as np
import pytest

from swarmscope.model.metrics import ResetHint
from swarmscope.query.histograms.annotations import HistogramNote
from swarmscope.query.histograms.operators import (
    Operand,
    add_rows,
    aggregate_rows,
    divide_rows,
    equal_rows,
    negate_rows,
    scale_rows,
    subtract_rows,
)
from swarmscope.query.histograms.rows import HistogramMatrix, from_columns
from tests.query.histograms.reference import (
    CUSTOM,
    IncompatibleError,
    Slow,
    added,
    aligned,
    equal,
    from_rows,
    random_histogram,
    to_columns,
)


def operand(*histograms):
    return Operand(from_columns(to_columns(list(histograms))), np.arange(len(histograms)))


def one(made, k=0):
    assert made.cells[k] >= 0
    return from_rows(made.rows, made.cells[k])


def test_add_and_subtract_by_hand():
    a = Slow(0, Fraction(6), Fraction(10), pos={1: Fraction(4), 3: Fraction(2)})
    b = Slow(0, Fraction(3), Fraction(4), pos={1: Fraction(1), 2: Fraction(2)})
    total = one(add_rows(operand(a), operand(b)))
    assert (total.count, total.sum) == (9, 14)
    assert total.pos == {1: 5, 2: 2, 3: 2}
    difference = one(subtract_rows(operand(a), operand(b)))
    assert (difference.count, difference.sum) == (3, 6)
    assert difference.pos == {1: 3, 2: -2, 3: 2}
    assert difference.hint == ResetHint.GAUGE


def test_schema_is_reduced_to_the_coarser_one():
    # Schema 1 has bounds at powers of sqrt(2): its buckets 1 and 2 make up bucket 1 of schema 0, (1, 2].
    fine = Slow(1, Fraction(6), Fraction(0), pos={1: Fraction(1), 2: Fraction(2), 3: Fraction(3)})
    coarse = Slow(0, Fraction(5), Fraction(0), pos={1: Fraction(5)})
    for left, right in ((fine, coarse), (coarse, fine)):
        total = one(add_rows(operand(left), operand(right)))
        assert total.schema == 0
        assert total.pos == {1: 8, 2: 3}


def test_the_zero_bucket_widens_to_the_end_of_a_populated_bucket():
    # Threshold 0.3 cuts (0.25, 0.5], which is populated: the common zero bucket reaches to 0.5.
    narrow = Slow(0, Fraction(9), Fraction(0), 0.0, Fraction(1), {-2: Fraction(3), -1: Fraction(2), 1: Fraction(3)})
    wide = Slow(0, Fraction(4), Fraction(0), 0.3, Fraction(4))
    for left, right in ((narrow, wide), (wide, narrow)):
        total = one(add_rows(operand(left), operand(right)))
        assert total.zero_threshold == 0.5
        assert total.zero_count == 1 + 3 + 2 + 4
        assert total.pos == {1: 3}


def test_mismatched_custom_bounds_are_reconciled_to_the_shared_ones():
    a = Slow(CUSTOM, Fraction(15), Fraction(0), pos={i: Fraction(c) for i, c in enumerate([1, 2, 4, 8])},
             custom=(1.0, 2.0, 5.0))  # fmt: skip
    b = Slow(CUSTOM, Fraction(7), Fraction(0), pos={0: Fraction(1), 1: Fraction(2), 2: Fraction(4)}, custom=(2.0, 3.0))
    made = add_rows(operand(a), operand(b))
    total = one(made)
    assert total.custom == (2.0,)
    assert total.pos == {0: 1 + 2 + 1, 1: 4 + 8 + 2 + 4}
    assert made.notes.tolist() == [HistogramNote.RECONCILED_ADDITION]
    assert subtract_rows(operand(a), operand(b)).notes.tolist() == [HistogramNote.RECONCILED_SUBTRACTION]


def test_exponential_and_custom_buckets_do_not_add():
    a = Slow(0, Fraction(1), Fraction(0), pos={0: Fraction(1)})
    b = Slow(CUSTOM, Fraction(1), Fraction(0), pos={0: Fraction(1)}, custom=(1.0,))
    made = add_rows(operand(a), operand(b))
    assert made.cells.tolist() == [-1]
    assert made.notes.tolist() == [HistogramNote.INCOMPATIBLE_LAYOUT]


@pytest.mark.parametrize(
    ("left", "right", "hint", "collides"),
    [
        (ResetHint.UNKNOWN, ResetHint.UNKNOWN, ResetHint.UNKNOWN, False),
        (ResetHint.RESET, ResetHint.RESET, ResetHint.RESET, False),
        (ResetHint.RESET, ResetHint.UNKNOWN, ResetHint.UNKNOWN, False),
        (ResetHint.RESET, ResetHint.NO_RESET, ResetHint.UNKNOWN, True),
        (ResetHint.GAUGE, ResetHint.UNKNOWN, ResetHint.GAUGE, False),
        (ResetHint.NO_RESET, ResetHint.GAUGE, ResetHint.GAUGE, False),
    ],
)
def test_hints_of_a_sum(left, right, hint, collides):
    made = add_rows(operand(Slow(hint=int(left))), operand(Slow(hint=int(right))))
    assert one(made).hint == hint
    assert made.notes.tolist() == [HistogramNote.COLLISION_ADDITION if collides else 0]


def test_scaling_by_hand():
    h = Slow(0, Fraction(4), Fraction(6), 0.1, Fraction(1), {1: Fraction(3)}, hint=int(ResetHint.RESET))
    doubled = one(scale_rows(operand(h), np.array([2.0])))
    assert (doubled.count, doubled.sum, doubled.zero_count, doubled.pos) == (8, 12, 2, {1: 6})
    assert doubled.hint == ResetHint.RESET
    negative = one(negate_rows(operand(h)))
    assert (negative.count, negative.pos, negative.hint) == (-4, {1: -3}, ResetHint.GAUGE)
    third = one(divide_rows(operand(h), np.array([3.0])))
    assert third.pos == {1: 1}
    nothing = divide_rows(operand(h), np.array([0.0]))
    row = nothing.rows
    assert np.isposinf([row.count[0], row.sum[0], row.zero_count[0]]).all()
    assert len(row.pos_index) == 0
    assert one(scale_rows(operand(h), np.array([0.0]))).pos == {}


def test_missing_cells_stay_missing():
    left, right = operand(Slow(count=Fraction(1))), operand(Slow(count=Fraction(2)))
    cells = Operand(left.rows, np.array([-1, 0, 0]))
    other = Operand(right.rows, np.array([0, -1, 0]))
    assert (add_rows(cells, other).cells >= 0).tolist() == [False, False, True]
    assert (scale_rows(cells, np.ones(3)).cells >= 0).tolist() == [False, True, True]
    assert equal_rows(cells, cells).tolist() == [False, True, True]


def test_equality_ignores_the_hint_and_nothing_else():
    h = Slow(0, Fraction(4), Fraction(6), 0.1, Fraction(1), {1: Fraction(3)}, {2: Fraction(1)})
    others = []
    for change in (
        {"schema": 1}, {"count": Fraction(5)}, {"sum": Fraction(7)}, {"zero_threshold": 0.2},
        {"zero_count": Fraction(2)}, {"pos": {2: Fraction(3)}}, {"pos": {1: Fraction(2)}}, {"neg": {}},
    ):  # fmt: skip
        other = h.copy()
        for name, value in change.items():
            setattr(other, name, value)
        others.append(other)
    same = h.copy()
    same.hint = int(ResetHint.GAUGE)
    same.pos[7] = Fraction(0)  # an empty bucket is no bucket
    n = len(others)
    assert not equal_rows(operand(*[h] * n), operand(*others)).any()
    assert equal_rows(operand(h), operand(same)).all()


def test_sums_agree_with_the_reference():
    rng = random.Random(7)
    pairs = [(random_histogram(rng), random_histogram(rng)) for _ in range(400)]
    made = add_rows(operand(*[a for a, _ in pairs]), operand(*[b for _, b in pairs]))
    less = subtract_rows(operand(*[a for a, _ in pairs]), operand(*[b for _, b in pairs]))
    n_incompatible = n_reconciled = 0
    for k, (a, b) in enumerate(pairs):
        try:
            expected, expected_less = added(a, b), added(a, b.scaled(Fraction(-1)))
        except IncompatibleError:
            n_incompatible += 1
            assert made.cells[k] < 0
            assert less.cells[k] < 0
            continue
        n_reconciled += aligned(a, b)[0].custom != a.custom
        assert equal(one(made, k), expected), (a, b)
        assert equal(one(less, k), expected_less), (a, b)
    assert n_incompatible > 20
    assert n_reconciled > 5


def test_aggregations_agree_with_the_reference():
    rng = random.Random(11)
    n_series, n_steps, n_groups = 60, 4, 5
    group = np.array([rng.randrange(n_groups) for _ in range(n_series)])
    # The first group has custom buckets, the others exponential ones.
    flat = [random_histogram(rng, custom=bool(group[s] == 0)) for s in range(n_series) for _ in range(n_steps)]
    cells = np.arange(n_series * n_steps).reshape(n_series, n_steps)
    cells[rng.randrange(n_series), :] = -1
    matrix = HistogramMatrix(cells, from_columns(to_columns(flat)))
    for mean in (False, True):
        made = aggregate_rows(matrix, group, n_groups, mean)
        for g in range(n_groups):
            for step in range(n_steps):
                terms = [flat[cells[s, step]] for s in range(n_series) if group[s] == g and cells[s, step] >= 0]
                total = terms[0]
                for term in terms[1:]:
                    total = added(total, term)
                expected = total.scaled(Fraction(1, len(terms))) if mean else total
                assert equal(from_rows(made.matrix.rows, made.matrix.cells[g, step]), expected)
        assert made.notes[0] == HistogramNote.RECONCILED_AGGREGATION


def test_a_group_of_both_kinds_of_buckets_has_no_sum():
    rng = random.Random(3)
    flat = [random_histogram(rng, custom=False), random_histogram(rng, custom=True)]
    matrix = HistogramMatrix(np.array([[0], [1]]), from_columns(to_columns(flat)))
    made = aggregate_rows(matrix, np.zeros(2, np.int64), 2, False)
    assert made.matrix.cells.tolist() == [[-1], [-1]]
    assert made.notes.tolist() == [HistogramNote.MIXED_SCHEMAS, 0]


def test_sums_are_compensated_and_means_do_not_overflow():
    big, small = Slow(sum=Fraction(10**16)), Slow(sum=Fraction(1))
    minus = big.scaled(Fraction(-1))
    matrix = HistogramMatrix(np.arange(4).reshape(4, 1), from_columns(to_columns([big, small, minus, small])))
    made = aggregate_rows(matrix, np.zeros(4, np.int64), 1, False)
    assert made.matrix.rows.sum.tolist() == [2.0]
    huge = Slow(sum=Fraction(1.5e308), pos={1: Fraction(1.2e308)})
    matrix = HistogramMatrix(np.arange(3).reshape(3, 1), from_columns(to_columns([huge] * 3)))
    mean = aggregate_rows(matrix, np.zeros(3, np.int64), 1, True).matrix.rows
    assert mean.sum.tolist() == pytest.approx([1.5e308])
    assert mean.pos_count.tolist() == pytest.approx([1.2e308])


def test_contradicting_hints_in_a_group_are_remarked_upon():
    flat = [Slow(hint=int(hint)) for hint in (ResetHint.RESET, ResetHint.UNKNOWN, ResetHint.NO_RESET)]
    matrix = HistogramMatrix(np.arange(3).reshape(3, 1), from_columns(to_columns(flat)))
    made = aggregate_rows(matrix, np.zeros(3, np.int64), 1, False)
    assert made.notes.tolist() == [HistogramNote.COLLISION_AGGREGATION]
