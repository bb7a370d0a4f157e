"""Cardinality figures for `/api/v1/status/tsdb`, computed on demand from the label pairs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

from swarmscope.store.catalogue.symbols import SymbolPool
from swarmscope.store.catalogue.tables import SeriesTables, Snapshot

Ranking = list[tuple[str, int]]


@dataclass(frozen=True, slots=True)
class CatalogueStatistics:
    """What Prometheus' TSDB status shows. Rankings are (name, figure), greatest first, ties by name.

    `label_value_bytes` counts a value's bytes once per series that carries it, as Prometheus does.
    """

    n_series: int
    n_label_names: int
    n_label_pairs: int  # distinct (name, value)
    series_by_metric: Ranking
    values_by_label: Ranking
    label_value_bytes: Ranking
    series_by_pair: Ranking  # named "name=value"


@njit(nogil=True, cache=True)
def _all_pairs(tables: SeriesTables, refs: NDArray[np.int64]) -> NDArray[np.int64]:
    """Every pair of `refs` [n] as label number << 32 | value code, in no order."""
    total = 0
    for ref in refs:
        total += tables.pair_count[ref]
    pairs = np.empty(total, np.int64)
    position = 0
    for ref in refs:
        start = tables.pair_start[ref]
        for pair in range(start, start + tables.pair_count[ref]):
            pairs[position] = (np.int64(tables.pair_label[pair]) << 32) | np.int64(tables.pair_value[pair])
            position += 1
    return pairs


def series_statistics(
    snapshot: Snapshot, symbols: SymbolPool, refs: NDArray[np.int64], limit: int
) -> CatalogueStatistics:
    """Figures over the series `refs` [n]; rankings have at most `limit` entries. Slow: sorts all pairs."""
    tables = snapshot.tables
    pairs, pair_series = np.unique(_all_pairs(tables, refs), return_counts=True)
    label = (pairs >> 32).astype(np.int32)
    value = (pairs & 0xFFFFFFFF).astype(np.int32)
    labels, values_of_label = np.unique(label, return_counts=True)
    starts = symbols.snapshot.tables.starts
    value_bytes = (starts[value + 1] - starts[value]) * pair_series
    bytes_of_label = np.bincount(label, weights=value_bytes, minlength=snapshot.n_labels)[labels]
    metric_series = np.bincount(tables.metric[refs], minlength=1)
    metrics = np.flatnonzero(metric_series)

    def label_text(index: int) -> str:
        return symbols.text(int(tables.label_code[labels[index]]))

    def pair_text(index: int) -> str:
        return f"{symbols.text(int(tables.label_code[label[index]]))}={symbols.text(int(value[index]))}"

    def metric_text(index: int) -> str:
        return symbols.text(int(tables.metric_name[metrics[index]]))

    return CatalogueStatistics(
        len(refs),
        len(labels),
        len(pairs),
        _ranked(metric_series[metrics], metric_text, limit),
        _ranked(values_of_label, label_text, limit),
        _ranked(bytes_of_label.astype(np.int64), label_text, limit),
        _ranked(pair_series, pair_text, limit),
    )


def _ranked(figures: NDArray[np.int64], text: Callable[[int], str], limit: int) -> Ranking:
    if limit <= 0 or len(figures) == 0:
        return []
    # Entries that tie with the last place are compared by name too, so that answers do not depend on codes.
    threshold = np.partition(figures, -min(limit, len(figures)))[-min(limit, len(figures))]
    above = np.flatnonzero(figures > threshold)
    # Slow path: bounded, since a million pairs may tie at one series each.
    tied = np.flatnonzero(figures == threshold)[: 100 * limit]
    entries = [(text(index), int(figures[index])) for index in np.concatenate([above, tied]).tolist()]
    return sorted(entries, key=lambda entry: (-entry[1], entry[0]))[:limit]
