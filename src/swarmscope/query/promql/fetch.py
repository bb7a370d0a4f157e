"""What a query reads: each distinct selector once, over all the time that any place in the query needs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from swarmscope.lang.promql.nodes import (
    Anchor,
    Call,
    MatrixSelector,
    Node,
    Subquery,
    VectorSelector,
    children,
    without_parens,
)
from swarmscope.model.contracts import ReadBudget, Reader
from swarmscope.model.matchers import Matcher
from swarmscope.model.metrics import HistogramColumns
from swarmscope.model.series import LabelFrame, SampleColumns
from swarmscope.model.staleness import is_stale
from swarmscope.query.histograms.rows import HistogramRows, from_columns, take_rows
from swarmscope.query.promql.frames import HistogramSeries
from swarmscope.query.promql.lookup_kernels import drop_stale, has_stale

Matchers = tuple[Matcher, ...]


@dataclass(slots=True)
class Fetched:
    """One selector's series and samples over [start_ms, end_ms]."""

    labels: LabelFrame
    samples: SampleColumns  # staleness markers included
    histograms: HistogramColumns | None
    _without_stale: SampleColumns | None = None
    _histogram_series: HistogramSeries | None = None
    _rows: HistogramRows | None = None

    def without_stale(self) -> SampleColumns:
        """The samples without staleness markers, as windows see them; made once."""
        if self._without_stale is None:
            bits = self.samples.value.view(np.uint64)
            kept = self.samples
            if has_stale(bits):
                offsets, ts, left = drop_stale(self.samples.offsets, self.samples.ts_ms, bits)
                kept = SampleColumns(offsets, ts, left.view(np.float64))
            self._without_stale = kept
        return self._without_stale

    def histogram_rows(self) -> HistogramRows:
        """All histograms as the engine computes with them, row for row as in `histograms`; made once."""
        if self._rows is None:
            self._rows = from_columns(self.histograms or HistogramColumns.empty())
        return self._rows

    def histogram_series(self) -> HistogramSeries | None:
        """The histograms without staleness markers, as windows see them; made once."""
        columns = self.histograms
        if columns is not None and self._histogram_series is None:
            kept = np.flatnonzero(~is_stale(np.ascontiguousarray(columns.sum)))
            offsets = np.searchsorted(columns.series[kept], np.arange(self.labels.n_series + 1)).astype(np.int64)
            rows = self.histogram_rows()
            if len(kept) < len(columns):
                rows = take_rows(rows, kept.astype(np.int64))
            self._histogram_series = HistogramSeries(rows, offsets, np.ascontiguousarray(columns.ts_ms[kept]))
        return self._histogram_series


class Fetches:
    """Reads selectors on first use and keeps them for the query. The one place where samples enter a query."""

    def __init__(self, reader: Reader, tenant: str, budget: ReadBudget) -> None:
        self._reader = reader
        self._tenant = tenant
        self._budget = budget
        self._needed: dict[Matchers, tuple[int, int]] = {}
        self._fetched: dict[Matchers, Fetched] = {}
        self.n_series = 0
        self.n_samples = 0

    def need(self, matchers: Matchers, start_ms: int, end_ms: int) -> None:
        """Say that a place in the query will look at a selector over a range, before the first `get`."""
        start, end = self._needed.get(matchers, (start_ms, end_ms))
        self._needed[matchers] = (min(start, start_ms), max(end, end_ms))

    def ranges(self) -> dict[Matchers, tuple[int, int]]:
        """What is needed, by selector: for explain."""
        return dict(self._needed)

    def get(self, matchers: Matchers) -> Fetched:
        """A selector's data over all the time asked for. Raises what the reader raises."""
        found = self._fetched.get(matchers)
        if found is None:
            found = self._read(matchers)
            self._fetched[matchers] = found
        return found

    def _read(self, matchers: Matchers) -> Fetched:
        start_ms, end_ms = self._needed[matchers]
        self._budget.cancellation.check()
        selection = self._reader.select_series(self._tenant, matchers, start_ms, end_ms)
        samples = self._reader.read_samples(selection, start_ms, end_ms, self._budget)
        histograms = None
        if selection.has_histograms:
            read = self._reader.read_histograms(selection, start_ms, end_ms, self._budget)
            histograms = read if len(read) else None
        self.n_series += selection.labels.n_series
        self.n_samples += len(samples.ts_ms) + (len(histograms) if histograms is not None else 0)
        return Fetched(selection.labels, _contiguous(samples), histograms)


def _contiguous(samples: SampleColumns) -> SampleColumns:
    """Columns in the one layout that the kernels are compiled for: their own, writable, C-contiguous."""
    return SampleColumns(
        np.require(samples.offsets, np.int64, ["C", "W"]),
        np.require(samples.ts_ms, np.int64, ["C", "W"]),
        np.require(samples.value, np.float64, ["C", "W"]),
    )


def resolve_at(at: int | Anchor | None, bounds: tuple[int, int]) -> int | None:
    """The fixed evaluation time of an `@` modifier in ms, None where there is none."""
    if at is Anchor.START:
        return bounds[0]
    if at is Anchor.END:
        return bounds[1]
    return at


def plan_fetches(tree: Node, bounds: tuple[int, int], lookback_ms: int, fetches: Fetches) -> None:
    """Tell `fetches` what every selector of the tree needs."""
    for matchers, start_ms, end_ms in _needs(tree, bounds, bounds, lookback_ms):
        fetches.need(matchers, start_ms, end_ms)


def _needs(
    node: Node, times: tuple[int, int], bounds: tuple[int, int], lookback_ms: int
) -> Iterator[tuple[Matchers, int, int]]:
    match node:
        case VectorSelector(matchers=matchers):
            start, end = _shifted(node, times, bounds)
            yield matchers, start - lookback_ms + 1, end
        case MatrixSelector(vector=vector, range_ms=range_ms):
            start, end = _shifted(vector, times, bounds)
            yield vector.matchers, start - range_ms + 1, end
        case Subquery(expr=expr, range_ms=range_ms):
            start, end = _shifted(node, times, bounds)
            yield from _needs(expr, (start - range_ms, end), bounds, lookback_ms)
        case Call(function="info", args=args):
            yield from _needs(args[0], times, bounds, lookback_ms)
        case _:
            for child in children(node):
                yield from _needs(child, times, bounds, lookback_ms)


def _shifted(node: VectorSelector | Subquery, times: tuple[int, int], bounds: tuple[int, int]) -> tuple[int, int]:
    at = resolve_at(node.at, bounds)
    start, end = times if at is None else (at, at)
    return start - node.offset_ms, end - node.offset_ms


def selectors_of(tree: Node) -> list[Matchers]:
    """The distinct selectors of a query, in the order of the text: what exemplars are looked up for."""
    found: dict[Matchers, None] = {}

    def visit(node: Node) -> None:
        inner: Sequence[Node] = children(node)
        if isinstance(node, VectorSelector):
            found[node.matchers] = None
        if isinstance(node, Call) and node.function == "info":
            inner = (without_parens(node.args[0]),)
        for child in inner:
            visit(child)

    visit(tree)
    return list(found)
