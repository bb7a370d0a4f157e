"""Functions of histograms: native ones, classic buckets, and vectors with both."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from swarmscope.lang.promql.nodes import Call, Node, StringLiteral, ValueType, without_parens
from swarmscope.lang.promql.printer import number_text
from swarmscope.lang.promql.value_types import value_type
from swarmscope.model.labels import METRIC_NAME
from swarmscope.model.series import ABSENT, LabelFrame
from swarmscope.query.histograms.classic import ClassicBuckets, classic_fraction, classic_quantile, group_buckets
from swarmscope.query.histograms.moments import (
    histogram_avg,
    histogram_count,
    histogram_stddev,
    histogram_stdvar,
    histogram_sum,
)
from swarmscope.query.histograms.quantiles import Estimates, histogram_fraction, histogram_quantile
from swarmscope.query.histograms.rows import HistogramRows
from swarmscope.query.promql import annotations as notes
from swarmscope.query.promql.context import Evaluation
from swarmscope.query.promql.elementwise import finish_floats
from swarmscope.query.promql.frames import Frame
from swarmscope.query.promql.histogram_notes import add_notes
from swarmscope.query.promql.label_columns import column, group_by_labels, take_series, texts_of, with_column
from swarmscope.query.promql.range_calls import note_quantiles
from swarmscope.query.promql.same_labels import drop_metric_name
from swarmscope.query.promql.selectors import without_empty_series
from swarmscope.query.promql.stacking import stack_frames

_Floats = NDArray[np.float64]
_BUCKET_LABEL = "le"
_NUMBER = re.compile(r"[+-]?(?:(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?|[iI]nf(?:inity)?|INF|[nN]a[nN]|NAN)\Z")

_MOMENTS: dict[str, Callable[[HistogramRows, NDArray[np.int64]], _Floats]] = {
    "histogram_avg": histogram_avg,
    "histogram_count": histogram_count,
    "histogram_stddev": histogram_stddev,
    "histogram_stdvar": histogram_stdvar,
    "histogram_sum": histogram_sum,
}
HISTOGRAM_CALLS = frozenset({*_MOMENTS, "histogram_fraction", "histogram_quantile", "histogram_quantiles"})


class _Vector(NamedTuple):
    """A vector taken apart: native histograms by series, classic buckets by group."""

    native: Frame  # its own series, present where a usable histogram is
    classic_labels: LabelFrame  # [n_groups] without `le`
    buckets: ClassicBuckets | None


def run_histogram_call(call: Call, frame: Frame, scalars: Sequence[_Floats], evaluation: Evaluation) -> Frame:
    """Any function of `HISTOGRAM_CALLS`; `scalars` [n_steps] are its scalar arguments in order."""
    name = call.function
    if name in _MOMENTS:
        if frame.histograms is None:
            return finish_floats(frame, frame.values, np.zeros_like(frame.present))
        values = _MOMENTS[name](frame.histograms.rows, frame.histograms.cells)
        return finish_floats(frame, values, frame.histograms_present())
    argument = next(without_parens(arg) for arg in call.args if value_type(arg) is ValueType.VECTOR)
    if name == "histogram_fraction":
        return _fractions(call, _take_apart(frame, argument, evaluation), (scalars[0], scalars[1]), evaluation)
    quantile_args = [arg for arg in call.args if value_type(arg) is ValueType.SCALAR]
    for arg, phi in zip(quantile_args, scalars, strict=True):
        note_quantiles(arg, phi, evaluation)
    vector = _take_apart(frame, argument, evaluation)
    if name == "histogram_quantile":
        return without_empty_series(drop_metric_name(_quantiles(call, vector, scalars[0], evaluation)))
    return _labelled_quantiles(call, vector, scalars, evaluation)


def _labelled_quantiles(call: Call, vector: _Vector, scalars: Sequence[_Floats], evaluation: Evaluation) -> Frame:
    """histogram_quantiles: one set of series per φ, told apart by a label."""
    label = without_parens(call.args[1])
    result: Frame | None = None
    for phi in scalars:
        part = drop_metric_name(_quantiles(call, vector, phi, evaluation))
        text = number_text(float(phi[0]))
        text = text if "." in text or not text.lstrip("-").isdigit() else f"{text}.0"
        name = label.value if isinstance(label, StringLiteral) else "quantile"
        codes = np.full(part.n_series, evaluation.symbols.code(text), np.int32)
        part = Frame(with_column(part.labels, name, codes), part.values, part.present)
        result = part if result is None else stack_frames(result, part)
    return without_empty_series(result) if result is not None else vector.native


def _take_apart(frame: Frame, argument: Node, evaluation: Evaluation) -> _Vector:
    """Sort a vector's cells into native histograms and classic buckets; what is both at a step is neither."""
    floats = frame.floats_present()
    has_floats = np.asarray(np.any(floats, axis=1), np.bool_)
    bounds, valid = _bucket_bounds(frame, has_floats, argument, evaluation)
    rows = np.flatnonzero(valid & has_floats)
    bare = np.where(valid & has_floats, np.int32(ABSENT), column(frame.labels, _BUCKET_LABEL)).astype(np.int32)
    keys = with_column(frame.labels, _BUCKET_LABEL, bare)
    group, first = group_by_labels(keys)
    shown = frame.histograms_present()
    present = floats
    if frame.histograms is not None and len(rows):
        clash = _clashes(group, len(first), present, rows, shown)
        if clash.any():
            for code in np.unique(column(frame.labels, METRIC_NAME)[(clash[group] & shown).any(axis=1)]):
                text = notes.mixed_classic_native(evaluation.symbols.text(int(code)))
                evaluation.annotations.add(text, argument)
            shown = shown & ~clash[group]
            present = floats & ~clash[group]
    native = Frame(frame.labels, frame.values, shown, frame.histograms)
    used, renumbered = np.unique(group[rows], return_inverse=True)
    labels = take_series(keys, first[used])
    if not len(rows):
        return _Vector(native, labels, None)
    buckets = group_buckets(renumbered.reshape(-1), len(used), bounds[rows], frame.values[rows], present[rows])
    return _Vector(native, labels, buckets)


