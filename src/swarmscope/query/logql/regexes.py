"""RE2 over columns, through Arrow."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from swarmscope.model.errors import QueryFailedError
from swarmscope.model.labels import Utf8Column
from swarmscope.query.logql.extraction import ABSENT


def finds_regex(column: Utf8Column, regex: str) -> NDArray[np.bool_]:
    """In which texts [n] the regex is found anywhere; absent ones count as empty. Raises QueryFailedError."""
    try:
        found = pc.match_substring_regex(present(column).to_arrow(), regex)
    except pa.ArrowInvalid as error:
        raise QueryFailedError(f"the regex {regex!r} cannot be used: {error}") from error
    mask: NDArray[np.bool_] = found.to_numpy(zero_copy_only=False)
    return mask


def matches_regex(column: Utf8Column, regex: str) -> NDArray[np.bool_]:
    """Which texts [n] the regex matches as a whole; absent ones count as empty. Raises QueryFailedError."""
    return finds_regex(column, f"^(?s:{regex})$")


def present(column: Utf8Column) -> Utf8Column:
    """The column with "" for absent cells."""
    if (column.length >= 0).all():
        return column
    return Utf8Column(column.buffer, column.start, np.maximum(column.length, 0))


def from_arrow(texts: pa.StringArray, absent: NDArray[np.bool_] | None = None) -> Utf8Column:
    """Arrow strings as a column over the same bytes; nulls and `absent` [n] are absent cells."""
    if isinstance(texts, pa.ChunkedArray):
        texts = texts.combine_chunks()
    if pa.types.is_large_string(texts.type) or pa.types.is_large_binary(texts.type):
        offset_type: type[np.generic] = np.int64
    else:
        offset_type = np.int32
    _, offsets_buffer, data = texts.buffers()
    offsets = np.frombuffer(offsets_buffer, offset_type, len(texts) + 1, texts.offset * np.dtype(offset_type).itemsize)
    start = offsets[:-1].astype(np.int64)
    length = np.diff(offsets).astype(np.int64)
    if texts.null_count:
        length[np.flatnonzero(texts.is_null().to_numpy(zero_copy_only=False))] = ABSENT
    if absent is not None:
        length[absent] = ABSENT
    buffer = np.frombuffer(data, np.uint8) if data is not None else np.zeros(0, np.uint8)
    return Utf8Column(buffer, start, length)
