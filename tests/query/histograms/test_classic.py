"""Quantiles and fractions of classic buckets, by hand and against a plain loop."""

import math

import numpy as np
import pytest

from swarmscope.query.histograms.classic import classic_fraction, classic_quantile, group_buckets

INF = math.inf


def one_group(bounds, counts, present=None):
    column = np.array(counts, np.float64)[:, None]
    there = np.ones(column.shape, np.bool_) if present is None else np.array(present, np.bool_)[:, None]
    return group_buckets(np.zeros(len(bounds), np.int64), 1, np.array(bounds, np.float64), column, there)


def quantile(phi, bounds, counts, present=None):
    made = classic_quantile(phi, one_group(bounds, counts, present))
    return made.values[0, 0], bool(made.forced[0])


@pytest.mark.parametrize(
    ("phi", "bounds", "counts", "expected"),
    [
        (0.5, [1, 2, 4, INF], [2, 6, 8, 8], 1.5),  # rank 4 is 2 of 4 into (1, 2]
        (0.125, [1, 2, 4, INF], [2, 6, 8, 8], 0.5),  # the first bucket begins at 0
        (1.0, [1, 2, 4, INF], [2, 6, 8, 10], 4.0),  # beyond the last bound
        (0.0, [1, 2, 4, INF], [2, 6, 8, 8], 0.0),
        (0.5, [INF, 4, 1, 2], [8, 8, 2, 6], 1.5),  # order does not matter
        (0.1, [-3, 2, INF], [5, 6, 8], -3.0),  # a first bound below 0 is returned as it is
        (0.1, [0, 2, INF], [5, 6, 8], 0.0),
        (0.7, [-3, 2, INF], [4, 8, 8], 2 - 5 * (8 - 5.6) / 4),
        (-1, [1, INF], [1, 1], -INF),
        (2, [1, INF], [1, 1], INF),
        (math.nan, [1, INF], [1, 1], math.nan),
        (0.5, [1, 2], [1, 2], math.nan),  # no +Inf bucket
        (0.5, [INF], [5], math.nan),  # only one bucket
        (0.5, [1, INF], [0, 0], math.nan),  # nothing observed
        (0.5, [1, 1, 2, INF], [1, 1, 6, 8], 1.5),  # equal bounds are added up
    ],
)
def test_quantile(phi, bounds, counts, expected):
    value, forced = quantile(phi, bounds, counts)
    assert value == pytest.approx(expected, nan_ok=True)
    assert not forced


def test_decreases_are_removed_and_told():
    # The 5 after the 6 becomes 6, so (2, 4] is empty: rank 4 is 2 of 4 into (1, 2].
    assert quantile(0.5, [1, 2, 4, INF], [2, 6, 5, 8]) == (1.5, True)
    # The total is the envelope's: 6.
    assert quantile(1.0, [1, 2, INF], [2, 6, 5]) == (2.0, True)
    # What rounding explains is repaired in silence, in either direction.
    assert quantile(0.5, [1, 2, 4, INF], [2, 6, 6 - 1e-13, 8]) == (1.5, False)
    assert quantile(1.0, [1, 2, 4, INF], [2, 6, 6 + 1e-13, 6 + 1e-13]) == (2.0, False)


@pytest.mark.parametrize("phi", [-1, 2, math.nan])
def test_nothing_is_told_of_buckets_that_were_not_looked_at(phi):
    assert quantile(phi, [1, 2, 4, INF], [2, 6, 5, 8])[1] is False


def test_absent_buckets_are_as_if_they_did_not_exist():
    value, _ = quantile(0.5, [1, 2, 4, INF], [2, 99, 8, 8], [True, False, True, True])
    assert value == pytest.approx(1 + 3 * 2 / 6)
    made = classic_quantile(0.5, one_group([1, INF], [1, 1], [False, False]))
    assert not made.valid.any()
    # A missing +Inf bucket gives NaN, which is an answer.
    made = classic_quantile(0.5, one_group([1, INF], [1, 1], [True, False]))
    assert made.valid.all()
    assert np.isnan(made.values).all()


@pytest.mark.parametrize(
    ("lower", "upper", "expected"),
    [
        (1, 2, 0.5),
        (0.5, 1.5, (1 + 2) / 8),
        (-INF, INF, 1.0),
        (-INF, 1.5, 4 / 8),
        (4, INF, 0.0),
        (3, 3, 0.0),
        (3, 2, 0.0),
        (math.nan, 2, math.nan),
        (2, 100, 2 / 8),
    ],
)
def test_fraction(lower, upper, expected):
    made = classic_fraction(lower, upper, one_group([1, 2, 4, INF], [2, 6, 8, 8]))
    assert made.values[0, 0] == pytest.approx(expected, nan_ok=True)


def test_fraction_special_cases():
    assert np.isnan(classic_fraction(0, 1, one_group([1, 2], [1, 2])).values).all()
    assert np.isnan(classic_fraction(0, 1, one_group([1, INF], [0, 0])).values).all()
    # Below the first bound of -2 nothing can be placed: all of the bucket counts as below any value in it.
    assert classic_fraction(-INF, -5, one_group([-2, INF], [3, 4])).values[0, 0] == pytest.approx(3 / 4)
    assert classic_fraction(2, INF, one_group([1, INF], [3, 4])).values[0, 0] == pytest.approx(1 / 4)


def slow_quantile(phi, buckets):
    """The manual's description, with a list."""
    buckets = sorted(buckets)
    counts, highest = [], -INF
    for _, count in buckets:
        highest = max(highest, count)
        counts.append(highest)
    rank = phi * counts[-1]
    at = next(k for k, count in enumerate(counts) if count >= rank)
    if at == len(buckets) - 1:
        return buckets[-2][0]
    lower, below = (buckets[at - 1][0], counts[at - 1]) if at else (0.0, 0.0)
    return lower + (buckets[at][0] - lower) * (rank - below) / (counts[at] - below)


def test_many_groups_and_steps_agree_with_the_plain_loop():
    rng = np.random.default_rng(4)
    n_groups, n_steps, bounds = 30, 20, [0.1, 0.5, 1.0, 2.5, 10.0, INF]
    group = np.tile(np.arange(n_groups), len(bounds))
    upper = np.repeat(bounds, n_groups)
    counts = np.cumsum(rng.integers(1, 9, (len(bounds), n_groups, n_steps)), axis=0).astype(np.float64)
    counts[3, 7, :] = 1.0  # one group is not monotonic
    phi = np.linspace(0.01, 0.99, n_steps)
    buckets = group_buckets(group, n_groups, upper, counts.reshape(-1, n_steps), np.ones((len(group), n_steps), bool))
    made = classic_quantile(phi, buckets)
    for g in range(n_groups):
        for step in range(n_steps):
            pairs = list(zip(bounds, counts[:, g, step].tolist(), strict=True))
            assert made.values[g, step] == pytest.approx(slow_quantile(phi[step], pairs))
    assert made.forced.tolist() == [g == 7 for g in range(n_groups)]