def _clashes(
    group: NDArray[np.int64],
    n_groups: int,
    present: NDArray[np.bool_],
    rows: NDArray[np.int64],
    shown: NDArray[np.bool_],
) -> NDArray[np.bool_]:
    """Where a group has classic buckets and a native histogram [n_groups, n_steps]."""
    classic = np.zeros((n_groups, present.shape[1]), np.bool_)
    native = np.zeros_like(classic)
    np.logical_or.at(classic, group[rows], present[rows])
    np.logical_or.at(native, group, shown)
    return classic & native


def _bucket_bounds(
    frame: Frame, has_floats: NDArray[np.bool_], argument: Node, evaluation: Evaluation
) -> tuple[_Floats, NDArray[np.bool_]]:
    """(upper bound, whether `le` is a number) of each series; warns where it is none."""
    texts, where = texts_of(column(frame.labels, _BUCKET_LABEL), evaluation.symbols)
    numbers = np.array([float(text) if _NUMBER.match(text) else np.nan for text in texts])
    fine = np.array([bool(_NUMBER.match(text)) for text in texts], np.bool_)
    if not len(texts):
        return np.zeros(0), np.zeros(0, np.bool_)
    bad = ~fine[where] & has_floats
    names = column(frame.labels, METRIC_NAME)
    for code, text in {(int(names[row]), texts[where[row]]) for row in np.flatnonzero(bad)}:
        evaluation.annotations.add(notes.bad_bucket_label(evaluation.symbols.text(code), text), argument)
    return numbers[where], fine[where]


def _quantiles(call: Call, vector: _Vector, phi: _Floats, evaluation: Evaluation) -> Frame:
    """Quantiles with all labels but `le`; the metric's name still there."""
    native = vector.native
    result = Frame(native.labels, native.values, native.present & False)
    if native.histograms is not None:
        cells = np.ascontiguousarray(np.where(native.present, native.histograms.cells, -1))
        result = _native(histogram_quantile(native.histograms.rows, cells, phi), native, call, evaluation)
    if vector.buckets is None:
        return without_empty_series(result)
    made = classic_quantile(phi, vector.buckets)
    if made.forced.any():
        argument = next(without_parens(arg) for arg in call.args if value_type(arg) is ValueType.VECTOR)
        evaluation.annotations.add(notes.forced_monotonicity(""), argument)
    return stack_frames(without_empty_series(result), Frame(vector.classic_labels, made.values, made.valid))


def _native(made: Estimates, native: Frame, call: Call, evaluation: Evaluation) -> Frame:
    bits = int(np.bitwise_or.reduce(np.where(native.present, made.notes, 0), axis=None)) if made.notes.size else 0
    add_notes(bits, "", without_parens(call.args[0]), evaluation)
    return Frame(native.labels, made.values, native.present)


def _fractions(call: Call, vector: _Vector, limits: tuple[_Floats, _Floats], evaluation: Evaluation) -> Frame:
    native = vector.native
    result = Frame(native.labels, native.values, native.present & False)
    if native.histograms is not None:
        cells = np.ascontiguousarray(np.where(native.present, native.histograms.cells, -1))
        result = _native(histogram_fraction(native.histograms.rows, cells, *limits), native, call, evaluation)
    result = without_empty_series(result)
    if vector.buckets is not None:
        made = classic_fraction(*limits, vector.buckets)
        result = stack_frames(result, Frame(vector.classic_labels, made.values, made.valid))
    return without_empty_series(drop_metric_name(result))
