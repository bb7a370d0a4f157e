"""A `Reader` over plain Python data: label sets and samples in, columns out. For tests: of rules, and of what reads."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from swarmscope.lang.logql.regexes import compile_regex
from swarmscope.model.contracts import Exemplars, MetricMetadata, ReadBudget
from swarmscope.model.errors import LimitExceededError, QueryFailedError
from swarmscope.model.matchers import Matcher, MatchOperator
from swarmscope.model.metrics import HistogramColumns
from swarmscope.model.series import ABSENT, LabelFrame, RollupColumns, SampleColumns, Selection


class ListSymbols:
    """A `SymbolTable` over a list."""

    def __init__(self) -> None:
        self._texts: list[str] = []
        self._codes: dict[str, int] = {}

    def text(self, code: int) -> str:
        """The string of a code."""
        if code < 0:
            raise IndexError(code)
        return self._texts[code]

    def code(self, text: str) -> int:
        """The code of a string, ABSENT where it is not known."""
        return self._codes.get(text, ABSENT)

    def learn(self, text: str) -> int:
        """The code of a string, given out if it is new."""
        if text not in self._codes:
            self._codes[text] = len(self._texts)
            self._texts.append(text)
        return self._codes[text]


@dataclass
class MemorySeries:
    """One series: labels with `__name__`, float samples and native histograms in time order."""

    labels: dict[str, str]
    ts_ms: list[int] = field(default_factory=list)
    value: list[float] = field(default_factory=list)
    histograms: list[tuple[int, HistogramColumns]] = field(default_factory=list)  # (ts_ms, one row)


class MemoryReader:
    """Series of one tenant in memory. # Slow path: tests alone"""

    def __init__(self) -> None:
        self._symbols = ListSymbols()
        self._series: list[MemorySeries] = []
        self._by_labels: dict[frozenset[tuple[str, str]], MemorySeries] = {}
        self.fetches = 0

    @property
    def symbols(self) -> ListSymbols:
        """The strings behind label codes."""
        return self._symbols

    def add(self, labels: Mapping[str, str], samples: Sequence[tuple[int, float]]) -> None:
        """Add a series of (ts_ms, value) in time order; NaN with the marker's bits is a staleness marker."""
        entry = self._entry(labels)
        entry.ts_ms.extend(ts for ts, _ in samples)
        entry.value.extend(value for _, value in samples)

    def add_histogram(self, labels: Mapping[str, str], ts_ms: int, histogram: HistogramColumns) -> None:
        """Add one native histogram (a single row) to a series, in time order."""
        self._entry(labels).histograms.append((ts_ms, histogram))

    def _entry(self, labels: Mapping[str, str]) -> MemorySeries:
        key = frozenset(labels.items())
        entry = self._by_labels.get(key)
        if entry is None:
            for name, value in labels.items():
                self._symbols.learn(name)
                self._symbols.learn(value)
            entry = self._by_labels[key] = MemorySeries(dict(labels))
            self._series.append(entry)
        return entry

    def select_series(self, tenant: str, matchers: Sequence[Matcher], start_ms: int, end_ms: int) -> Selection:
        """Series that match; times are not looked at."""
        del tenant, start_ms, end_ms
        self.fetches += 1
        found = [k for k, entry in enumerate(self._series) if all(matches(m, entry.labels) for m in matchers)]
        names = sorted({name for k in found for name in self._series[k].labels})
        codes = np.full((len(names), len(found)), ABSENT, np.int32)
        for column, k in enumerate(found):
            for name, value in self._series[k].labels.items():
                codes[names.index(name), column] = self._symbols.code(value)
        has_histograms = any(self._series[k].histograms for k in found)
        return Selection(np.array(found, np.int64), LabelFrame(tuple(names), codes), has_histograms)

    def read_samples(self, selection: Selection, start_ms: int, end_ms: int, budget: ReadBudget) -> SampleColumns:
        """Samples of the selection in [start_ms, end_ms]."""
        ts: list[int] = []
        values: list[NDArray[np.float64]] = []
        offsets = [0]
        for ref in selection.refs:
            entry = self._series[int(ref)]
            first, end = bisect_left(entry.ts_ms, start_ms), bisect_right(entry.ts_ms, end_ms)
            ts.extend(entry.ts_ms[first:end])
            values.append(np.array(entry.value[first:end], np.float64))
            offsets.append(len(ts))
        budget.used_samples += len(ts)
        if budget.used_samples > budget.max_samples:
            raise LimitExceededError("query would load too many samples", limit="limits.max_query_samples")
        value = np.concatenate(values) if values else np.zeros(0)
        return SampleColumns(np.array(offsets, np.int64), np.array(ts, np.int64), value)

    @property
    def rollup_resolutions_ms(self) -> tuple[int, ...]:
        """None."""
        return ()

    def read_rollups(
        self, selection: Selection, resolution_ms: int, range_ms: tuple[int, int], budget: ReadBudget
    ) -> RollupColumns:
        """Refused: there are none."""
        del selection, range_ms, budget
        raise ValueError(f"there are no buckets of {resolution_ms} ms")

    def read_histograms(self, selection: Selection, start_ms: int, end_ms: int, budget: ReadBudget) -> HistogramColumns:
        """Histograms of the selection in [start_ms, end_ms]."""
        del budget
        rows = [
            (position, ts, columns)
            for position, ref in enumerate(selection.refs)
            for ts, columns in self._series[int(ref)].histograms
            if start_ms <= ts <= end_ms
        ]
        return _join(rows)

    def read_exemplars(self, selection: Selection, start_ms: int, end_ms: int) -> Exemplars:
        """None."""
        del selection, start_ms, end_ms
        return Exemplars({})

    def label_names(self, tenant: str, matchers: Sequence[Sequence[Matcher]], start_ms: int, end_ms: int) -> list[str]:
        """Sorted label names."""
        del tenant, start_ms, end_ms
        return sorted({name for entry in self._matching(matchers) for name in entry.labels})

    def label_values(
        self, tenant: str, name: str, matchers: Sequence[Sequence[Matcher]], start_ms: int, end_ms: int
    ) -> list[str]:
        """Sorted values of a label."""
        del tenant, start_ms, end_ms
        return sorted({entry.labels[name] for entry in self._matching(matchers) if name in entry.labels})

    def metadata(self, tenant: str) -> dict[str, list[MetricMetadata]]:
        """None."""
        del tenant
        return {}

    def _matching(self, matchers: Sequence[Sequence[Matcher]]) -> list[MemorySeries]:
        return [
            entry
            for entry in self._series
            if not matchers or any(all(matches(m, entry.labels) for m in group) for group in matchers)
        ]


def matches(matcher: Matcher, labels: Mapping[str, str]) -> bool:
    """Whether labels meet a matcher."""
    value = labels.get(matcher.name, "")
    if matcher.operator is MatchOperator.EQUAL:
        return value == matcher.value
    if matcher.operator is MatchOperator.NOT_EQUAL:
        return value != matcher.value
    try:
        hit = compile_regex(f"(?s:{matcher.value})").fullmatch(value) is not None
    except ValueError as error:
        raise QueryFailedError(str(error)) from None
    return hit == (matcher.operator is MatchOperator.REGEX)


def _join(rows: list[tuple[int, int, HistogramColumns]]) -> HistogramColumns:
    return replace(
        HistogramColumns.concat([columns for _, _, columns in rows]),
        series=np.array([position for position, _, _ in rows], np.int64),
        ts_ms=np.array([ts for _, ts, _ in rows], np.int64),
    )
