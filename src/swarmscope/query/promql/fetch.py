"""What a query reads: each distinct selector once, over all the time that any place in the query needs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from swarmscope.lang.promql.nodes import Call, Node, VectorSelector, children, without_parens
from swarmscope.model.contracts import ReadBudget, Reader
from swarmscope.model.metrics import HistogramColumns
from swarmscope.model.series import LabelFrame, RollupColumns, SampleColumns, Selection
from swarmscope.model.staleness import is_stale
from swarmscope.query.histograms.rows import HistogramRows, from_columns, take_rows
from swarmscope.query.promql.frames import HistogramSeries
from swarmscope.query.promql.lookup_kernels import drop_stale, has_stale
from swarmscope.query.promql.lookups import Lookup, Matchers
from swarmscope.query.promql.rollup_rules import EXACT_FUNCTIONS, Candidate, reason_for_samples
from swarmscope.query.promql.rollup_windows import without_empty_buckets
from swarmscope.query.settings import RollupUse


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


@dataclass(slots=True)
class Rolled:
    """One selector's series and buckets."""

    labels: LabelFrame
    columns: RollupColumns  # buckets that hold staleness markers alone included
    _filled: RollupColumns | None = None

    def filled(self) -> RollupColumns:
        """The buckets that hold samples, as windows see them; made once."""
        if self._filled is None:
            self._filled = without_empty_buckets(self.columns)
        return self._filled


