"""`| unwrap label`: a label's value becomes the line's sample.

As in Loki, lines without the label or with an empty one drop out; a value that is none gets `__error__`, which filters
behind the unwrap may look at. https://grafana.com/docs/loki/latest/query/metric_queries/#unwrap-expression
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from swarmscope.lang.logql.nodes import Unwrap
from swarmscope.model.labels import Utf8Column
from swarmscope.query.logql.blocks import LineBlock
from swarmscope.query.logql.label_filters import passing
from swarmscope.query.logql.number_texts import NumberReader, read_durations, read_numbers, read_sizes
from swarmscope.query.logql.text_interning import distinct_texts

UNWRAP_ERROR = "SampleExtractionErr"
_READERS: dict[str, NumberReader] = {
    "": read_numbers,
    "duration": read_durations,
    "duration_seconds": read_durations,
    "bytes": read_sizes,
}


def unwrap_values(unwrap: Unwrap, block: LineBlock) -> NDArray[np.float64]:
    """The values [n] of the lines that are left in the block."""
    block.keep(block.label(unwrap.label).length > 0)
    column = block.label(unwrap.label)
    values, bad = _read(column, unwrap.conversion)
    if bad.any():
        first = int(np.argmax(bad))
        what = unwrap.conversion or "number"
        block.note_error(bad, UNWRAP_ERROR, f"{column.text(first)!r} of label {unwrap.label} is no {what}")
    for condition in unwrap.filters:
        chosen = passing(condition, block)
        block.keep(chosen)
        values = values[chosen]
    return values


def _read(column: Utf8Column, conversion: str) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    if not conversion:
        return read_numbers(column)
    # Texts with units repeat, and reading one is slow.
    codes, first = distinct_texts(column)
    values, bad = _READERS[conversion](column.take(first))
    return values[codes], bad[codes]
