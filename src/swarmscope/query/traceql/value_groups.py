"""Equal values to equal numbers, for grouping."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from swarmscope.query.traceql.comparisons import distinct_texts
from swarmscope.query.traceql.trace_numbers import Numbered, number_ids
from swarmscope.query.traceql.values import Tag, Values


def group_values(columns: Sequence[Values], within: NDArray[np.int64] | None = None) -> Numbered:
    """Numbers of the rows [n]: equal where all columns and `within` [n] are. An integer is not equal to a float."""
    words = [word for column in columns for word in _words(column)]
    if within is not None:
        words.append(within)
    keys = np.stack(words, axis=1) if words else np.zeros((0, 1), np.int64)
    return number_ids(np.ascontiguousarray(keys, np.int64).view(np.uint8))


def _words(values: Values) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Two numbers [n] that say a value: its type, and which one of that."""
    cells = _cell_words(values)
    return cells if values.index is None else (cells[0][values.index], cells[1][values.index])


def _cell_words(values: Values) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    tag = values.tag.astype(np.int64)
    word = np.where(values.tag == Tag.FLOAT, values.real.view(np.int64), values.whole)
    texts = np.flatnonzero(values.tag == Tag.STRING)
    if len(texts):
        word[texts] = distinct_texts(values.text.take(texts))[1]
    return tag, word
