"""Blocks made by hand."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from swarmscope.model.labels import LabelSets, Utf8Column
from swarmscope.model.logs import LogRows, pack_values
from swarmscope.model.series import LabelFrame
from swarmscope.query.logql.blocks import LineBlock, Shapes, Streams


def texts(column: Utf8Column) -> list[str | None]:
    """The values, None for absent ones."""
    return [column.text(row) if column.length[row] >= 0 else None for row in range(len(column))]


def block_of(
    metadata: Sequence[dict[str, str]], lines: Sequence[str] | None = None, stream: dict[str, str] | None = None
) -> LineBlock:
    """Lines of one stream with this metadata; each line has a shape of its own."""
    n, labels = len(metadata), stream or {}
    sets = LabelSets.from_dicts(metadata)
    packed = pack_values(sets.offsets, sets.values.buffer, sets.values.start, sets.values.length)
    nothing = np.zeros(0, np.uint8)
    rows = LogRows(
        np.zeros(n, np.int64), np.arange(n), Utf8Column.from_strings(lines or [""] * n), np.arange(n),
        Utf8Column(*packed), nothing, nothing, np.zeros(0, np.int64), np.zeros((0, 16), np.uint8),
        np.zeros((0, 8), np.uint8),
    )  # fmt: skip
    values = list(labels.values())
    frame = LabelFrame(tuple(labels), np.arange(len(labels), dtype=np.int32).reshape(-1, 1))
    return LineBlock.from_rows(rows, Streams(frame, values.__getitem__), Shapes(lambda shape: tuple(metadata[shape])))
