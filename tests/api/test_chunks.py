"""Chunk encoders against a reader written from the format's description, and hand-made bytes."""

from __future__ import annotations

import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from swarmscope.api.remote_read.frames import crc32c, to_frame
from swarmscope.api.remote_read.histogram_chunks import encode_histogram_chunks
from swarmscope.api.remote_read.histogram_spans import HistogramRow, to_deltas, to_row
from swarmscope.api.remote_read.xor_chunks import encode_xor_chunks
from swarmscope.model.metrics import Buckets, HistogramColumns
from swarmscope.model.series import SampleColumns
from swarmscope.model.staleness import STALE_BITS, STALE_NAN
from tests.api.chunk_reader import read_histograms, read_xor
from tests.portion import portion

ROW = HistogramRow(1000, 2, 0, False, 2.0**-128, 1.0, 6.0, 12.5, ((-1, 2), (3, 1)), (1.0, 3.0, 1.0), (), (), ())


def columns(*series: list[tuple[int, float]]) -> SampleColumns:
    flat = [point for points in series for point in points]
    offsets = np.cumsum([0, *map(len, series)])
    return SampleColumns(offsets, np.array([t for t, _ in flat], np.int64), np.array([v for _, v in flat], np.float64))


def bits_of(value: float) -> int:
    return struct.unpack("<Q", struct.pack("<d", value))[0]


def test_one_sample_by_hand() -> None:
    chunks = encode_xor_chunks(columns([(1, 1.0)]))
    # One sample; zigzag varint of 1; the double 1.0.
    assert chunks.data.tobytes() == bytes.fromhex("0001" + "02" + "3ff0000000000000")


def test_two_equal_samples_by_hand() -> None:
    chunks = encode_xor_chunks(columns([(0, 1.0), (15000, 1.0), (30000, 1.0)]))
    # uvarint 15000 is 98 75; then bit 0 (same value), bit 0 (same delta), bit 0.
    assert chunks.data.tobytes() == bytes.fromhex("0003" + "00" + "3ff0000000000000" + "9875" + "00")


@settings(max_examples=portion(300, 100), deadline=None)
@given(
    st.lists(
        st.lists(
            st.tuples(st.integers(1, 2**40), st.one_of(st.floats(), st.integers(-100, 100).map(float))), max_size=260
        ),
        max_size=4,
    ),
    st.integers(-(2**50), 2**50),
)
def test_xor_round_trip(steps: list[list[tuple[int, float]]], start: int) -> None:
    series = [
        list(zip((np.cumsum([step for step, _ in points]) + start).tolist(), [v for _, v in points], strict=True))
        if points
        else []
        for points in steps
    ]
    chunks = encode_xor_chunks(columns(*series))
    found: list[list[tuple[int, int]]] = [[] for _ in series]
    for place, owner in enumerate(chunks.series.tolist()):
        samples = read_xor(chunks.data[chunks.bounds[place] : chunks.bounds[place + 1]].tobytes())
        assert len(samples) <= 120
        assert (samples[0][0], samples[-1][0]) == (chunks.min_ms[place], chunks.max_ms[place])
        found[owner] += samples
    assert found == [[(t, bits_of(v)) for t, v in points] for points in series]


def test_stale_marker_keeps_its_bits() -> None:
    chunks = encode_xor_chunks(columns([(0, 1.0), (1, STALE_NAN)]))
    assert read_xor(chunks.data.tobytes())[1] == (1, STALE_BITS)


def test_integer_histogram() -> None:
    later = ROW._replace(ts_ms=16000, observations=9.0, total=20.25, positive_counts=(2.0, 4.0, 2.0))
    last = ROW._replace(ts_ms=31000, observations=15.0, total=-1.5, zero_count=4.0, positive_counts=(3.0, 6.0, 2.0))
    (chunk,) = encode_histogram_chunks([ROW, later, last])
    assert (chunk.min_ms, chunk.max_ms, chunk.encoding) == (1000, 31000, 2)
    layout, rows = read_histograms(chunk.data, floats=False)
    assert layout == {
        "flags": 0, "zero_threshold": 2.0**-128, "schema": 2, "positive": [(-1, 2), (3, 1)], "negative": [],
    }  # fmt: skip
    assert [(row["ts"], row["count"], row["zero"], row["sum"]) for row in rows] == [
        (1000, 6, 1, bits_of(12.5)),
        (16000, 9, 1, bits_of(20.25)),
        (31000, 15, 4, bits_of(-1.5)),
    ]
    # On the wire each bucket is the difference from the bucket before.
    assert [row["positive"] for row in rows] == [[1, 2, -2], [2, 2, -2], [3, 3, -4]]


