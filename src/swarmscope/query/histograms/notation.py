"""Native histograms of answers in the notation of unit tests."""

from __future__ import annotations

from swarmscope.lang.series_notation.values import ScriptHistogram
from swarmscope.model.metrics import ResetHint
from swarmscope.query.histograms.rows import HistogramRows


def to_script_histogram(rows: HistogramRows, row: int) -> ScriptHistogram:
    """One row as a script value."""
    positive = slice(rows.pos_offsets[row], rows.pos_offsets[row + 1])
    negative = slice(rows.neg_offsets[row], rows.neg_offsets[row + 1])
    custom = slice(rows.custom_offsets[row], rows.custom_offsets[row + 1])
    return ScriptHistogram(
        int(rows.schema[row]), float(rows.count[row]), float(rows.sum[row]),
        float(rows.zero_threshold[row]), float(rows.zero_count[row]),
        tuple(zip(rows.pos_index[positive].tolist(), rows.pos_count[positive].tolist(), strict=True)),
        tuple(zip(rows.neg_index[negative].tolist(), rows.neg_count[negative].tolist(), strict=True)),
        tuple(rows.custom_bounds[custom].tolist()), ResetHint(int(rows.reset_hint[row])),
    )  # fmt: skip
