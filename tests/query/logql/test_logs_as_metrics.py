"""The same numbers as metrics and as lines: PromQL's functions and LogQL's over unwrapped values agree."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from swarmscope.query.logql.engine import LogqlEngine
from swarmscope.query.logql.metric_queries import MetricRequest
from swarmscope.query.promql import PromqlEngine, QueryRequest, QueryResult
from swarmscope.query.promql.label_columns import labels_of
from swarmscope.query.promql.memory_reader import MemoryReader
from swarmscope.testing.memory_log_reader import MemoryLine, MemoryLogReader

_MS = 1_000_000
_START_MS, _END_MS, _STEP_MS = 60_000, 300_000, 30_000
_VALUES = st.one_of(
    st.integers(-1_000_000, 1_000_000).map(float),
    st.floats(-1e9, 1e9, allow_nan=False).map(lambda x: round(x, 3)),
)
_SERIES = st.lists(
    st.tuples(st.integers(1, 300_000), _VALUES), min_size=1, max_size=60, unique_by=lambda sample: sample[0]
)
_FUNCTIONS = ("sum", "avg", "min", "max", "stddev", "stdvar", "first", "last")


def _both(samples: list[list[tuple[int, float]]], batch_lines: int) -> tuple[MemoryReader, MemoryLogReader]:
    metrics, logs = MemoryReader(), MemoryLogReader(batch_lines=batch_lines)
    for number, series in enumerate(samples):
        metrics.add({"__name__": "m", "number": str(number)}, sorted(series))
        lines = [MemoryLine(0, ts_ms * _MS, f"value={value!r}") for ts_ms, value in series]
        logs.add({"app": "x", "number": str(number)}, lines)
    return metrics, logs


def _numbers(result: QueryResult, row: int) -> list[float | None]:
    cells = zip(result.values[row].tolist(), result.present[row].tolist(), strict=True)
    return [value if here else None for value, here in cells]


def _by_number(result: QueryResult) -> dict[str, list[float | None]]:
    rows = range(result.labels.n_series)
    return {labels_of(result.labels, row, result.symbols).get("number", ""): _numbers(result, row) for row in rows}


def _check(metrics: MemoryReader, logs: MemoryLogReader, promql: str, logql: str, rel: float) -> None:
    expected = PromqlEngine(metrics).query_range(QueryRequest(promql, _START_MS, _END_MS, _STEP_MS))
    request = MetricRequest(logql, _START_MS * _MS, _END_MS * _MS, _STEP_MS * _MS)
    found = LogqlEngine(logs).query_metrics(request).result
    assert found.times_ms.tolist() == expected.times_ms.tolist()
    wanted, given_ = _by_number(expected), _by_number(found)
    assert given_.keys() == wanted.keys()
    for number, values in wanted.items():
        for one, other in zip(values, given_[number], strict=True):
            assert (one is None) == (other is None)
            if one is not None:
                assert other == pytest.approx(one, rel=rel, abs=rel)


@settings(deadline=None, max_examples=30)
@given(samples=st.lists(_SERIES, min_size=1, max_size=3), batch_lines=st.integers(1, 50))
def test_functions_of_values_agree(samples: list[list[tuple[int, float]]], batch_lines: int) -> None:
    metrics, logs = _both(samples, batch_lines)
    pipeline = '{app="x"} | logfmt | unwrap value [1m]'
    for function in _FUNCTIONS:
        grouping = "" if function == "sum" else " by (number)"
        logql = f"{function}_over_time({pipeline}){grouping}"
        if function == "sum":
            logql = f"sum by (number) ({logql})"
        # Variances of large numbers lose digits in both.
        rel = 1e-4 if function.startswith("std") else 1e-12
        _check(metrics, logs, f"{function}_over_time(m[1m])", logql, rel)
    for quantile in (0, 0.25, 0.5, 0.99, 1):
        logql = f"quantile_over_time({quantile}, {pipeline}) by (number)"
        _check(metrics, logs, f"quantile_over_time({quantile}, m[1m])", logql, 1e-15)


@settings(deadline=None, max_examples=30)
@given(samples=st.lists(_SERIES, min_size=1, max_size=3), batch_lines=st.integers(1, 50))
def test_counts_and_vectors_agree(samples: list[list[tuple[int, float]]], batch_lines: int) -> None:
    metrics, logs = _both(samples, batch_lines)
    _check(metrics, logs, "count_over_time(m[45s])", 'sum by (number) (count_over_time({app="x"}[45s]))', 0)
    for aggregation in ("sum", "avg", "max", "count", "stddev"):
        promql = f"{aggregation}(count_over_time(m[1m]))"
        _check(metrics, logs, promql, f'{aggregation}(count_over_time({{app="x"}}[1m]))', 1e-12)
    promql = "count_over_time(m[1m]) / on () group_left () sum(count_over_time(m[1m]))"
    logql = 'sum by (number) (count_over_time({app="x"}[1m])) / on () group_left () sum(count_over_time({app="x"}[1m]))'
    _check(metrics, logs, promql, logql, 1e-15)


def test_the_check_can_fail() -> None:
    metrics, logs = _both([[(40_000, 1.0), (70_000, 2.0)]], 10)
    with pytest.raises(AssertionError):
        _check(
            metrics,
            logs,
            "max_over_time(m[1m])",
            'min_over_time({app="x"} | logfmt | unwrap value [1m]) by (number)',
            0,
        )
    assert np.isfinite(LogqlEngine(logs).query_metrics(MetricRequest("vector(1)", 0, 0)).result.values).all()
