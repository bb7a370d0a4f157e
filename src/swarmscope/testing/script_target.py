"""What test scripts run against: a sink that takes their series and an engine that answers their queries."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from swarmscope.lang.promql import ValueType
from swarmscope.model.contracts import Sink
from swarmscope.model.labels import LabelSets
from swarmscope.model.metrics import UNKNOWN_SERIES, Buckets, HistogramColumns, MetricBatch, ResetHint
from swarmscope.model.series import ABSENT
from swarmscope.query.histograms.rows import HistogramRows
from swarmscope.query.promql.engine import PromqlEngine, QueryRequest, QueryResult
from swarmscope.testing.promql_script import Grid
from swarmscope.testing.script_values import ScriptHistogram, Value
from swarmscope.testing.series_notation import ScriptSeries

Labels = dict[str, str]
Points = list[tuple[int, Value]]


@dataclass(frozen=True, slots=True)
class Answer:
    """A query's answer. `kind` is "vector", "matrix", "scalar" or "string"; points are (Unix ms, value) pairs."""

    kind: str
    series: list[tuple[Labels, Points]]
    text: str = ""
    warnings: tuple[str, ...] = ()
    infos: tuple[str, ...] = ()


class QueryTarget(Protocol):
    """Whatever can be queried. Queries raise SwarmscopeError where they fail."""

    def query_instant(self, query: str, time_ms: int) -> Answer:
        """Evaluate at one time."""
        ...

    def query_range(self, query: str, grid: Grid) -> Answer:
        """Evaluate at every step."""
        ...


class ScriptTarget(QueryTarget, Protocol):
    """Whatever can be loaded with series and queried."""

    def load(self, series: Sequence[ScriptSeries], interval_ms: int) -> None:
        """Store the points, `interval_ms` apart from time 0; later loads add to earlier ones."""
        ...

    def clear(self) -> None:
        """Forget everything loaded before."""
        ...


class EngineTarget:
    """A real store behind a real engine. Every script and every `clear` gets a tenant of its own."""

    _numbers = itertools.count()

    def __init__(self, sink: Sink, engine: PromqlEngine) -> None:
        """The sink and the engine's reader MUST belong to one store."""
        self._sink = sink
        self._engine = engine
        self._tenant = ""
        self.clear()

    def clear(self) -> None:
        """Go on in an empty tenant."""
        self._tenant = f"script-{next(self._numbers)}"

    def load(self, series: Sequence[ScriptSeries], interval_ms: int) -> None:
        """Write all points as one batch."""
        self._sink.write_metrics(to_batch(series, interval_ms, self._tenant))

    def query_instant(self, query: str, time_ms: int) -> Answer:
        """Evaluate at one time."""
        return to_answer(self._engine.query_instant(QueryRequest(query, time_ms, time_ms, tenant=self._tenant)))

    def query_range(self, query: str, grid: Grid) -> Answer:
        """Evaluate at every step."""
        request = QueryRequest(query, grid.start_ms, grid.end_ms, grid.step_ms, tenant=self._tenant)
        return to_answer(self._engine.query_range(request))


def to_batch(series: Sequence[ScriptSeries], interval_ms: int, tenant: str) -> MetricBatch:
    """Script series as a batch of a sink; lines with the same labels become one series."""
    numbers = {labels: number for number, labels in enumerate(dict.fromkeys(one.labels for one in series))}
    floats: list[tuple[int, int, float]] = []
    histograms: list[tuple[int, int, ScriptHistogram]] = []
    for one in series:
        for position, value in enumerate(one.values):
            at = (numbers[one.labels], position * interval_ms)
            if isinstance(value, ScriptHistogram):
                histograms.append((*at, value))
            elif value is not None:
                floats.append((*at, value))
    keys = [_key(tenant, labels) for labels in numbers]
    return MetricBatch(
        np.array(keys, np.uint64),
        np.full(len(keys), UNKNOWN_SERIES, np.int64),
        LabelSets.from_dicts(dict(labels) for labels in numbers),
        np.array([item[0] for item in floats], np.int64),
        np.array([item[1] for item in floats], np.int64),
        np.array([item[2] for item in floats], np.float64),
        to_histogram_columns(histograms),
        tenant=tenant,
    )


def _key(tenant: str, labels: tuple[tuple[str, str], ...]) -> int:
    digest = hashlib.blake2b(repr((tenant, labels)).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little")


def to_histogram_columns(histograms: Iterable[tuple[int, int, ScriptHistogram]]) -> HistogramColumns:
    """(series, Unix ms, histogram) triples as columns, in their order."""
    triples = list(histograms)
    values = [value for _, _, value in triples]

    def floats(items: Iterable[float]) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
        return np.array(list(items), np.float64)

    bounds = [value.custom for value in values]
    return HistogramColumns(
        np.array([series for series, _, _ in triples], np.int64),
        np.array([ts_ms for _, ts_ms, _ in triples], np.int64),
        np.array([value.schema for value in values], np.int8),
        np.array([int(value.hint or ResetHint.UNKNOWN) for value in values], np.uint8),
        np.ones(len(values), np.bool_),
        floats(value.zero_threshold for value in values),
        floats(value.zero_count for value in values),
        floats(value.count for value in values),
        floats(value.sum for value in values),
        _to_buckets([value.positive for value in values]),
        _to_buckets([value.negative for value in values]),
        np.cumsum([0, *map(len, bounds)], dtype=np.int64),
        floats(itertools.chain.from_iterable(bounds)),
    )


def _to_buckets(buckets: Sequence[tuple[tuple[int, float], ...]]) -> Buckets:
    flat = list(itertools.chain.from_iterable(buckets))
    return Buckets(
        np.cumsum([0, *map(len, buckets)], dtype=np.int64),
        np.array([index for index, _ in flat], np.int32),
        np.array([count for _, count in flat], np.float64),
    )


def to_answer(result: QueryResult) -> Answer:
    """An engine's answer as a script sees it."""
    kind = {ValueType.MATRIX: "matrix", ValueType.SCALAR: "scalar", ValueType.STRING: "string"}.get(
        result.kind, "vector"
    )
    series: list[tuple[Labels, Points]] = []
    times = result.times_ms.tolist()
    for row in range(result.labels.n_series):
        codes = result.labels.codes[:, row].tolist()
        labels = {
            name: text
            for name, code in zip(result.labels.names, codes, strict=True)
            if code != ABSENT and (text := result.symbols.text(code))
        }
        points: Points = []
        for column in np.flatnonzero(result.present[row]).tolist():
            cell = -1 if result.histograms is None else int(result.histograms.cells[row, column])
            if result.histograms is not None and cell >= 0:
                points.append((times[column], to_script_histogram(result.histograms.rows, cell)))
            else:
                points.append((times[column], float(result.values[row, column])))
        series.append((labels, points))
    return Answer(kind, series, result.text, result.warnings, result.infos)


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