class Fetches:
    """Reads selectors on first use and keeps them for the query. The one place where samples enter a query."""

    def __init__(self, reader: Reader, tenant: str, budget: ReadBudget, rollups: RollupUse = RollupUse.NEVER) -> None:
        self._reader = reader
        self._tenant = tenant
        self._budget = budget
        self._rollups = rollups
        self._needed: dict[Matchers, tuple[int, int]] = {}
        self._fetched: dict[Matchers, tuple[Fetched, tuple[int, int]]] = {}
        self._selected: dict[Matchers, tuple[Selection, tuple[int, int]]] = {}
        self._resolutions: dict[Lookup, int] = {}  # of the lookups that buckets answer
        self._reasons: dict[Lookup, str] = {}  # why the others read samples
        self._rolled: dict[tuple[Matchers, int], Rolled] = {}
        self.n_series = 0
        self.n_samples = 0

    def plan(self, lookups: Sequence[Lookup]) -> None:
        """Decide what each lookup of the query is answered from, before the first `get`."""
        spans: dict[Matchers, tuple[int, int]] = {}
        open_lookups = []
        for lookup in dict.fromkeys(lookups):
            spans[lookup.matchers] = _hull(spans.get(lookup.matchers), lookup.range_ms)
            if lookup.function in EXACT_FUNCTIONS:
                open_lookups.append(lookup)
            else:
                self._read_samples_for(lookup, f"{lookup.function} needs every sample")
        for lookup in open_lookups:
            self._choose(lookup, spans[lookup.matchers])

    def _choose(self, lookup: Lookup, span_ms: tuple[int, int]) -> None:
        """The coarsest buckets that will do, else samples."""
        reason = "there are no rollups"
        for resolution_ms in reversed(self._reader.rollup_resolutions_ms):
            candidate = Candidate(
                lookup, resolution_ms, self._rollups, self._needed.get(lookup.matchers),
                lambda: self._select(lookup.matchers, span_ms),
            )  # fmt: skip
            reason = reason_for_samples(candidate)
            if not reason:
                self._resolutions[lookup] = resolution_ms
                return
        self._read_samples_for(lookup, reason)

    def _read_samples_for(self, lookup: Lookup, reason: str) -> None:
        self._reasons[lookup] = reason
        self.need(lookup.matchers, lookup.range_ms[0] + 1, lookup.range_ms[1])

    def need(self, matchers: Matchers, start_ms: int, end_ms: int) -> None:
        """Say that a place in the query will look at the samples of a selector over a range [start, end]."""
        self._needed[matchers] = _hull(self._needed.get(matchers), (start_ms, end_ms))

    def explain(self) -> list[dict[str, object]]:
        """What will be read for each selector, and why."""
        told: list[dict[str, object]] = [
            {
                "matchers": [str(m) for m in matchers],
                "start_ms": start,
                "end_ms": end,
                "source": "samples",
                "reasons": list(dict.fromkeys(why for look, why in self._reasons.items() if look.matchers == matchers)),
            }
            for matchers, (start, end) in self._needed.items()
        ]
        for (matchers, resolution_ms), (start, end) in self._bucket_ranges().items():
            names = [str(m) for m in matchers]
            source = f"buckets of {resolution_ms} ms"
            told.append({"matchers": names, "start_ms": start + 1, "end_ms": end, "source": source, "reasons": []})
        return told

    def get(self, matchers: Matchers) -> Fetched:
        """A selector's samples over all the time asked for. Raises what the reader raises."""
        needed = self._needed[matchers]
        found = self._fetched.get(matchers)
        if found is None or _hull(found[1], needed) != found[1]:
            found = self._read(matchers, needed), needed
            self._fetched[matchers] = found
        return found[0]

    def rolled(self, lookup: Lookup) -> Rolled | None:
        """The buckets that answer a lookup, None where samples do. Raises what the reader raises."""
        resolution_ms = self._resolutions.get(lookup)
        if resolution_ms is None:
            return None
        key = (lookup.matchers, resolution_ms)
        found = self._rolled.get(key)
        if found is None:
            range_ms = self._bucket_ranges()[key]
            selection = self._select(lookup.matchers, range_ms)
            columns = self._reader.read_rollups(selection, resolution_ms, range_ms, self._budget)
            self.n_series += selection.labels.n_series
            self.n_samples += len(columns.bucket_ms)
            found = Rolled(selection.labels, columns)
            self._rolled[key] = found
        return found

    def refuse_rollup(self, lookup: Lookup) -> None:
        """Read samples for a lookup after all: its buckets do not tell enough (an infinity, a NaN)."""
        del self._resolutions[lookup]
        self._read_samples_for(lookup, "buckets do not tell enough")

    def _bucket_ranges(self) -> dict[tuple[Matchers, int], tuple[int, int]]:
        ranges: dict[tuple[Matchers, int], tuple[int, int]] = {}
        for lookup, resolution_ms in self._resolutions.items():
            key = (lookup.matchers, resolution_ms)
            ranges[key] = _hull(ranges.get(key), lookup.range_ms)
        return ranges

    def _select(self, matchers: Matchers, span_ms: tuple[int, int]) -> Selection:
        found = self._selected.get(matchers)
        if found is None or _hull(found[1], span_ms) != found[1]:
            self._budget.cancellation.check()
            found = self._reader.select_series(self._tenant, matchers, *span_ms), span_ms
            self._selected[matchers] = found
        return found[0]

    def _read(self, matchers: Matchers, range_ms: tuple[int, int]) -> Fetched:
        start_ms, end_ms = range_ms
        selection = self._select(matchers, range_ms)
        samples = self._reader.read_samples(selection, start_ms, end_ms, self._budget)
        histograms = None
        if selection.has_histograms:
            read = self._reader.read_histograms(selection, start_ms, end_ms, self._budget)
            histograms = read if len(read) else None
        self.n_series += selection.labels.n_series
        self.n_samples += len(samples.ts_ms) + (len(histograms) if histograms is not None else 0)
        return Fetched(selection.labels, _contiguous(samples), histograms)


def _hull(range_ms: tuple[int, int] | None, other_ms: tuple[int, int]) -> tuple[int, int]:
    """The smallest range that holds both."""
    if range_ms is None:
        return other_ms
    return min(range_ms[0], other_ms[0]), max(range_ms[1], other_ms[1])


def _contiguous(samples: SampleColumns) -> SampleColumns:
    """Columns in the one layout that the kernels are compiled for: their own, writable, C-contiguous."""
    return SampleColumns(
        np.require(samples.offsets, np.int64, ["C", "W"]),
        np.require(samples.ts_ms, np.int64, ["C", "W"]),
        np.require(samples.value, np.float64, ["C", "W"]),
    )


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
