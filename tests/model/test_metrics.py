from dataclasses import replace

import numpy as np

from swarmscope.model.labels import LabelSets
from swarmscope.model.metrics import CUSTOM_BUCKETS_SCHEMA, Buckets, HistogramColumns

THREE = HistogramColumns(
    series=np.array([0, 1, 2]),
    ts_ms=np.array([10, 20, 30]),
    schema=np.array([0, 3, CUSTOM_BUCKETS_SCHEMA], np.int8),
    reset_hint=np.array([0, 1, 2], np.uint8),
    is_float=np.array([False, True, False]),
    zero_threshold=np.array([0.1, 0.2, 0.3]),
    zero_count=np.array([1.0, 2.0, 3.0]),
    count=np.array([5.0, 6.0, 7.0]),
    sum=np.array([0.5, 0.6, 0.7]),
    positive=Buckets(np.array([0, 2, 2, 5]), np.array([1, 4, 0, 1, 2], np.int32), np.array([1.0, 2.0, 3.0, 4.0, 5.0])),
    negative=Buckets(np.array([0, 0, 1, 1]), np.array([7], np.int32), np.array([9.0])),
    custom_offsets=np.array([0, 0, 0, 2]),
    custom_bounds=np.array([0.25, 0.5]),
)


def plain(columns):
    if isinstance(columns, np.ndarray):
        return columns.tolist()
    return {name: plain(getattr(columns, name)) for name in columns.__dataclass_fields__}


def test_rows_are_taken_with_what_they_own():
    taken = THREE.take(np.array([2, 0, 2]))
    assert taken.series.tolist() == [2, 0, 2]
    assert taken.ts_ms.tolist() == [30, 10, 30]
    assert taken.schema.tolist() == [CUSTOM_BUCKETS_SCHEMA, 0, CUSTOM_BUCKETS_SCHEMA]
    assert taken.sum.tolist() == [0.7, 0.5, 0.7]
    assert plain(taken.positive) == {
        "offsets": [0, 3, 5, 8], "index": [0, 1, 2, 1, 4, 0, 1, 2], "count": [3.0, 4.0, 5.0, 1.0, 2.0, 3.0, 4.0, 5.0],
    }  # fmt: skip
    assert plain(taken.negative) == {"offsets": [0, 0, 0, 0], "index": [], "count": []}
    assert (taken.custom_offsets.tolist(), taken.custom_bounds.tolist()) == ([0, 2, 2, 4], [0.25, 0.5, 0.25, 0.5])


def test_parts_of_a_whole_joined_are_the_whole():
    parts = [THREE.take(np.array(rows, np.int64)) for rows in ([0], [], [1, 2])]
    assert plain(HistogramColumns.concat(parts)) == plain(THREE)
    assert plain(HistogramColumns.concat([])) == plain(HistogramColumns.empty())


def test_types_stay():
    for made in (THREE.take(np.array([1])), HistogramColumns.concat([THREE, replace(THREE)])):
        for name in HistogramColumns.__dataclass_fields__:
            if name not in ("positive", "negative"):
                assert getattr(made, name).dtype == getattr(THREE, name).dtype, name
        assert made.positive.index.dtype == np.int32


def test_label_sets_are_taken():
    sets = LabelSets.from_dicts([{"a": "1", "b": "2"}, {}, {"c": "3"}])
    assert sets.take(np.array([2, 0, 1])).to_dicts() == [{"c": "3"}, {"a": "1", "b": "2"}, {}]
    assert sets.take(np.zeros(0, np.int64)).to_dicts() == []
