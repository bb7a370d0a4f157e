"""Matchers to series: first the metrics, then per metric the labels' columns, then the time range."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from swarmscope.model.errors import LimitExceededError
from swarmscope.model.labels import METRIC_NAME
from swarmscope.model.matchers import Matcher
from swarmscope.model.series import ABSENT, LabelFrame, Selection
from swarmscope.store.catalogue.activity import overlapping
from swarmscope.store.catalogue.columns import (
    ColumnCache,
    extract_codes,
    fill_matrix,
    mark_labels,
    refs_of_metrics,
)
from swarmscope.store.catalogue.symbols import SymbolPool
from swarmscope.store.catalogue.tables import Snapshot
from swarmscope.store.catalogue.value_tests import MatcherCompiler, ValueTest

# Up to so many metrics the cached columns are worth a turn of the loop each; beyond, labels are read in one sweep.
_MAX_METRICS_BY_COLUMN = 32
_MAX_CACHED_SELECTIONS = 64
_MAX_CACHED_CELLS = 8 << 20  # 32 MiB of label codes
# 1 GiB of label codes: a selection like that comes from label names without end, not from a question.
MAX_LABEL_CELLS = 256 << 20
_UNKNOWN_LABEL = -1


class _Remembered(NamedTuple):
    """A selection before its time filter, and the state of its metrics under which it holds."""

    state: tuple[int, bytes, bytes]
    refs: NDArray[np.int64]
    frame: LabelFrame


class Selector:
    """Evaluates matchers on snapshots. Thread-safe; takes no lock that a writer holds."""

    def __init__(self, symbols: SymbolPool, max_label_cells: int = MAX_LABEL_CELLS) -> None:
        self._symbols = symbols
        self._max_label_cells = max_label_cells
        self._compiler = MatcherCompiler(symbols)
        self.columns = ColumnCache()
        self._remembered: OrderedDict[tuple[int, tuple[Matcher, ...]], _Remembered] = OrderedDict()
        self._cells = 0
        self._lock = threading.Lock()

    def select(
        self, snapshot: Snapshot, tenant: int, matchers: Sequence[Matcher], start_ms: int, end_ms: int
    ) -> Selection:
        """Series of a tenant that match, sorted by (metric, ref), with their labels; arrays are the caller's."""
        metrics, tests = self._metrics(snapshot, tenant, matchers)
        key = (tenant, tuple(matchers))
        state = (snapshot.epoch, metrics.tobytes(), snapshot.metric_count[metrics].tobytes())
        known = self._recall(key, state)
        if known is None:
            refs = self._matching(snapshot, metrics, tests)
            known = _Remembered(state, refs, self.label_frame(snapshot, refs))
            self._remember(key, known)
        keep, kept, histograms = overlapping(snapshot.tables, known.refs, start_ms, end_ms)
        if kept == len(known.refs):
            frame = LabelFrame(known.frame.names, known.frame.codes.copy())
            return Selection(known.refs.copy(), frame, bool(histograms))
        refs = known.refs[keep]
        return Selection(refs, self.label_frame(snapshot, refs), bool(histograms))

    def refs(
        self, snapshot: Snapshot, tenant: int, matchers: Sequence[Matcher], start_ms: int, end_ms: int
    ) -> NDArray[np.int64]:
        """As `select`, without the labels."""
        metrics, tests = self._metrics(snapshot, tenant, matchers)
        refs = self._matching(snapshot, metrics, tests)
        keep, kept, _ = overlapping(snapshot.tables, refs, start_ms, end_ms)
        return refs if kept == len(refs) else refs[keep]

    def label_frame(self, snapshot: Snapshot, refs: NDArray[np.int64]) -> LabelFrame:
        """The labels of `refs` [n]; only names that occur. Raises LimitExceededError."""
        seen = mark_labels(snapshot.tables, refs, snapshot.n_labels)
        labels = np.flatnonzero(seen)
        if len(labels) * len(refs) > self._max_label_cells:
            raise LimitExceededError(
                f"the selector chose {len(refs)} series with {len(labels)} different label names; ask for fewer",
                limit="query.max_label_cells",
                too_large=True,
            )
        rows = np.full(snapshot.n_labels, -1, np.int32)
        rows[labels] = np.arange(len(labels), dtype=np.int32)
        codes = np.full((len(labels), len(refs)), ABSENT, np.int32)
        fill_matrix(snapshot.tables, refs, rows, codes)
        names = tuple(self._symbols.text(code) for code in snapshot.tables.label_code[labels].tolist())
        return LabelFrame(names, codes)

    def label_number(self, snapshot: Snapshot, name: str) -> int:
        """Label number of a name, -1 where no series of the snapshot has such a label."""
        code = self._symbols.code(name)
        if not 0 <= code < len(snapshot.tables.label_number):
            return _UNKNOWN_LABEL
        number = int(snapshot.tables.label_number[code])
        return number if number < snapshot.n_labels else _UNKNOWN_LABEL

    def _metrics(
        self, snapshot: Snapshot, tenant: int, matchers: Sequence[Matcher]
    ) -> tuple[NDArray[np.int64], list[tuple[int, ValueTest]]]:
        """Metrics that may match, ascending, and the tests left for their series, by label number."""
        names = snapshot.tables.metric_name[: snapshot.n_metrics]
        chosen = (snapshot.tables.metric_tenant[: snapshot.n_metrics] == tenant) & (snapshot.metric_count > 0)
        tests: list[tuple[int, ValueTest]] = []
        for matcher in matchers:
            test = self._compiler.compile_matcher(matcher)
            if matcher.name == METRIC_NAME:
                # Symbol 0 is "": series without a name.
                chosen &= test.apply(np.where(names == 0, np.int32(ABSENT), names))
                continue
            label = self.label_number(snapshot, matcher.name)
            if label != _UNKNOWN_LABEL:
                tests.append((label, test))
            elif not test.apply(np.array([ABSENT], np.int32))[0]:
                chosen[:] = False
        return np.flatnonzero(chosen), tests

    def _matching(
        self, snapshot: Snapshot, metrics: NDArray[np.int64], tests: list[tuple[int, ValueTest]]
    ) -> NDArray[np.int64]:
        if len(metrics) <= _MAX_METRICS_BY_COLUMN:
            parts = [self._matching_in_metric(snapshot, metric, tests) for metric in metrics.tolist()]
            return np.concatenate(parts) if parts else np.empty(0, np.int64)
        refs = refs_of_metrics(snapshot, metrics)
        for label, test in tests:
            codes = np.empty(len(refs), np.int32)
            extract_codes(snapshot.tables, refs, label, codes)
            refs = refs[test.apply(codes)]
        return refs

    def _matching_in_metric(
        self, snapshot: Snapshot, metric: int, tests: list[tuple[int, ValueTest]]
    ) -> NDArray[np.int64]:
        refs = self.columns.refs(snapshot, metric)
        if not tests:
            return refs
        label, test = tests[0]
        chosen = np.flatnonzero(test.apply(self.columns.codes(snapshot, metric, label)))
        for label, test in tests[1:]:
            chosen = chosen[test.apply(self.columns.codes(snapshot, metric, label)[chosen])]
        return refs[chosen]

    def _recall(self, key: tuple[int, tuple[Matcher, ...]], state: tuple[int, bytes, bytes]) -> _Remembered | None:
        with self._lock:
            known = self._remembered.get(key)
            if known is None or known.state != state:
                return None
            self._remembered.move_to_end(key)
            return known

    def _remember(self, key: tuple[int, tuple[Matcher, ...]], known: _Remembered) -> None:
        if known.frame.codes.size > _MAX_CACHED_CELLS // 2:
            return
        with self._lock:
            replaced = self._remembered.pop(key, None)
            self._cells += known.frame.codes.size - (replaced.frame.codes.size if replaced else 0)
            self._remembered[key] = known
            while len(self._remembered) > _MAX_CACHED_SELECTIONS or self._cells > _MAX_CACHED_CELLS:
                _, evicted = self._remembered.popitem(last=False)
                self._cells -= evicted.frame.codes.size
