"""Selectors: the newest sample at each step, and the samples that windows are cut from."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from swarmscope.lang.promql.nodes import MatrixSelector, VectorSelector
from swarmscope.model.staleness import is_stale
from swarmscope.query.histograms.rows import NO_HISTOGRAM, HistogramMatrix
from swarmscope.query.histograms.windows import latest_rows
from swarmscope.query.promql.context import Evaluation
from swarmscope.query.promql.fetch import Fetched
from swarmscope.query.promql.frames import Frame, RangeColumns, Steps
from swarmscope.query.promql.label_columns import take_series
from swarmscope.query.promql.lookup_kernels import gather_latest, latest_samples
from swarmscope.query.promql.lookups import INSTANT, lookup_of, resolve_at
from swarmscope.query.promql.rollup_windows import newest_in_buckets
from swarmscope.query.promql.threads import run_rows

_NO_TIME = np.iinfo(np.int64).min


def lookup_times(selector: VectorSelector, steps: Steps, evaluation: Evaluation) -> NDArray[np.int64]:
    """When a selector looks at its samples, for each step [n_steps]."""
    at = resolve_at(selector.at, evaluation.bounds)
    if at is None:
        return steps.times_ms() - selector.offset_ms
    return np.full(steps.count, at - selector.offset_ms, np.int64)


def run_vector_selector(selector: VectorSelector, steps: Steps, evaluation: Evaluation) -> Frame:
    """The newest sample in (t - lookback, t] of each series at each step; a staleness marker hides it."""
    times = lookup_times(selector, steps, evaluation)
    rolled = evaluation.fetches.rolled(lookup_of(selector, INSTANT, steps, evaluation))
    if rolled is not None:
        out = evaluation.matrix(rolled.labels.n_series, steps.count)
        newest_in_buckets(rolled.columns, times, evaluation.lookback_ms, out)
        return without_empty_series(Frame(rolled.labels, *out))
    fetched = evaluation.fetches.get(selector.matchers)
    values, present = evaluation.matrix(fetched.labels.n_series, steps.count)
    bits = values.view(np.uint64)
    samples = fetched.samples
    sample_bits = samples.value.view(np.uint64)

    def work(first: int, past: int) -> None:
        out = (bits, present, first, past)
        gather_latest(samples.offsets, samples.ts_ms, sample_bits, times, evaluation.lookback_ms, out)

    run_rows(len(values), values.size, work, evaluation.cancellation.check)
    frame = Frame(fetched.labels, values, present)
    if fetched.histograms is not None:
        frame = _with_histograms(frame, fetched, times, evaluation.lookback_ms)
    return without_empty_series(frame)


def _with_histograms(frame: Frame, fetched: Fetched, times: NDArray[np.int64], lookback_ms: int) -> Frame:
    """Let the newer of float and histogram win in every cell. # Slow path: few series hold both"""
    columns = fetched.histograms
    assert columns is not None  # noqa: S101 - the caller asked
    offsets = np.searchsorted(columns.series, np.arange(frame.n_series + 1)).astype(np.int64)
    cells = latest_rows(offsets, columns.ts_ms, times, lookback_ms)
    newest = np.empty(frame.values.shape, np.int64)
    samples = fetched.samples
    latest_samples(samples.offsets, samples.ts_ms, times, lookback_ms, newest, np.array([0, frame.n_series], np.int64))
    float_ts = np.where(newest >= 0, samples.ts_ms[newest] if len(samples.ts_ms) else 0, _NO_TIME)
    histogram_ts = np.where(cells >= 0, columns.ts_ms[cells], _NO_TIME)
    histogram_wins = histogram_ts > float_ts
    stale = np.zeros(cells.shape, np.bool_)
    stale[cells >= 0] = is_stale(np.ascontiguousarray(columns.sum[cells[cells >= 0]]))
    shown = np.where(histogram_wins & ~stale, cells, NO_HISTOGRAM)
    present = np.where(histogram_wins, ~stale, frame.present)
    if not (shown >= 0).any():
        return Frame(frame.labels, frame.values, present)
    return Frame(frame.labels, frame.values, present, HistogramMatrix(shown, fetched.histogram_rows()))


def sample_times(selector: VectorSelector, steps: Steps, evaluation: Evaluation) -> Frame:
    """`timestamp(selector)`: when the newest sample was taken, in seconds; a step without a sample is absent."""
    shown = run_vector_selector_with_all_series(selector, steps, evaluation)
    fetched = evaluation.fetches.get(selector.matchers)
    times = lookup_times(selector, steps, evaluation)
    newest = np.empty(shown.values.shape, np.int64)
    rows = np.array([0, shown.n_series], np.int64)
    samples = fetched.samples
    latest_samples(samples.offsets, samples.ts_ms, times, evaluation.lookback_ms, newest, rows)
    when = np.where(newest >= 0, samples.ts_ms[newest] if len(samples.ts_ms) else 0, _NO_TIME)
    if shown.histograms is not None and fetched.histograms is not None:
        cells = shown.histograms.cells
        when = np.where(cells >= 0, fetched.histograms.ts_ms[cells], when)
    return without_empty_series(Frame(shown.labels, when / 1000.0, shown.present))


def run_vector_selector_with_all_series(selector: VectorSelector, steps: Steps, evaluation: Evaluation) -> Frame:
    """As `run_vector_selector`, series without any sample included, so that rows match the fetch."""
    fetched = evaluation.fetches.get(selector.matchers)
    times = lookup_times(selector, steps, evaluation)
    values, present = evaluation.matrix(fetched.labels.n_series, steps.count)
    out = (values.view(np.uint64), present, 0, len(values))
    samples = fetched.samples
    gather_latest(samples.offsets, samples.ts_ms, samples.value.view(np.uint64), times, evaluation.lookback_ms, out)
    frame = Frame(fetched.labels, values, present)
    if fetched.histograms is None:
        return frame
    return _with_histograms(frame, fetched, times, evaluation.lookback_ms)


def range_of_selector(selector: MatrixSelector, steps: Steps, evaluation: Evaluation) -> RangeColumns:
    """The samples of a matrix selector and where its windows end."""
    fetched = evaluation.fetches.get(selector.vector.matchers)
    samples = fetched.without_stale()
    ends = lookup_times(selector.vector, steps, evaluation)
    histograms = fetched.histogram_series()
    return RangeColumns(
        fetched.labels,
        samples.offsets,
        samples.ts_ms,
        samples.value,
        ends,
        selector.range_ms,
        steps.times_ms(),
        histograms,
    )


def without_empty_series(frame: Frame) -> Frame:
    """The frame without series that are absent at every step."""
    some = frame.present[:, 0] if frame.n_steps == 1 else frame.shown_series()
    if some.all():
        return frame
    return take_rows_of(frame, some)


def take_rows_of(frame: Frame, rows: NDArray[np.bool_] | NDArray[np.int64]) -> Frame:
    """Some series of a frame, in the order given; the frame itself where that is all of them as they stand."""
    if len(rows) == frame.n_series:
        unchanged = rows if rows.dtype == np.bool_ else rows == np.arange(frame.n_series)
        if unchanged.all():
            return frame
    histograms = frame.histograms
    if histograms is not None:
        histograms = HistogramMatrix(np.ascontiguousarray(histograms.cells[rows]), histograms.rows)
    return Frame(
        take_series(frame.labels, rows),
        np.ascontiguousarray(frame.values[rows]),
        np.ascontiguousarray(frame.present[rows]),
        histograms,
    )
