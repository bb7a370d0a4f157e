"""Quantiles, fractions and moments of native histograms; expected values are worked out in the comments."""

import math
import random
from fractions import Fraction

import numpy as np
import pytest

from swarmscope.query.histograms.annotations import HistogramNote, note_messages
from swarmscope.query.histograms.bounds import exponential_bound
from swarmscope.query.histograms.moments import (
    histogram_avg,
    histogram_count,
    histogram_stddev,
    histogram_stdvar,
    histogram_sum,
)
from swarmscope.query.histograms.quantiles import histogram_fraction, histogram_quantile
from swarmscope.query.histograms.rows import from_columns
from tests.query.histograms.reference import CUSTOM, Slow, bound, random_histogram, to_columns

AT = np.zeros(1, np.int64)


def rows_of(h):
    return from_columns(to_columns([h]))


def quantile(h, phi):
    return histogram_quantile(rows_of(h), AT, phi).values[0]


def fraction(h, lower, upper):
    return histogram_fraction(rows_of(h), AT, lower, upper).values[0]


def make(schema=0, pos=None, neg=None, zero=0, threshold=0.0, custom=(), total=None, total_sum=1.0):
    pos, neg = {i: Fraction(c) for i, c in (pos or {}).items()}, {i: Fraction(c) for i, c in (neg or {}).items()}
    count = Fraction(total) if total is not None else sum((*pos.values(), *neg.values()), Fraction(zero))
    return Slow(schema, count, Fraction(total_sum), threshold, Fraction(zero), pos, neg, custom)


# 1 in (0.5, 1], 2 in (1, 2], 1 in (2, 4]
POSITIVE = make(pos={0: 1, 1: 2, 2: 1})


def test_bounds():
    for schema in range(-4, 9):
        for index in (-9, -1, 0, 1, 2, 3, 100):
            if abs(index * 2.0**-schema) < 1020:
                # Prometheus' table is up to four units in the last place off.
                assert exponential_bound(index, schema) == pytest.approx(bound(index, schema), rel=1e-15)
    assert exponential_bound(1024, 0) == float(np.finfo(np.float64).max)
    assert exponential_bound(1025, 0) == math.inf
    assert exponential_bound(-1074, 0) == 5e-324
    assert exponential_bound(64, -4) == float(np.finfo(np.float64).max)


@pytest.mark.parametrize(
    ("phi", "expected"),
    [
        (0.5, 2**0.5),  # half into (1, 2]: the geometric middle
        (0.25, 1.0),  # the end of the first bucket
        (0.125, 0.5 * 2**0.5),
        (0.75, 2.0),
        (1.0, 4.0),
        (0.0, 0.5),
        (0.875, 2 * 2**0.5),
        (-0.1, -math.inf),
        (1.1, math.inf),
    ],
)
def test_exponential_interpolation(phi, expected):
    assert quantile(POSITIVE, phi) == pytest.approx(expected)


def test_negative_buckets_mirror():
    mirrored = make(neg={0: 1, 1: 2, 2: 1})
    for phi in (0.0, 0.125, 0.3, 0.5, 0.9, 1.0):
        assert quantile(mirrored, phi) == pytest.approx(-quantile(POSITIVE, 1 - phi))


def test_the_zero_bucket_is_linear_and_one_sided():
    # All four observations in [-0.5, 0.5]: without regular buckets it is two-sided.
    assert quantile(make(zero=4, threshold=0.5), 0.75) == pytest.approx(0.25)
    # Only positive buckets: nothing is below 0. Rank 2 of 4 in [0, 0.5].
    assert quantile(make(pos={1: 4}, zero=4, threshold=0.5), 0.25) == pytest.approx(0.25)
    # Only negative buckets: rank 6, which is 2 of 4 into [-0.5, 0].
    assert quantile(make(neg={1: 4}, zero=4, threshold=0.5), 0.75) == pytest.approx(-0.25)
    # Both: rank 5 of 8, 3 of 4 into [-0.5, 0.5].
    assert quantile(make(pos={1: 2}, neg={1: 2}, zero=4, threshold=0.5), 0.625) == pytest.approx(0.25)


def test_custom_buckets_are_linear():
    h = make(CUSTOM, pos={0: 2, 1: 4, 2: 2}, custom=(5.0, 10.0))
    assert quantile(h, 0.125) == pytest.approx(2.5)  # (-Inf, 5] is taken to begin at 0
    assert quantile(h, 0.5) == pytest.approx(7.5)
    assert quantile(h, 0.9) == 10.0  # in (10, +Inf]: its lower bound
    low = make(CUSTOM, pos={0: 2, 1: 2}, custom=(-5.0, 10.0))
    assert quantile(low, 0.25) == -5.0  # an upper bound at or below 0 is returned as it is


