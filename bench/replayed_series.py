"""Series of a replayed story in memory, for the real PromQL engine: columns that grow, samples in order of time."""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from swarmscope.model.contracts import Exemplars, MetricMetadata, ReadBudget
from swarmscope.model.labels import METRIC_NAME
from swarmscope.model.matchers import Matcher, MatchOperator
from swarmscope.model.metrics import HistogramColumns
from swarmscope.model.series import ABSENT, LabelFrame, RollupColumns, SampleColumns, Selection
from swarmscope.model.staleness import STALE_NAN
from swarmscope.query.promql.memory_reader import ListSymbols, matches

Labels = tuple[tuple[str, str], ...]


class ReplayedSeries:
    """A `Reader` of one tenant."""

    def __init__(self) -> None:
        self.symbols = ListSymbols()
        self._refs: dict[tuple[str, Labels], int] = {}
        self._of_name: dict[str, list[int]] = {}
        self._labels: list[dict[str, str]] = []
        self._codes: list[dict[str, int]] = []
        self._ts_ms: list[array[int]] = []
        self._value: list[array[float]] = []
        self._chosen: dict[tuple[Matcher, ...], tuple[int, list[int]]] = {}
        self.rollup_resolutions_ms: tuple[int, ...] = ()

    def append(self, name: str, labels: Labels, ts_ms: int, value: float) -> None:
        """Add one sample."""
        ref = self._refs.get((name, labels))
        if ref is None:
            ref = self._refs[name, labels] = len(self._labels)
            own = {METRIC_NAME: name, **dict(labels)}
            self._labels.append(own)
            self._codes.append({label: self.symbols.learn(text) for label, text in own.items()})
            for label in own:
                self.symbols.learn(label)
            self._ts_ms.append(array("q"))
            self._value.append(array("d"))
            self._of_name.setdefault(name, []).append(ref)
        self._ts_ms[ref].append(ts_ms)
        self._value[ref].append(value)

    def replace(self, name: str, values: Mapping[Labels, float], ts_ms: int) -> None:
        """These are all series of a gauge; those that are not named any more end."""
        for ref in self._of_name.get(name, ()):
            labels = tuple((key, text) for key, text in self._labels[ref].items() if key != METRIC_NAME)
            if labels not in values and not np.isnan(self._value[ref][-1]):
                self.append(name, labels, ts_ms, STALE_NAN)
        for labels, value in values.items():
            self.append(name, labels, ts_ms, value)

    def select_series(self, tenant: str, matchers: Sequence[Matcher], start_ms: int, end_ms: int) -> Selection:
        """As `Reader.select_series`; times are not looked at."""
        del tenant, start_ms, end_ms
        found = self._select(tuple(matchers))
        names = sorted({name for ref in found for name in self._labels[ref]})
        codes = np.full((len(names), len(found)), ABSENT, np.int32)
        for column, ref in enumerate(found):
            own = self._codes[ref]
            codes[:, column] = [own.get(name, ABSENT) for name in names]
        return Selection(np.array(found, np.int64), LabelFrame(tuple(names), codes))

    def _select(self, matchers: tuple[Matcher, ...]) -> list[int]:
        looked_at, found = self._chosen.get(matchers, (0, []))
        if looked_at < len(self._labels):
            named = next(
                (m.value for m in matchers if m.name == METRIC_NAME and m.operator is MatchOperator.EQUAL), None
            )
            refs: Iterable[int] = range(len(self._labels)) if named is None else self._of_name.get(named, ())
            found = [ref for ref in refs if all(matches(m, self._labels[ref]) for m in matchers)]
            self._chosen[matchers] = (len(self._labels), found)
        return found

    def read_samples(self, selection: Selection, start_ms: int, end_ms: int, budget: ReadBudget) -> SampleColumns:
        """As `Reader.read_samples`."""
        parts_ms, parts, offsets = [np.zeros(0, np.int64)], [np.zeros(0)], [0]
        for ref in selection.refs.tolist():
            ts_ms = self._ts_ms[ref]
            first, last = bisect_left(ts_ms, start_ms), bisect_right(ts_ms, end_ms)
            parts_ms.append(np.array(ts_ms[first:last], np.int64))
            parts.append(np.array(self._value[ref][first:last]))
            offsets.append(offsets[-1] + last - first)
        budget.used_samples += offsets[-1]
        return SampleColumns(np.array(offsets, np.int64), np.concatenate(parts_ms), np.concatenate(parts))

    def read_rollups(
        self, selection: Selection, resolution_ms: int, range_ms: tuple[int, int], budget: ReadBudget
    ) -> RollupColumns:
        """There are none."""
        raise ValueError(resolution_ms)

    def read_histograms(self, selection: Selection, start_ms: int, end_ms: int, budget: ReadBudget) -> HistogramColumns:
        """There are none."""
        raise ValueError(selection)

    def read_exemplars(self, selection: Selection, start_ms: int, end_ms: int) -> Exemplars:
        """There are none."""
        return Exemplars({})

    def label_names(self, tenant: str, matchers: Sequence[Sequence[Matcher]], start_ms: int, end_ms: int) -> list[str]:
        """Of all series."""
        return sorted({name for own in self._labels for name in own})

    def label_values(
        self, tenant: str, name: str, matchers: Sequence[Sequence[Matcher]], start_ms: int, end_ms: int
    ) -> list[str]:
        """Of all series."""
        return sorted({own[name] for own in self._labels if name in own})

    def metadata(self, tenant: str) -> dict[str, list[MetricMetadata]]:
        """None."""
        return {}
