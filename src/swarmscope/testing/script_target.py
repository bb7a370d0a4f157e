"""What test scripts run against: a sink that takes their series and an engine that answers their queries."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from swarmscope.lang.promql import ValueType
from swarmscope.lang.series_notation.columns import to_histogram_columns
from swarmscope.lang.series_notation.series import ScriptSeries
from swarmscope.lang.series_notation.values import ScriptHistogram, Value
from swarmscope.model.contracts import Sink
from swarmscope.model.labels import LabelSets
from swarmscope.model.metrics import UNKNOWN_SERIES, MetricBatch
from swarmscope.model.series import ABSENT
from swarmscope.query.histograms.notation import to_script_histogram
from swarmscope.query.promql.engine import PromqlEngine, QueryRequest, QueryResult
from swarmscope.testing.promql_script import Grid

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