def test_nan_observations():
    # Ten observations, two of them NaN.
    h = make(pos={0: 4, 1: 4}, total=10)
    rows = rows_of(h)._replace(sum=np.array([np.nan]))
    high = histogram_quantile(rows, AT, 0.9)
    assert math.isnan(high.values[0])
    assert high.notes.tolist() == [HistogramNote.QUANTILE_NAN]
    # Rank 6 is 2 of 4 into (1, 2].
    middle = histogram_quantile(rows, AT, 0.6)
    assert middle.values[0] == pytest.approx(2**0.5)
    assert middle.notes.tolist() == [HistogramNote.QUANTILE_SKEWED]
    share = histogram_fraction(rows, AT, -math.inf, math.inf)
    assert share.values[0] == pytest.approx(0.8)
    assert share.notes.tolist() == [HistogramNote.FRACTION_NAN]
    # A NaN sum alone (observations of +Inf and -Inf) is no NaN observation.
    both = rows_of(make(pos={0: 4, 1: 4}))._replace(sum=np.array([np.nan]))
    assert histogram_quantile(both, AT, 0.9).notes.tolist() == [0]
    assert histogram_fraction(both, AT, 0.0, 1.0).notes.tolist() == [0]


def test_nothing_observed():
    empty = make(total_sum=0)
    assert math.isnan(quantile(empty, 0.5))
    assert math.isnan(fraction(empty, 0, 1))
    assert math.isnan(histogram_avg(rows_of(empty), AT)[0])
    assert quantile(empty, 2) == math.inf
    assert math.isnan(quantile(POSITIVE, math.nan))
    missing = histogram_quantile(rows_of(POSITIVE), np.array([[-1, 0]]), np.array([[0.5], [0.25]])[:1])
    assert np.isnan(missing.values[0, 0])
    assert missing.values.shape == (1, 2)


@pytest.mark.parametrize(
    ("lower", "upper", "expected"),
    [
        (1, 2, 0.5),
        (-math.inf, math.inf, 1.0),
        (0, 8, 1.0),
        (2**0.5, 2, 0.25),
        (-math.inf, 2**0.5, 0.5),
        (4, 8, 0.0),
        (2, 1, 0.0),
        (1, 1, 0.0),
        (math.nan, 1, math.nan),
    ],
)
def test_fractions(lower, upper, expected):
    assert fraction(POSITIVE, lower, upper) == pytest.approx(expected, nan_ok=True)
    assert fraction(make(neg={0: 1, 1: 2, 2: 1}), -upper, -lower) == pytest.approx(expected, nan_ok=True)


def test_fractions_of_zero_and_custom_buckets():
    assert fraction(make(pos={1: 4}, zero=4, threshold=0.5), 0.25, 1) == pytest.approx(0.25)
    custom = make(CUSTOM, pos={0: 2, 1: 4, 2: 2}, custom=(5.0, 10.0))
    assert fraction(custom, 2.5, 7.5) == pytest.approx((1 + 2) / 8)
    assert fraction(custom, 0, 20) == pytest.approx(6 / 8)  # nothing is taken to be just above 10
    assert fraction(custom, 0, math.inf) == 1


def test_a_fraction_is_the_inverse_of_a_quantile():
    rng = random.Random(2)
    checked = 0
    for _ in range(200):
        h = random_histogram(rng, custom=False)
        if (h.zero_threshold == 0 and h.zero_count) or h.count == 0:
            continue  # observations of exactly zero have no width to interpolate in
        phi = rng.uniform(0.05, 0.95)
        assert fraction(h, -math.inf, quantile(h, phi)) == pytest.approx(phi, abs=1e-6), h
        checked += 1
    assert checked > 50


def test_moments():
    rows = rows_of(make(pos={1: 2, 3: 2}, neg={1: 1}, zero=3, threshold=0.1, total_sum=8))
    assert histogram_count(rows, AT).tolist() == [8]
    assert histogram_sum(rows, AT).tolist() == [8]
    assert histogram_avg(rows, AT).tolist() == [1]
    # Means of the buckets: (1, 2] is sqrt(2), (4, 8] is sqrt(32), [-2, -1) is -sqrt(2), zero is 0; the mean is 1.
    root = math.sqrt(2)
    variance = (2 * (root - 1) ** 2 + 2 * (4 * root - 1) ** 2 + (-root - 1) ** 2 + 3) / 8
    assert histogram_stdvar(rows, AT)[0] == pytest.approx(variance)
    assert histogram_stddev(rows, AT)[0] == pytest.approx(math.sqrt(variance))
    custom = rows_of(make(CUSTOM, pos={1: 2, 2: 2}, custom=(0.0, 2.0, 6.0), total_sum=10))
    # Middles 1 and 4, mean 2.5.
    assert histogram_stdvar(custom, AT)[0] == pytest.approx((2 * 1.5**2 + 2 * 1.5**2) / 4)
    assert np.isnan(histogram_count(rows, np.array([-1]))).all()


def test_messages():
    warnings, infos = note_messages(HistogramNote.MIXED_FLOATS | HistogramNote.QUANTILE_NAN, 'a"b')
    assert warnings == ['PromQL warning: encountered a mix of histograms and floats for metric name "a\\"b"']
    assert infos == [
        'PromQL info: input to histogram_quantile has NaN observations, result is NaN for metric name "a\\"b"'
    ]
    for note in HistogramNote:
        assert sum(map(len, note_messages(int(note), "m", "+"))) == 1
