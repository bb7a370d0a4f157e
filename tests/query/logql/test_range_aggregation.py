"""Windows against a plain evaluation in Python, and what a metric query may cost."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from swarmscope.lang.logql import parse_metric_query
from swarmscope.lang.logql.nodes import RangeAggregation
from swarmscope.model.errors import LimitExceededError, QueryCancelledError, QueryFailedError
from swarmscope.model.logs import LineRequest, LogRows
from swarmscope.query.logql.engine import LogqlEngine
from swarmscope.query.logql.metric_queries import MetricAnswer, MetricRequest
from swarmscope.query.logql.range_counts import split_at_grains
from swarmscope.query.logql.range_totals import Samples, totals_for
from swarmscope.query.logql.range_windows import WindowGrid
from swarmscope.query.logql.settings import LogqlSettings
from swarmscope.query.promql.annotations import Annotations
from swarmscope.query.promql.context import Evaluation
from swarmscope.query.promql.frames import Steps
from swarmscope.query.promql.label_columns import labels_of
from swarmscope.query.promql.memory_reader import ListSymbols
from swarmscope.query.promql.symbols import QuerySymbols
from swarmscope.testing.memory_log_reader import MemoryLine, MemoryLogReader
from tests.portion import portion

_S = 1_000_000_000


class _Patience:
    """A cancellation that lets `checks` checks pass."""

    remaining_s = math.inf

    def __init__(self, checks: int = 1 << 30) -> None:
        self._left = checks

    def check(self) -> None:
        self._left -= 1
        if self._left < 0:
            raise QueryCancelledError("cancelled")


def _evaluation(n_steps: int, max_bytes: int = 1 << 30) -> Evaluation:
    return Evaluation(
        Steps(0, 1, n_steps),
        (0, 0),
        0,
        0,
        QuerySymbols(ListSymbols()),
        Annotations(""),
        _Patience(),
        1 << 20,
        max_bytes,
    )


def _quantile(values: list[float], q: float) -> float:
    ordered, rank = sorted(values), q * (len(values) - 1)
    low = math.floor(rank)
    high = min(low + 1, len(values) - 1)
    return ordered[low] * (1 - (rank - low)) + ordered[high] * (rank - low)


def _counter_rate(pairs: list[tuple[int, float]], range_s: float) -> float:
    grown = sum(b if b < a else b - a for (_, a), (_, b) in zip(pairs, pairs[1:], strict=False))
    return grown / range_s


_NAIVE: dict[str, Callable[[list[float]], float]] = {
    "sum_over_time": math.fsum,
    "avg_over_time": lambda values: math.fsum(values) / len(values),
    "min_over_time": min,
    "max_over_time": max,
    "first_over_time": lambda values: values[0],
    "last_over_time": lambda values: values[-1],
    "stdvar_over_time": statistics.pvariance,
    "stddev_over_time": statistics.pstdev,
    "quantile_over_time": lambda values: _quantile(values, 0.3),
}
_LINES = st.lists(
    st.tuples(st.integers(0, 2), st.integers(0, 400), st.integers(-50, 50).map(lambda x: x / 4)), max_size=60,
    unique_by=lambda line: line[:2],
)  # fmt: skip
_GRIDS = st.tuples(st.integers(0, 200), st.integers(1, 90), st.integers(1, 7), st.integers(1, 150))


def _node(op: str) -> RangeAggregation:
    head = "0.3, " if op == "quantile_over_time" else ""
    unwrap = "" if op == "count_over_time" else "| unwrap v"
    node = parse_metric_query(f'{op}({head}{{a="b"}} {unwrap} [1s])')
    assert isinstance(node, RangeAggregation)
    return node


def _windows(op: str, grid: WindowGrid, lines: list[tuple[int, int, float]], batch: int) -> list[list[float | None]]:
    """Values of windows for series 0 to 2, None where a window is empty; lines are added `batch` at a time."""
    evaluation = _evaluation(len(grid.ends_ns))
    totals = totals_for(_node(op), grid, evaluation)
    for begin in range(0, len(lines), batch):
        part = lines[begin : begin + batch]
        columns = (np.array([line[k] for line in part], np.int64) for k in (0, 1))
        value = np.array([line[2] for line in part], np.float64)
        totals.add(Samples(*columns, value if op != "count_over_time" else np.zeros(0)), 3)
    values, present = totals.windows(3, evaluation)
    return [
        [float(v) if here else None for v, here in zip(*row, strict=True)] for row in zip(values, present, strict=True)
    ]


@pytest.mark.parametrize("op", [*_NAIVE, "count_over_time"])
@settings(deadline=None, max_examples=portion(60, 20))
@given(lines=_LINES, shape=_GRIDS, batch=st.integers(1, 20))
def test_windows_are_what_a_plain_evaluation_gives(
    op: str, lines: list[tuple[int, int, float]], shape: tuple[int, int, int, int], batch: int
) -> None:
    start, step, count, width = shape
    ends = [start + step * k for k in range(count)]
    grid = WindowGrid.of(np.array(ends, np.int64), width)
    # The reader gives lines of a grid's intervals alone; lines outside of windows must do no harm all the same.
    found = _windows(op, grid, lines, batch)
    for series in range(3):
        own = sorted((ts, value) for number, ts, value in lines if number == series)
        for end, value in zip(ends, found[series], strict=True):
            inside = [v for ts, v in own if end - width < ts <= end]
            if not inside:
                assert value is None
            elif op == "count_over_time":
                assert value == len(inside)
            else:
                assert value == pytest.approx(_NAIVE[op](inside), rel=1e-9, abs=1e-9)


@settings(deadline=None, max_examples=portion(60, 20))
@given(lines=_LINES, shape=_GRIDS)
def test_counters_grow_and_start_again(lines: list[tuple[int, int, float]], shape: tuple[int, int, int, int]) -> None:
    start, step, count, width = shape
    scale = 1_000_000_000  # whole seconds, so that the stretch is below one part in a thousand
    ends = [(start + step * k) * scale for k in range(count)]
    grid = WindowGrid.of(np.array(ends, np.int64), width * scale)
    scaled = [(number, ts * scale, abs(value)) for number, ts, value in lines]
    evaluation = _evaluation(count)
    node = parse_metric_query(f'rate_counter({{a="b"}} | unwrap v [{width}s])')
    assert isinstance(node, RangeAggregation)
    totals = totals_for(node, grid, evaluation)
    columns = [np.array([line[k] for line in scaled]) for k in range(3)]
    totals.add(Samples(columns[0].astype(np.int64), columns[1].astype(np.int64), columns[2].astype(np.float64)), 3)
    values, present = totals.windows(3, evaluation)
    for series in range(3):
        own = sorted((ts, value) for number, ts, value in scaled if number == series)
        for k, end in enumerate(ends):
            inside = [(ts, v) for ts, v in own if end - width * scale < ts <= end]
            assert bool(present[series, k]) == bool(inside)
            if inside:
                assert values[series, k] == pytest.approx(_counter_rate(inside, float(width)), rel=1e-3, abs=1e-12)


@given(_GRIDS)
def test_intervals_are_what_the_windows_cover(shape: tuple[int, int, int, int]) -> None:
    start, step, count, width = shape
    ends = [start + step * k for k in range(count)]
    intervals = WindowGrid.of(np.array(ends, np.int64), width).intervals()
    covered = {ts for begin, end in intervals for ts in range(begin, end)}
    assert covered == {ts for end in ends for ts in range(end - width + 1, end + 1)}
    assert all(end < begin for (_, end), (begin, _) in zip(intervals, intervals[1:], strict=False))


@given(_GRIDS, st.integers(1, 30))
def test_grains_are_counted_where_no_window_cuts_them(shape: tuple[int, int, int, int], grain: int) -> None:
    start, step, count, width = shape
    grid = WindowGrid.of(np.array([start + step * k for k in range(count)], np.int64), width)
    counted, left = split_at_grains(grid.intervals(), grid.edges, grain)
    assert all(begin % grain == 0 and end % grain == 0 for begin, end in counted)
    read = [ts for begin, end in left for ts in range(begin, end)]
    whole = [ts for begin, end in counted for ts in range(begin + 1, end + 1)]
    assert sorted(read + whole) == [ts for begin, end in grid.intervals() for ts in range(begin, end)]
    for edge in grid.edges.tolist():  # no grain that is counted lies on both sides of an edge
        assert not any(begin < edge < end and edge % grain for begin, end in counted)


def _query(reader: MemoryLogReader, text: str, at_s: int, **limits: int) -> MetricAnswer:
    engine = LogqlEngine(reader, LogqlSettings(**limits))
    return engine.query_metrics(MetricRequest(text, at_s * _S, at_s * _S))


def _lines(count: int) -> MemoryLogReader:
    reader = MemoryLogReader(batch_lines=10)
    reader.add({"app": "x"}, [MemoryLine(0, (k + 1) * _S, f"line {k}", {"id": str(k)}) for k in range(count)])
    return reader


def test_series_are_bounded() -> None:
    reader = _lines(60)
    assert _query(reader, 'count_over_time({app="x"}[2m])', 60).result.labels.n_series == 60
    for text in ('count_over_time({app="x"}[2m])', 'sum by (id) (count_over_time({app="x"}[2m]))'):
        with pytest.raises(LimitExceededError, match=r"maximum of series \(50\) reached for a single query"):
            _query(reader, text, 60, max_series=50)
    # What is added up at once need not be few.
    assert _query(reader, 'count(count_over_time({app="x"}[2m]))', 60, max_series=50).result.values.tolist() == [[60.0]]


def test_lines_and_bytes_that_are_read_are_bounded() -> None:
    with pytest.raises(LimitExceededError, match="more than 15 lines"):
        _query(_lines(60), 'sum(count_over_time({app="x"} |= "line" [2m]))', 60, max_lines=15)
    with pytest.raises(LimitExceededError, match="more than 100 bytes"):
        _query(_lines(60), 'sum(count_over_time({app="x"} |= "line" [2m]))', 60, max_line_bytes=100)


def test_memory_is_bounded() -> None:
    with pytest.raises(LimitExceededError):
        _query(_lines(60), 'count(count_over_time({app="x"}[2m]))', 60, max_bytes=200)
    with pytest.raises(LimitExceededError):
        _query(_lines(60), 'quantile_over_time(0.5, {app="x"} | unwrap id [2m]) by (app)', 60, max_bytes=2_000)


def test_points_are_bounded() -> None:
    engine = LogqlEngine(_lines(1))
    with pytest.raises(LimitExceededError, match="11,000 points"):
        engine.query_metrics(MetricRequest('rate({app="x"}[1m])', 0, 11_001 * _S, _S))
    with pytest.raises(QueryFailedError, match="zero or negative"):
        engine.query_metrics(MetricRequest('rate({app="x"}[1m])', 0, _S, 0))
    with pytest.raises(QueryFailedError, match="end timestamp"):
        engine.query_metrics(MetricRequest('rate({app="x"}[1m])', _S, 0, _S))


def test_cancellation_ends_a_query_between_batches() -> None:
    reader = _lines(60)
    request = MetricRequest(
        'sum(count_over_time({app="x"} |= "line" [2m]))', 60 * _S, 60 * _S, cancellation=_Patience(3)
    )
    with pytest.raises(QueryCancelledError):
        LogqlEngine(reader).query_metrics(request)
    assert reader.lines_read < 60


class _Recorder(MemoryLogReader):
    """Notes what is scanned."""

    def __init__(self) -> None:
        super().__init__()
        self.requests: list[LineRequest] = []

    def scan_lines(self, selection, request, budget):  # type: ignore[no-untyped-def]
        self.requests.append(request)
        yield from super().scan_lines(selection, request, budget)


def _recorded() -> _Recorder:
    reader = _Recorder()
    reader.add({"app": "x"}, [MemoryLine(0, (k + 1) * _S, "line", {"id": str(k)}) for k in range(60)])
    return reader


@pytest.mark.parametrize(
    ("text", "at_s", "scanned"),
    [
        ('sum(count_over_time({app="x"}[1m]))', 60, []),
        ('sum by (app) (rate({app="x"}[1m]))', 60, []),
        ('sum by (detected_level) (bytes_over_time({app="x"}[20s]))', 60, []),
        ('sum(count_over_time({app="x"}[30s]))', 55, [(25, 30), (50, 55)]),
        ('sum by (id) (count_over_time({app="x"}[1m]))', 60, [(0, 60)]),
        ('count_over_time({app="x"}[1m])', 60, [(0, 60)]),
        ('sum(count_over_time({app="x"} |= "l" [1m]))', 60, [(0, 60)]),
    ],
)
def test_whole_grains_are_not_read(text: str, at_s: int, scanned: list[tuple[int, int]]) -> None:
    reader = _recorded()
    answer = _query(reader, text, at_s)
    assert answer.result.labels.n_series > 0
    assert [((each.start_ns - 1) // _S, (each.end_ns - 1) // _S) for each in reader.requests] == scanned


def test_only_what_is_needed_is_asked_for() -> None:
    reader = _recorded()
    _query(reader, 'sum by (app) (count_over_time({app=~".+"} | detected_level="unknown" [55s]))', 59)
    columns = reader.requests[0].columns
    assert (columns.line, columns.metadata, columns.level) == (False, False, True)


def test_batches_on_many_threads_give_one_answer() -> None:
    reader = MemoryLogReader(batch_lines=5_000)
    reader.add({"app": "x"}, [MemoryLine(0, _S + k, f"v={k % 100}", {"zone": str(k % 3)}) for k in range(20_000)])
    answer = _query(reader, 'sum by (zone) (sum_over_time({app="x"} | logfmt | unwrap v [1m]))', 2)
    expected = [float(sum(k % 100 for k in range(20_000) if k % 3 == zone)) for zone in range(3)]
    assert answer.result.values[:, 0].tolist() == expected
    assert answer.lines == 20_000


def test_an_error_on_another_thread_is_raised() -> None:
    reader = MemoryLogReader(batch_lines=5_000)
    reader.add({"app": "x"}, [MemoryLine(0, _S + k, "v=1" if k != 12_345 else "v=x") for k in range(20_000)])
    with pytest.raises(QueryFailedError, match="SampleExtractionErr"):
        _query(reader, 'sum(sum_over_time({app="x"} | logfmt | unwrap v [1m]))', 2)


def test_rows_without_lines_are_passed_over() -> None:
    class Empty(MemoryLogReader):
        def scan_lines(self, selection, request, budget):  # type: ignore[no-untyped-def]
            yield LogRows.empty()

    reader = Empty()
    reader.add_lines({"app": "x"}, [(_S, "x")])
    assert _query(reader, 'count_over_time({app="x"}[1m])', 1).result.labels.n_series == 0


def test_metadata_is_read_where_some_line_has_such_a_name() -> None:
    for name, wanted in (("id", True), ("status", False), ("trace_id", True)):
        reader = _recorded()
        _query(reader, f'sum by ({name}) (count_over_time({{app="x"}} |= "line" [1m]))', 60)
        assert reader.requests[0].columns.metadata == wanted


def test_labels_that_no_line_has_are_counted_by_the_store() -> None:
    reader = _recorded()
    answer = _query(reader, 'sum by (nothing, app) (count_over_time({app="x"}[1m]))', 60)
    assert labels_of(answer.result.labels, 0, answer.result.symbols) == {"app": "x"}
    assert (answer.result.values.tolist(), reader.requests) == ([[60.0]], [])
