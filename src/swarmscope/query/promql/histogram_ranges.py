"""Range functions where series hold native histograms: the float answers, completed or withdrawn."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from swarmscope.lang.promql.nodes import Call, Node, ValueType, without_parens
from swarmscope.lang.promql.value_types import value_type
from swarmscope.model.labels import METRIC_NAME
from swarmscope.query.histograms.range_functions import HISTOGRAM_RANGE_FUNCTIONS, RangeInput, evaluate_range
from swarmscope.query.histograms.transitions import count_changes, count_resets
from swarmscope.query.histograms.windows import Windows, window_bounds
from swarmscope.query.promql import annotations as notes
from swarmscope.query.promql.context import Evaluation
from swarmscope.query.promql.frames import Frame, HistogramSeries, RangeColumns
from swarmscope.query.promql.histogram_notes import add_series_notes
from swarmscope.query.promql.label_columns import column


def with_histogram_windows(call: Call, samples: RangeColumns, floats: Frame, evaluation: Evaluation) -> Frame:
    """What the function answers when histograms count too; `floats` is its answer from floats alone."""
    histograms = samples.histograms
    if histograms is None:
        return floats
    given = RangeInput(
        histograms.rows, histograms.offsets, histograms.ts_ms,
        samples.offsets, samples.ts_ms, samples.ends_ms, samples.range_ms,
    )  # fmt: skip
    argument = next(without_parens(arg) for arg in call.args if value_type(arg) is ValueType.MATRIX)
    name = call.function
    if name in HISTOGRAM_RANGE_FUNCTIONS:
        answer = evaluate_range(name, given)
        add_series_notes(answer.notes, samples.labels, argument, evaluation)
        present = (floats.present & ~answer.drops_float) | (answer.matrix.cells >= 0)
        return Frame(samples.labels, floats.values, present, answer.matrix)
    if name in ("changes", "resets"):
        counted = (count_changes if name == "changes" else count_resets)(given, samples.value)
        return Frame(samples.labels, np.nan_to_num(counted), ~np.isnan(counted))
    windows = window_bounds(histograms.offsets, histograms.ts_ms, samples.ends_ms, samples.range_ms)
    return _beside(name, floats, (histograms, windows), samples, (argument, evaluation))


def _beside(
    name: str,
    floats: Frame,
    given: tuple[HistogramSeries, Windows],
    samples: RangeColumns,
    noting: tuple[Node, Evaluation],
) -> Frame:
    histograms, windows = given
    counts = windows.past - windows.first
    some = counts > 0
    if name == "count_over_time":
        return Frame(samples.labels, floats.values + counts, floats.present | some)
    if name == "present_over_time":
        return Frame(samples.labels, np.ones_like(floats.values), floats.present | some)
    if name in ("ts_of_first_over_time", "ts_of_last_over_time"):
        at = windows.first if name == "ts_of_first_over_time" else windows.past - 1
        own = histograms.ts_ms[np.clip(at, 0, max(0, len(histograms.ts_ms) - 1))] / 1000.0
        choose = np.minimum if name == "ts_of_first_over_time" else np.maximum
        both = choose(own, floats.values)
        values = np.where(some & floats.present, both, np.where(some, own, floats.values))
        return Frame(samples.labels, values, floats.present | some)
    _note_ignored(some, samples, *noting)
    return floats


def _note_ignored(some: NDArray[np.bool_], samples: RangeColumns, argument: Node, evaluation: Evaluation) -> None:
    """Say where a function of floats passed over histograms in the same window."""
    windows = window_bounds(samples.offsets, samples.ts_ms, samples.ends_ms, samples.range_ms)
    mixed = (some & (windows.past > windows.first)).any(axis=1)
    for code in np.unique(column(samples.labels, METRIC_NAME)[mixed]):
        text = notes.histogram_ignored_in_range(evaluation.symbols.text(int(code)))
        evaluation.annotations.add(text, argument)
