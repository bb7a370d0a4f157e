"""Counts that the store keeps: lines and bytes by stream, level and grain of time answer for whole grains.

That holds for what needs no line: no stages, and series told apart by the level and by labels of streams.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from swarmscope.lang.logql.nodes import RangeAggregation
from swarmscope.model.contracts import LogReader
from swarmscope.model.labels import Utf8Column
from swarmscope.model.logs import Level
from swarmscope.model.series import ABSENT, LabelFrame, Selection
from swarmscope.query.logql.blocks import DETECTED_LEVEL, TYPED_METADATA, sanitised_name
from swarmscope.query.logql.line_series import Identity
from swarmscope.query.logql.range_totals import BucketTotals, Totals
from swarmscope.query.logql.range_windows import WindowGrid
from swarmscope.query.logql.series_table import SeriesTable
from swarmscope.query.promql.row_groups import group_columns

if TYPE_CHECKING:
    from swarmscope.query.logql.range_aggregation import Reading

_COUNTED = frozenset({"count_over_time", "rate", "bytes_over_time", "bytes_rate", "absent_over_time"})
# Edges of windows inside a grain are read as lines; with more of them than this all is read in one go.
_MOST_CUT_GRAINS = 16
_Intervals = list[tuple[int, int]]


def add_stored_counts(
    node: RangeAggregation,
    identity: Identity,
    selection: Selection,
    into: tuple[WindowGrid, Totals, SeriesTable],
    reading: Reading,
) -> _Intervals:
    """Add what the store has counted; the half-open intervals of time whose lines are still to be read."""
    grid, totals, series = into
    whole = grid.intervals()
    if not isinstance(totals, BucketTotals) or not _can_count(node, identity, selection, reading.reader):
        return whole
    grain_ns = reading.reader.count_grain_ns
    counted, left = split_at_grains(whole, grid.edges, grain_ns)
    if len(left) > _MOST_CUT_GRAINS or not counted:
        return whole
    for start_ns, end_ns in counted:
        counts = reading.reader.count_lines(selection, (start_ns, end_ns), reading.budget)
        rows = np.flatnonzero(counts.lines > 0)
        if len(rows):
            numbers = _series_of(identity, selection, (counts.stream[rows], counts.level[rows]), (series, reading))
            totals.add_counted(numbers, counts.bucket_ns[rows], counts.lines[rows], counts.bytes[rows], len(series))
    return left


def _can_count(node: RangeAggregation, identity: Identity, selection: Selection, reader: LogReader) -> bool:
    if node.op not in _COUNTED or node.unwrap is not None or node.pipeline.stages or identity.by is None:
        return False
    return needs_no_metadata(identity.by, selection.labels, reader)


def needs_no_metadata(names: Iterable[str], labels: LabelFrame, reader: LogReader) -> bool:
    """Whether streams and levels alone tell these labels: every stream has it, or no line's metadata does.

    A stream's label hides metadata of its name, as in Loki.
    """
    in_metadata = {sanitised_name(name) for name in reader.metadata_names()}.union(TYPED_METADATA)
    for name in names:
        row = labels.codes[labels.names.index(name)] if name in labels.names else None
        if name == DETECTED_LEVEL:
            if row is not None and (row != ABSENT).any():
                return False  # a sender's own label
        elif name in in_metadata and (row is None or (row == ABSENT).any()):
            return False
    return True


def split_at_grains(intervals: _Intervals, edges: NDArray[np.int64], grain_ns: int) -> tuple[_Intervals, _Intervals]:
    """(runs (start, end] of whole grains without an edge of a window in them, half-open intervals [start, end) else).

    `intervals` are half-open, and their edges are among `edges` (an edge belongs to the span before it).
    """
    cut = np.unique(edges[edges % grain_ns != 0] // grain_ns)  # grain g is (g * grain, (g + 1) * grain]
    counted: _Intervals = []
    left: _Intervals = []
    for begin, end in intervals:
        start, stop = begin - 1, end - 1  # as (start, stop]
        at = start
        inside = cut[(cut * grain_ns < stop) & ((cut + 1) * grain_ns > start)]
        for grain in inside.tolist():
            low, high = max(grain * grain_ns, start), min((grain + 1) * grain_ns, stop)
            if low > at:
                counted.append((at, low))
            left.append((low + 1, high + 1))
            at = high
        if stop > at:
            counted.append((at, stop))
    return counted, _joined(left)


def _joined(intervals: _Intervals) -> _Intervals:
    joined: _Intervals = []
    for begin, end in intervals:
        if joined and joined[-1][1] == begin:
            joined[-1] = (joined[-1][0], end)
        else:
            joined.append((begin, end))
    return joined


def _series_of(
    identity: Identity,
    selection: Selection,
    of_row: tuple[NDArray[np.int64], NDArray[np.uint8]],
    tables: tuple[SeriesTable, Reading],
) -> NDArray[np.int64]:
    """The series of each row of counts [n]."""
    stream, level = of_row
    series, reading = tables
    names = identity.by or ()
    codes = np.zeros((len(names), len(stream)), np.int32)
    for k, name in enumerate(names):
        if name == DETECTED_LEVEL:
            texts = Utf8Column.from_strings([each.name.lower() for each in Level])
            codes[k] = reading.texts.add(texts)[level]
        else:
            codes[k] = _stream_codes(selection.labels, name, reading)[stream]
    group, first = group_columns(codes)
    return series.resolve(names, codes[:, first])[group]


def _stream_codes(labels: LabelFrame, name: str, reading: Reading) -> NDArray[np.int32]:
    """The label's codes in the query's own table, by stream; ABSENT where a stream has it not."""
    if name not in labels.names:
        return np.full(labels.n_series, ABSENT, np.int32)
    known, place = np.unique(labels.codes[labels.names.index(name)], return_inverse=True)
    text = reading.reader.symbols.text
    column = Utf8Column.from_strings(["" if code == ABSENT else text(int(code)) for code in known])
    return reading.texts.add(column)[place]
