from __future__ import annotations

from dataclasses import replace

import numpy as np

from swarmscope.receivers.otlp.native_totals import NativeTotal, Side, add_histograms


def side(buckets: dict[int, float]) -> Side:
    return Side(np.array(sorted(buckets), np.int64), np.array([buckets[k] for k in sorted(buckets)], np.float64))


def to_dict(buckets: Side) -> dict[int, float]:
    return dict(zip(buckets.place.tolist(), buckets.population.tolist(), strict=True))


def histogram(schema: int, positive: dict[int, float], zero: float = 0.0, threshold: float = 0.0) -> NativeTotal:
    count = sum(positive.values()) + zero
    return NativeTotal(schema, threshold, zero, count, 1.0, side(positive), side({}), np.zeros(0))


def test_same_schema() -> None:
    total = add_histograms(histogram(0, {1: 1, 3: 2}, 1), histogram(0, {2: 5, 3: 1}, 2))
    assert to_dict(total.positive) == {1: 1.0, 2: 5.0, 3: 3.0}
    assert (total.zero_count, total.count, total.sum) == (3.0, 12.0, 2.0)


def test_coarser_schema_wins() -> None:
    # Schema 1: bucket i is (2^((i-1)/2), 2^(i/2)]. So 1 and 2 are both inside schema 0's 1, (1, 2]; 0 and -1 in its 0.
    total = add_histograms(histogram(1, {-1: 1, 0: 2, 1: 4, 2: 8, 3: 16}), histogram(0, {1: 100}))
    assert total.schema == 0
    assert to_dict(total.positive) == {0: 3.0, 1: 112.0, 2: 16.0}


def test_larger_zero_threshold_takes_whole_buckets() -> None:
    # Schema 0: bucket 1 is (1, 2], bucket 2 is (2, 4]. A threshold of 3 reaches into bucket 2, so it becomes 4.
    total = add_histograms(histogram(0, {1: 1, 2: 2, 3: 4}), histogram(0, {3: 10}, 5, threshold=3.0))
    assert total.zero_threshold == 4.0
    assert total.zero_count == 8.0
    assert to_dict(total.positive) == {3: 14.0}


def test_negative_buckets_may_raise_the_threshold_too() -> None:
    left = replace(histogram(0, {2: 1}), negative=side({1: 3}))  # (2, 4] and [-2, -1)
    total = add_histograms(left, histogram(0, {}, 1, threshold=1.5))
    assert (total.zero_threshold, total.zero_count) == (2.0, 4.0)
    assert to_dict(total.positive) == {2: 1.0}
    assert to_dict(total.negative) == {}
