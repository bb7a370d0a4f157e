"""Packed metadata values come back as they went in; a batch keeps the lines that it is told to keep."""

from __future__ import annotations

import numpy as np

from swarmscope.model.labels import LabelSets, Utf8Column
from swarmscope.model.logs import LogBatch, find_packed, pack_values
from swarmscope.model.metrics import empty_label_sets


def _packed(rows: list[dict[str, str]]) -> Utf8Column:
    sets = LabelSets.from_dicts(rows)
    return Utf8Column(*pack_values(sets.offsets, sets.values.buffer, sets.values.start, sets.values.length))


def test_each_value_is_found_again() -> None:
    packed = _packed([{"a": "1", "b": "zwölf"}, {}, {"a": "", "b": "x\x00y", "c": "z" * 300}])
    for index, expected in ((0, ["1", None, ""]), (1, ["zwölf", None, "x\x00y"]), (2, [None, None, "z" * 300])):
        starts, lengths = find_packed(packed.buffer, packed.start, packed.length, np.full(3, index))
        found = [
            None if size < 0 else packed.buffer[at : at + size].tobytes().decode()
            for at, size in zip(starts.tolist(), lengths.tolist(), strict=True)
        ]
        assert found == expected


def test_an_index_below_zero_means_no_value() -> None:
    packed = _packed([{"a": "1"}, {"a": "2"}])
    _, lengths = find_packed(packed.buffer, packed.start, packed.length, np.array([-1, 0]))
    assert lengths.tolist() == [-1, 1]


def test_a_cut_row_gives_nothing_beyond_its_end() -> None:
    packed = _packed([{"a": "1", "b": "2"}])
    _, lengths = find_packed(packed.buffer, packed.start, packed.length - 5, np.array([1]))
    assert lengths.tolist() == [-1]


def test_take_keeps_rows_and_streams() -> None:
    n = 3
    batch = LogBatch(
        stream_key=np.array([7, 8], np.uint64),
        stream_ref=np.array([0, 1], np.int64),
        new_labels=empty_label_sets(),
        stream=np.array([0, 1, 0]),
        ts_ns=np.array([10, 20, 30]),
        line=Utf8Column.from_strings(["a", "b", "c"]),
        metadata=LabelSets.from_dicts([{"k": "1"}, {}, {"k": "3"}]),
        level=np.array([3, 4, 5], np.uint8),
        severity=np.zeros(n, np.uint8),
        observed_ns=np.zeros(n, np.int64),
        trace_id=np.zeros((n, 16), np.uint8),
        span_id=np.zeros((n, 8), np.uint8),
    )
    batch.take(np.array([2, 1]))
    assert len(batch) == 2
    assert batch.line.to_strings() == ["c", "b"]
    assert batch.metadata.to_dicts() == [{"k": "3"}, {}]
    assert batch.stream.tolist() == [0, 1]
    assert batch.level.tolist() == [5, 4]
    assert len(batch.stream_key) == 2
