"""Range functions: from windows over samples to one value a step."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from swarmscope.lang.promql.nodes import Call, MatrixSelector, Node, without_parens
from swarmscope.model.errors import QueryFailedError
from swarmscope.model.labels import METRIC_NAME
from swarmscope.query.promql import annotations as notes
from swarmscope.query.promql.context import Evaluation
from swarmscope.query.promql.frames import Frame, RangeColumns, Steps
from swarmscope.query.promql.histogram_ranges import with_histogram_windows
from swarmscope.query.promql.label_columns import column, texts_of
from swarmscope.query.promql.lookups import lookup_of
from swarmscope.query.promql.rate_kernel import RateKind, rate_windows
from swarmscope.query.promql.rollup_kernels import Ends
from swarmscope.query.promql.rollup_windows import range_function_of_buckets
from swarmscope.query.promql.same_labels import drop_metric_name
from swarmscope.query.promql.selectors import lookup_times, without_empty_series
from swarmscope.query.promql.sliding import Output, Windows
from swarmscope.query.promql.threads import run_slices
from swarmscope.query.promql.window_kernels import WindowOp, reduce_windows

RATES = {"delta": RateKind.DELTA, "increase": RateKind.INCREASE, "rate": RateKind.RATE}
REDUCTIONS = {
    "avg_over_time": WindowOp.MEAN,
    "changes": WindowOp.CHANGES,
    "count_over_time": WindowOp.COUNT,
    "deriv": WindowOp.DERIV,
    "double_exponential_smoothing": WindowOp.SMOOTH,
    "first_over_time": WindowOp.FIRST,
    "idelta": WindowOp.IDELTA,
    "irate": WindowOp.IRATE,
    "last_over_time": WindowOp.LAST,
    "mad_over_time": WindowOp.MAD,
    "max_over_time": WindowOp.MAX,
    "min_over_time": WindowOp.MIN,
    "predict_linear": WindowOp.PREDICT,
    "present_over_time": WindowOp.PRESENT,
    "quantile_over_time": WindowOp.QUANTILE,
    "resets": WindowOp.RESETS,
    "stddev_over_time": WindowOp.STDDEV,
    "stdvar_over_time": WindowOp.STDVAR,
    "sum_over_time": WindowOp.SUM,
    "ts_of_first_over_time": WindowOp.TS_FIRST,
    "ts_of_last_over_time": WindowOp.TS_LAST,
    "ts_of_max_over_time": WindowOp.TS_MAX,
    "ts_of_min_over_time": WindowOp.TS_MIN,
}
# Functions that look at every sample once or at a window's ends alone, however many windows a sample lies in.
_LOOKS_ONCE = frozenset(
    {
        "count_over_time", "first_over_time", "idelta", "irate", "last_over_time", "max_over_time", "min_over_time",
        "present_over_time", "ts_of_first_over_time", "ts_of_last_over_time", "ts_of_max_over_time",
        "ts_of_min_over_time",
    }
)  # fmt: skip
# What a sample in a window costs, where adding it up costs 1: sorting, two passes, a regression.
_WEIGHTS = {
    "deriv": 4, "double_exponential_smoothing": 4, "mad_over_time": 40, "predict_linear": 4, "quantile_over_time": 20,
    "stddev_over_time": 4, "stdvar_over_time": 4,
}  # fmt: skip
_KEEPS_NAME = frozenset({"first_over_time", "last_over_time"})
_COUNTER_SUFFIXES = ("_total", "_sum", "_count", "_bucket")


def run_range_call(
    call: Call, samples: RangeColumns, scalars: Sequence[NDArray[np.float64]], evaluation: Evaluation
) -> Frame:
    """A range function over windows; `scalars` are its other arguments, [n_steps] each."""
    _check_parameters(call, samples, scalars, evaluation)
    frame = float_windows(call.function, samples, scalars, evaluation)
    if samples.histograms is not None:
        frame = with_histogram_windows(call, samples, frame, evaluation)
    return _finished(call, frame, evaluation)


def run_rolled_call(call: Call, selector: MatrixSelector, steps: Steps, evaluation: Evaluation) -> Frame | None:
    """A range function answered from down-sampled buckets, None where samples are to be read."""
    found = _rolled_windows(call.function, selector, steps, evaluation)
    return None if found is None else _finished(call, found, evaluation)


def _rolled_windows(function: str, selector: MatrixSelector, steps: Steps, evaluation: Evaluation) -> Frame | None:
    lookup = lookup_of(selector, function, steps, evaluation)
    rolled = evaluation.fetches.rolled(lookup)
    if rolled is None:
        return None
    out = evaluation.matrix(rolled.labels.n_series, steps.count)
    windows = Ends(
        lookup_times(selector.vector, steps, evaluation), selector.range_ms, _divisor(function, selector.range_ms)
    )
    operation = RATES[function] if function in RATES else REDUCTIONS.get(function, WindowOp.COUNT)
    if not range_function_of_buckets(operation, rolled.filled(), windows, out, evaluation):
        evaluation.fetches.refuse_rollup(lookup)
        return None
    return Frame(rolled.labels, *out)


def _divisor(function: str, range_ms: int) -> float:
    """What a growth over a window is divided by: a rate is one per second."""
    return range_ms // 1000 + range_ms % 1000 * 1e6 / 1e9 if function == "rate" else 1.0


def _finished(call: Call, frame: Frame, evaluation: Evaluation) -> Frame:
    if call.function in ("rate", "increase"):
        _note_non_counters(call, frame, evaluation)
    frame = without_empty_series(frame)
    return frame if call.function in _KEEPS_NAME else drop_metric_name(frame)


def float_windows(
    function: str, samples: RangeColumns, scalars: Sequence[NDArray[np.float64]], evaluation: Evaluation
) -> Frame:
    """A range function over the float samples alone; series without a result stay, absent."""
    n_series, n_steps = samples.labels.n_series, len(samples.ends_ms)
    values, present = evaluation.matrix(n_series, n_steps)
    none = np.zeros(n_steps)
    p0 = np.ascontiguousarray(scalars[0]) if scalars else none
    p1 = np.ascontiguousarray(scalars[1]) if len(scalars) > 1 else none
    if function == "predict_linear":
        p1 = samples.evaluated_ms.astype(np.float64)  # the line is extended from the evaluation, offset or not
    if function in RATES:
        p0 = np.full(max(1, n_steps), _divisor(function, samples.range_ms))
    windows = Windows(samples.offsets, samples.ts_ms, samples.value, samples.ends_ms, samples.range_ms, p0, p1)

    def work(rows: slice, steps: slice) -> None:
        _run_kernel(function, _cut(windows, rows, steps), Output(values[rows, steps], present[rows, steps]))

    run_slices((n_series, n_steps), _cost(function, samples), work, evaluation.cancellation.check)
    return Frame(samples.labels, values, present)


def _cut(windows: Windows, rows: slice, steps: slice) -> Windows:
    """The windows of some series at some steps; `rows` may be many only where `steps` are all."""
    own = windows._replace(offsets=windows.offsets[rows.start : rows.stop + 1])
    if steps.stop - steps.start == len(windows.ends):
        return own
    return own._replace(ends=windows.ends[steps], p0=windows.p0[steps], p1=windows.p1[steps])


def _run_kernel(function: str, windows: Windows, out: Output) -> None:
    n_series = len(windows.offsets) - 1
    if function in RATES:
        rate_windows(int(RATES[function]), windows, out, 0, n_series)
    else:
        reduce_windows(int(REDUCTIONS[function]), windows, out, 0, n_series)


def _cost(function: str, samples: RangeColumns) -> int:
    """How many cells' worth of work a range function is."""
    n_steps = len(samples.ends_ms)
    cells = samples.labels.n_series * n_steps + len(samples.ts_ms)
    if function in RATES or function in _LOOKS_ONCE or not n_steps:
        return cells
    # What is summed at every step is read once per window that it lies in.
    spacing_ms = max(1, int(samples.ends_ms[-1] - samples.ends_ms[0]) // max(1, n_steps - 1))
    read = len(samples.ts_ms) * min(n_steps, 1 + samples.range_ms // spacing_ms)
    return cells + read * _WEIGHTS.get(function, 1)


def _check_parameters(
    call: Call, samples: RangeColumns, scalars: Sequence[NDArray[np.float64]], evaluation: Evaluation
) -> None:
    if call.function == "quantile_over_time" and len(samples.ts_ms):
        note_quantiles(call.args[0], scalars[0], evaluation)
    if call.function == "double_exponential_smoothing" and len(samples.ts_ms):
        for name, values in (("smoothing", scalars[0]), ("trend", scalars[1])):
            bad = values[(values <= 0) | (values >= 1)]
            if len(bad):
                short = "sf" if name == "smoothing" else "tf"
                raise QueryFailedError(f"invalid {name} factor. Expected: 0 < {short} < 1, got: {bad[0]:f}")


def note_quantiles(argument: Node, quantiles: NDArray[np.float64], evaluation: Evaluation) -> None:
    """Warn of quantiles outside [0, 1]."""
    bad = quantiles[~((quantiles >= 0) & (quantiles <= 1))]
    for q in np.unique(bad):
        evaluation.annotations.add(notes.invalid_quantile(float(q)), without_parens(argument))


def _note_non_counters(call: Call, frame: Frame, evaluation: Evaluation) -> None:
    """Say so when rate or increase is asked of what is not named like a counter."""
    names, where = texts_of(column(frame.labels, METRIC_NAME), evaluation.symbols)
    for k, name in enumerate(names):
        if name and not name.endswith(_COUNTER_SUFFIXES) and frame.floats_present()[where == k].any():
            evaluation.annotations.add(notes.possible_non_counter(name), without_parens(call.args[0]))


def run_absent_over_time(samples: RangeColumns, evaluation: Evaluation) -> NDArray[np.bool_]:
    """At which steps no series has any sample in its window [n_steps]."""
    counts = float_windows("count_over_time", samples, (), evaluation)
    some = counts.shown_steps()
    if samples.histograms is not None:
        ts = np.sort(samples.histograms.ts_ms)
        within = np.searchsorted(ts, samples.ends_ms, "right")
        some = some | (within > np.searchsorted(ts, samples.ends_ms - samples.range_ms, "right"))
    return ~some


def run_rolled_absent(selector: MatrixSelector, steps: Steps, evaluation: Evaluation) -> NDArray[np.bool_] | None:
    """`run_absent_over_time` from down-sampled buckets, None where samples are to be read."""
    counts = _rolled_windows("absent_over_time", selector, steps, evaluation)
    return None if counts is None else ~counts.shown_steps()
