"""Compiles the kernels of logs, or loads them from Numba's cache, before the first request needs them."""

from __future__ import annotations

import itertools

import numpy as np

from swarmscope.model.labels import LabelSets, Utf8Column
from swarmscope.model.logs import SPAN_ID_BYTES, TRACE_ID_BYTES, LineColumns, LineRequest, LogBatch
from swarmscope.store.embedded.logs.counts import counts_of
from swarmscope.store.embedded.logs.flush import observed_offsets
from swarmscope.store.embedded.logs.generation import LiveLines, from_frame, to_frame
from swarmscope.store.embedded.logs.lines import Lines, line_column
from swarmscope.store.embedded.logs.live_needles import rows_with_needles
from swarmscope.store.embedded.logs.recent_lines import RecentLines
from swarmscope.store.embedded.logs.rows import Positions, find_lines, joined_rows, rows_of_block, rows_of_lines
from swarmscope.store.embedded.logs.shapes import ShapeTable
from swarmscope.store.embedded.native import AnyColumn, decode_native_rows, encode_native

_REQUEST = LineRequest(0, 1 << 62)
_TO_GROW = 1 << 12  # more rows than the table of recent lines begins with: growing is a kernel too


def warm_up() -> None:
    """Run every kernel once on each layout of arrays that it meets: buffers of a request may be read-only or not."""
    for layout in itertools.product((False, True), repeat=2):
        lines = LiveLines(1, 1)
        batch = _batch(*layout)
        staged = lines.stage(batch, np.zeros(1, np.int64), ShapeTable().intern(batch.metadata), np.arange(2))
        recent = RecentLines()
        recent.reserve(_TO_GROW)
        recent.admit(staged)
        lines.publish()
        _read(lines.snapshot())
        _search(lines.snapshot())
    ShapeTable().intern(LabelSets.from_dicts([{f"name{k}": "v"} for k in range(16)]))
    stored, _ = from_frame(to_frame(staged._replace(text=staged.text[: int(lines.n_bytes)]), {}))
    lines.stage_lines(stored)


def _batch(is_line_frozen: bool, is_metadata_frozen: bool) -> LogBatch:
    """The two come apart where one of them was redacted."""
    text = np.frombuffer(b"line", np.uint8)
    metadata = LabelSets.from_dicts([{"a": "b"}, {"c": "d"}])
    if not is_line_frozen:
        text = text.copy()
    if not is_metadata_frozen:
        names, values = metadata.names, metadata.values
        metadata = LabelSets(
            metadata.offsets,
            Utf8Column(names.buffer.copy(), names.start, names.length),
            Utf8Column(values.buffer.copy(), values.start, values.length),
        )
    return LogBatch(
        stream_key=np.zeros(1, np.uint64),
        stream_ref=np.zeros(1, np.int64),
        new_labels=LabelSets.from_dicts([]),
        stream=np.zeros(2, np.int64),
        ts_ns=np.array([2, 1], np.int64),
        line=Utf8Column(text, np.zeros(2, np.int64), np.full(2, 4, np.int64)),
        metadata=metadata,
        level=np.zeros(2, np.uint8),
        severity=np.zeros(2, np.uint8),
        observed_ns=np.zeros(2, np.int64),
        trace_id=np.zeros((2, TRACE_ID_BYTES), np.uint8),
        span_id=np.zeros((2, SPAN_ID_BYTES), np.uint8),
    )


def _search(lines: Lines) -> None:
    """As the reader does in lines that are not flushed yet."""
    rows_with_needles(lines, np.zeros(1, np.int64), LineRequest(0, 1 << 62, needles=("line",), values=("b",)))


def _read(lines: Lines) -> None:
    """As the flush and the reader do."""
    positions = Positions.of(np.zeros(1, np.int64))
    rows = rows_of_lines(lines, find_lines(lines, positions, _REQUEST), positions, LineColumns())
    counts_of(rows.stream, rows.ts_ns, rows.level, rows.line.length)
    order = np.arange(len(lines.ts_ns))
    block: dict[str, AnyColumn] = {
        "stream": lines.stream[order],
        "ts": lines.ts_ns[order],
        "line": line_column(lines, order),
        "metadata": line_column(lines, order),
        "level": lines.level[order],
        "severity": lines.severity[order],
        "observed": observed_offsets(lines.observed_ns[order], lines.ts_ns[order]),
        "trace_id": lines.trace_id[order],
        "span_id": lines.span_id[order],
        "shape": lines.shape[order],
    }
    data = b"".join(bytes(piece) for piece in encode_native(block))
    # One block is a view on what ClickHouse sent, several are joined.
    for answer in (data, data + data):
        joined_rows([rows, rows_of_block(decode_native_rows(answer), positions)])