def test_float_histogram() -> None:
    first = ROW._replace(is_float=True, positive_counts=(0.5, 1.25, 3.0), observations=4.75)
    second = first._replace(ts_ms=2000, positive_counts=(0.75, 1.25, 1e300), observations=1e300, total=7.0)
    (chunk,) = encode_histogram_chunks([first, second])
    assert chunk.encoding == 3
    _, rows = read_histograms(chunk.data, floats=True)
    assert [(row["count"], row["sum"], row["positive"]) for row in rows] == [
        (4.75, 12.5, [0.5, 1.25, 3.0]),
        (1e300, 7.0, [0.75, 1.25, 1e300]),
    ]


@pytest.mark.parametrize("threshold", [0.0, 0.001, 2.0**-243, 2.0**10, 2.0**11, 2.0**-244, 2.938735877055719e-39])
def test_zero_threshold(threshold: float) -> None:
    (chunk,) = encode_histogram_chunks([ROW._replace(zero_threshold=threshold)])
    assert read_histograms(chunk.data, floats=False)[0]["zero_threshold"] == threshold


def test_custom_bounds() -> None:
    bounds = (-5.0, 0.0, 0.005, 0.1, 2.5, 33554.43, 1e9, 1 / 3)
    row = ROW._replace(schema=-53, custom_bounds=bounds, zero_threshold=0.0)
    (chunk,) = encode_histogram_chunks([row])
    assert read_histograms(chunk.data, floats=False)[0]["bounds"] == list(bounds)


def test_chunk_cuts() -> None:
    other_layout = ROW._replace(ts_ms=2000, positive_spans=((0, 3),))
    assert len(list(encode_histogram_chunks([ROW, other_layout]))) == 2
    reset = ROW._replace(ts_ms=2000, observations=5.0)
    chunks = list(encode_histogram_chunks([ROW, reset]))
    assert len(chunks) == 2
    gauges = [ROW._replace(ts_ms=1000 * n, observations=float(9 - n), reset_hint=3) for n in range(3)]
    (gauge,) = encode_histogram_chunks(gauges)
    assert read_histograms(gauge.data, floats=False)[0]["flags"] == 3
    many = [ROW._replace(ts_ms=1000 * n, reset_hint=2) for n in range(250)]
    lengths = [len(read_histograms(chunk.data, floats=False)[1]) for chunk in encode_histogram_chunks(many)]
    assert lengths == [120, 120, 10]


def test_rows_from_columns() -> None:
    found = HistogramColumns(
        np.array([0, 0]), np.array([5, 6]), np.array([1, -53], np.int8), np.array([1, 0], np.uint8),
        np.array([False, True]), np.array([0.5, 0]), np.array([2.0, 0]), np.array([9.0, 0]),
        np.array([3.5, STALE_NAN]),
        Buckets(np.array([0, 4, 4]), np.array([-2, -1, 3, 4], np.int32), np.array([1.0, 2.0, 3.0, 1.0])),
        Buckets(np.array([0, 1, 1]), np.array([0], np.int32), np.array([7.0])),
        np.array([0, 0, 0]), np.zeros(0),
    )  # fmt: skip
    row = to_row(found, 0)
    assert row.positive_spans == ((-2, 2), (3, 2))
    assert row.positive_counts == (1.0, 2.0, 3.0, 1.0)
    assert row.negative_spans == ((0, 1),)
    assert to_deltas(row.positive_counts) == [1, 1, 1, -2]
    stale = to_row(found, 1)
    (chunk,) = encode_histogram_chunks([stale._replace(is_float=False)])
    assert read_histograms(chunk.data, floats=False)[1][0]["sum"] == STALE_BITS


def test_crc_and_frame() -> None:
    # The check value of CRC-32C.
    assert crc32c(b"123456789") == 0xE3069283
    assert to_frame(b"123456789") == b"\x09" + bytes.fromhex("e3069283") + b"123456789"
