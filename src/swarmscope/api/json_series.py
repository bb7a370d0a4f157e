"""Series as Prometheus' JSON, written by compiled code into byte chunks: no Python object per series or sample.

Source of the format: Prometheus' web/api/v1/json_codec.go. A matrix element is
`{"metric":{…},"values":[[1435781430.781,"1"],…],"histograms":[…]}`, a vector element has `"value":[…]` or
`"histogram":[…]` instead.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from swarmscope.api.label_text import LabelText
from swarmscope.api.number_text import MAX_NUMBER_BYTES, MAX_TIMESTAMP_BYTES, write_double, write_timestamp
from swarmscope.api.plain_arrays import plain_array
from swarmscope.api.raw_bytes import load_word, store_word
from swarmscope.model.series import SampleColumns

# One chunk is as much text as this at the most (unless one series is longer): it stays in the processor's cache.
_CHUNK_BYTES = 1 << 22
_HEAD = np.frombuffer(b'{"metric":', np.uint8).copy()
_VALUES = np.frombuffer(b',"values":[', np.uint8).copy()
_VALUE = np.frombuffer(b',"value":', np.uint8).copy()
_FIXED_BYTES = len(_HEAD) + len(_VALUES) + 8
# A bracket, a time stamp, a comma and a quote; a multiple of eight, to be copied in words.
STAMP_BYTES = MAX_TIMESTAMP_BYTES
_POINT_BYTES = STAMP_BYTES + MAX_NUMBER_BYTES
_COMMA, _QUOTE = ord(","), ord('"')
_OPEN, _CLOSE, _BEGIN, _END = ord("["), ord("]"), ord("{"), ord("}")


class Points(NamedTuple):
    """Float points to write. Series i owns `offsets[i] : offsets[i + 1]` of `value`; a point that is not there is
    skipped. On a grid all series have all steps' points.
    """

    offsets: NDArray[np.int64]  # [n_series + 1]
    value: NDArray[np.float64]  # [n_points]
    bits: NDArray[np.uint64]  # [n_points] the same values' bits
    present: NDArray[np.bool_]  # [n_points], or [0] where all are there
    ts_ms: NDArray[np.int64]  # [n_points], or [n_steps] on a grid
    stamp_text: NDArray[np.uint8]  # grid only: `[1435781430.781,"` of each step, STAMP_BYTES apart
    stamp_length: NDArray[np.int64]  # [n_steps] on a grid, or [0]


@njit(nogil=True, cache=True, inline="always")
def _copy(out: NDArray[np.uint8], at: int, source: NDArray[np.uint8], start: int, length: int) -> int:
    for offset in range(length):
        out[at + offset] = source[start + offset]
    return at + length


@njit(nogil=True, cache=True)
def _write_labels(out: NDArray[np.uint8], at: int, labels: LabelText, series: int) -> int:
    out[at] = _BEGIN
    at += 1
    first = True
    for row in range(labels.value_length.shape[0]):
        length = labels.value_length[row, series]
        if length == 0:
            continue
        if not first:
            out[at] = _COMMA
            at += 1
        first = False
        start, end = labels.name_bounds[row], labels.name_bounds[row + 1]
        at = _copy(out, at, labels.name_text, start, end - start)
        at = _copy(out, at, labels.value_text, labels.value_start[row, series], length)
    out[at] = _END
    return at + 1


@njit(nogil=True, cache=True)
def _write_label_sets(out: NDArray[np.uint8], labels: LabelText, ends: NDArray[np.int64]) -> int:
    at = 0
    for series in range(len(ends)):
        at = _write_labels(out, at, labels, series)
        ends[series] = at
    return at


@njit(nogil=True, cache=True)
def _write_stamp(out: NDArray[np.uint8], at: int, ts_ms: int) -> int:
    out[at] = _OPEN
    at = write_timestamp(out, at + 1, ts_ms)
    out[at] = _COMMA
    out[at + 1] = _QUOTE
    return at + 2


@njit(nogil=True, cache=True)
def _write_point(out: NDArray[np.uint8], at: int, points: Points, point: int, step: int) -> int:
    if len(points.stamp_length):
        # Fast path: whole words, more than the stamp's length; what follows overwrites the rest.
        for offset in range(0, STAMP_BYTES, 8):
            store_word(out, at + offset, load_word(points.stamp_text, step * STAMP_BYTES + offset))
        at += points.stamp_length[step]
    else:
        at = _write_stamp(out, at, points.ts_ms[point])
    at = write_double(out, at, points.value[point], points.bits[point])
    out[at] = _QUOTE
    out[at + 1] = _CLOSE
    return at + 2


@njit(nogil=True, cache=True)
def _write_series(
    out: NDArray[np.uint8], labels: LabelText, points: Points, vector: bool, first: int, ends: NDArray[np.int64]
) -> int:
    """Write series `first` … `first + len(ends) - 1`; `ends` gets where each ends (before its closing brace)."""
    at = 0
    for number in range(len(ends)):
        series = first + number
        at = _write_labels(out, _copy(out, at, _HEAD, 0, len(_HEAD)), labels, series)
        begin, finish = points.offsets[series], points.offsets[series + 1]
        written = 0
        for point in range(begin, finish):
            if len(points.present) and not points.present[point]:
                continue
            if written:
                out[at] = _COMMA
                at += 1
            elif vector:
                at = _copy(out, at, _VALUE, 0, len(_VALUE))
            else:
                at = _copy(out, at, _VALUES, 0, len(_VALUES))
            at = _write_point(out, at, points, point, point - begin)
            written += 1
        if written and not vector:
            out[at] = _CLOSE
            at += 1
        ends[number] = at
        out[at] = _END
        out[at + 1] = _COMMA
        at += 2
    return at


@njit(nogil=True, cache=True)
def _render_stamps(ts_ms: NDArray[np.int64], length: NDArray[np.int64], out: NDArray[np.uint8]) -> None:
    for step in range(len(ts_ms)):
        length[step] = _write_stamp(out, step * STAMP_BYTES, ts_ms[step]) - step * STAMP_BYTES


def grid_points(ts_ms: NDArray[np.int64], values: NDArray[np.float64], present: NDArray[np.bool_] | None) -> Points:
    """Points of a range query: `values` [n_series, n_steps] at the times `ts_ms` [n_steps]."""
    n_series, n_steps = values.shape
    if len(ts_ms) != n_steps or (present is not None and present.shape != values.shape):
        raise ValueError("times, values and presence are not of the same shape")
    flat = plain_array(values, np.float64).reshape(-1)
    length = np.zeros(n_steps, np.int64)
    text = np.zeros(n_steps * STAMP_BYTES + 8, np.uint8)
    times_ms = plain_array(ts_ms, np.int64)
    _render_stamps(times_ms, length, text)
    there = np.zeros(0, np.bool_) if present is None or present.all() else plain_array(present, np.bool_).reshape(-1)
    offsets = np.arange(n_series + 1, dtype=np.int64) * n_steps
    return Points(offsets, flat, flat.view(np.uint64), there, times_ms, text, length)


def sample_points(samples: SampleColumns) -> Points:
    """Points of raw samples, each with its own time stamp."""
    value = plain_array(samples.value, np.float64)
    offsets, ts_ms = plain_array(samples.offsets, np.int64), plain_array(samples.ts_ms, np.int64)
    all_there, no_stamps = np.zeros(0, np.bool_), np.zeros(0, np.uint8)
    return Points(offsets, value, value.view(np.uint64), all_there, ts_ms, no_stamps, np.zeros(0, np.int64))


def _series_bounds(labels: LabelText, points: Points) -> NDArray[np.int64]:
    """Bytes that each series takes at the most."""
    label_bytes = _label_bounds(labels)
    bounds: NDArray[np.int64] = label_bytes + np.diff(points.offsets) * _POINT_BYTES + _FIXED_BYTES
    return bounds


def _label_bounds(labels: LabelText) -> NDArray[np.int64]:
    bounds: NDArray[np.int64] = (
        labels.value_length.sum(axis=0) + labels.value_length.shape[0] + int(labels.name_bounds[-1]) + 2
    )
    return bounds


def label_sets_json(labels: LabelText) -> list[bytes]:
    """`{"name":"value",…}` of each series."""
    n_series = labels.value_length.shape[1]
    out = np.empty(int(_label_bounds(labels).sum()), np.uint8)
    ends = np.empty(n_series, np.int64)
    text = out[: _write_label_sets(out, labels, ends)].tobytes()
    bounds = [0, *ends.tolist()]
    return [text[start:end] for start, end in zip(bounds, bounds[1:], strict=False)]


def series_json(
    labels: LabelText,
    points: Points,
    *,
    vector: bool,
    histograms: Mapping[int, bytes] | None = None,
    check: Callable[[], None] = lambda: None,
) -> Iterator[bytes]:
    """Chunks of the result array's elements, with commas between, without the brackets.

    `histograms` holds, by series, the text that goes before the closing brace (`,"histograms":[…]`). `check` is
    called between chunks and may raise to end the work. Raises ValueError where labels and points do not fit together.
    """
    n_series = len(points.offsets) - 1
    if n_series != labels.value_length.shape[1] or points.offsets[-1] > len(points.value):
        raise ValueError("labels and points are not of the same series")  # compiled code would read beyond their ends
    if n_series == 0:
        return
    ends_of_room = np.cumsum(_series_bounds(labels, points))
    first = 0
    buffer = np.empty(0, np.uint8)
    while first < n_series:
        check()
        used = int(ends_of_room[first - 1]) if first else 0
        last = max(first + 1, int(np.searchsorted(ends_of_room, used + _CHUNK_BYTES, side="right")))
        room = int(ends_of_room[last - 1]) - used
        if room > len(buffer):
            buffer = np.empty(max(room, min(_CHUNK_BYTES, int(ends_of_room[-1]))), np.uint8)
        ends = np.empty(last - first, np.int64)
        size = _write_series(buffer, labels, points, vector, first, ends)
        if last == n_series:
            size -= 1
        yield _with_histograms(buffer[:size], ends, first, histograms) if histograms else buffer[:size].tobytes()
        first = last


def _with_histograms(
    text: NDArray[np.uint8], ends: NDArray[np.int64], first: int, histograms: Mapping[int, bytes]
) -> bytes:
    """# Slow path: splice the histograms' text in before the closing brace of their series."""
    pieces: list[bytes] = []
    at = 0
    for number, end in enumerate(ends.tolist()):
        extra = histograms.get(first + number)
        if extra is not None:
            pieces += (text[at:end].tobytes(), extra)
            at = end
    pieces.append(text[at:].tobytes())
    return b"".join(pieces)
