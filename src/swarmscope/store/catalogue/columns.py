"""Labels of series as columns of symbol codes: per metric and label, built when first asked for and then extended."""

from __future__ import annotations

import threading

import numpy as np
from numba import njit
from numpy.typing import NDArray

from swarmscope.model.series import ABSENT
from swarmscope.store.catalogue.symbols import resized
from swarmscope.store.catalogue.tables import SeriesTables, Snapshot


@njit(nogil=True, cache=True)
def _follow_chain(tables: SeriesTables, head: int, refs: NDArray[np.int64]) -> None:
    """The newest `len(refs)` series of a metric, ascending."""
    ref = head
    for position in range(len(refs) - 1, -1, -1):
        refs[position] = ref
        ref = tables.previous[ref]


@njit(nogil=True, cache=True)
def _follow_chains(
    tables: SeriesTables, heads: NDArray[np.int32], counts: NDArray[np.int32], metrics: NDArray[np.int64]
) -> NDArray[np.int64]:
    total = 0
    for metric in metrics:
        total += counts[metric]
    refs = np.empty(total, np.int64)
    begin = 0
    for metric in metrics:
        _follow_chain(tables, heads[metric], refs[begin : begin + counts[metric]])
        begin += counts[metric]
    return refs


def refs_of_metrics(snapshot: Snapshot, metrics: NDArray[np.int64]) -> NDArray[np.int64]:
    """Series of `metrics` (ascending), sorted by (metric, ref)."""
    refs: NDArray[np.int64] = _follow_chains(
        snapshot.tables, snapshot.metric_head, snapshot.metric_count, metrics.astype(np.int64)
    )
    return refs


@njit(nogil=True, cache=True)
def extract_codes(tables: SeriesTables, refs: NDArray[np.int64], label: int, codes: NDArray[np.int32]) -> None:
    """Value codes of one label on the series `refs` [n]; ABSENT where a series lacks it."""
    for index in range(len(refs)):
        start = tables.pair_start[refs[index]]
        codes[index] = ABSENT
        for pair in range(start, start + tables.pair_count[refs[index]]):
            if tables.pair_label[pair] == label:
                codes[index] = tables.pair_value[pair]
                break


@njit(nogil=True, cache=True)
def mark_labels(tables: SeriesTables, refs: NDArray[np.int64], n_labels: int) -> NDArray[np.bool_]:
    """Which label numbers occur on the series `refs` [n]."""
    seen = np.zeros(n_labels, np.bool_)
    for ref in refs:
        start = tables.pair_start[ref]
        for pair in range(start, start + tables.pair_count[ref]):
            seen[tables.pair_label[pair]] = True
    return seen


@njit(nogil=True, cache=True)
def fill_matrix(
    tables: SeriesTables, refs: NDArray[np.int64], row_of_label: NDArray[np.int32], codes: NDArray[np.int32]
) -> None:
    """Scatter the pairs of `refs` [n] into `codes` [n_rows, n], which holds ABSENT everywhere."""
    for index in range(len(refs)):
        start = tables.pair_start[refs[index]]
        for pair in range(start, start + tables.pair_count[refs[index]]):
            codes[row_of_label[tables.pair_label[pair]], index] = tables.pair_value[pair]


class _MetricColumns:
    """Refs of one metric and the label columns asked for so far; entries are appended and never change."""

    def __init__(self, epoch: int) -> None:
        self.epoch = epoch
        self.refs = np.empty(0, np.int64)
        self.n = 0
        self.codes: dict[int, tuple[NDArray[np.int32], int]] = {}


class ColumnCache:
    """Refs and label columns per metric. Results are views that callers MUST NOT write to. Thread-safe."""

    def __init__(self) -> None:
        self._metrics: dict[int, _MetricColumns] = {}
        self._lock = threading.Lock()

    def refs(self, snapshot: Snapshot, metric: int) -> NDArray[np.int64]:
        """The living series of a metric, ascending."""
        with self._lock:
            return self._extended(snapshot, metric).refs[: snapshot.metric_count[metric]]

    def codes(self, snapshot: Snapshot, metric: int, label: int) -> NDArray[np.int32]:
        """Codes of a label on the series that `refs` gives."""
        count = int(snapshot.metric_count[metric])
        with self._lock:
            columns = self._extended(snapshot, metric)
            codes, filled = columns.codes.get(label, (np.empty(0, np.int32), 0))
            if filled < count:
                codes = resized(codes, count)
                extract_codes(snapshot.tables, columns.refs[filled:count], label, codes[filled:count])
                columns.codes[label] = (codes, count)
            return codes[:count]

    def _extended(self, snapshot: Snapshot, metric: int) -> _MetricColumns:
        columns = self._metrics.get(metric)
        if columns is None or columns.epoch != snapshot.epoch:
            columns = _MetricColumns(snapshot.epoch)
            self._metrics[metric] = columns
        count = int(snapshot.metric_count[metric])
        if columns.n < count:
            columns.refs = resized(columns.refs, count)
            _follow_chain(snapshot.tables, int(snapshot.metric_head[metric]), columns.refs[columns.n : count])
            columns.n = count
        return columns

    @property
    def memory_bytes(self) -> int:
        """Bytes that the columns take."""
        with self._lock:
            return sum(
                columns.refs.nbytes + sum(codes.nbytes for codes, _ in columns.codes.values())
                for columns in self._metrics.values()
            )
