"""Some rows of a batch on their own: what they came from may go."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from swarmscope.model.labels import Utf8Column
from swarmscope.model.logs import LogRows
from swarmscope.query.logql.text_joining import joined_texts


def taken_rows(rows: LogRows, which: NDArray[np.int64]) -> LogRows:
    """Rows `which` [n], in that order, copied; columns that are empty stay so."""
    columns: dict[str, Any] = {}
    for column in fields(LogRows):
        values = getattr(rows, column.name)
        if len(values) == 0:
            columns[column.name] = values
        elif isinstance(values, Utf8Column):
            columns[column.name] = joined_texts([values.take(which)], len(which))
        else:
            columns[column.name] = values[which]
    return LogRows(**columns)


def concatenated_rows(parts: Sequence[LogRows]) -> LogRows:
    """All rows of all parts, in the order in which they stand."""
    parts = [part for part in parts if len(part)]
    if len(parts) <= 1:
        return parts[0] if parts else LogRows.empty()
    columns: dict[str, Any] = {}
    for column in fields(LogRows):
        values = [getattr(part, column.name) for part in parts]
        is_text = isinstance(values[0], Utf8Column)
        columns[column.name] = _concatenated_texts(values) if is_text else np.concatenate(values)
    return LogRows(**columns)


def _concatenated_texts(parts: Sequence[Utf8Column]) -> Utf8Column:
    offsets = np.cumsum([0, *(len(part.buffer) for part in parts)])
    return Utf8Column(
        np.concatenate([part.buffer for part in parts]),
        np.concatenate([part.start + offset for part, offset in zip(parts, offsets.tolist(), strict=False)]),
        np.concatenate([part.length for part in parts]),
    )
