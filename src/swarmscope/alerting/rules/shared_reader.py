"""A reader for one round of evaluations: rules that ask for the same are answered by one fetch."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from typing import Any, TypeVar, cast

from swarmscope.model.contracts import Exemplars, MetricMetadata, ReadBudget, Reader
from swarmscope.model.matchers import Matcher
from swarmscope.model.metrics import HistogramColumns
from swarmscope.model.series import RollupColumns, SampleColumns, Selection, SymbolTable

Answer = TypeVar("Answer")
# Samples kept for other rules of the round; what comes after that is fetched by each for itself.
_MAX_KEPT_SAMPLES = 5_000_000


class SharedReader:
    """A `Reader` around a reader that remembers. Made for one round, in which nothing new is to be seen.

    Not thread-safe. `selections` are all that were chosen, by matchers, so that the caller knows what a rule reads.
    """

    def __init__(self, inner: Reader) -> None:
        self._inner = inner
        self._known: dict[Hashable, Any] = {}
        self._kept_samples = 0
        self.selections: dict[tuple[Matcher, ...], Selection] = {}

    def _remembered(self, key: Hashable, fetch: Callable[[], Answer], size: Callable[[Answer], int]) -> Answer:
        if key in self._known:
            return cast("Answer", self._known[key])
        answer = fetch()
        n = size(answer)
        if self._kept_samples + n <= _MAX_KEPT_SAMPLES:
            self._kept_samples += n
            self._known[key] = answer
        return answer

    @property
    def symbols(self) -> SymbolTable:
        """As `Reader`."""
        return self._inner.symbols

    @property
    def rollup_resolutions_ms(self) -> tuple[int, ...]:
        """As `Reader`."""
        return self._inner.rollup_resolutions_ms

    def select_series(self, tenant: str, matchers: Sequence[Matcher], start_ms: int, end_ms: int) -> Selection:
        """As `Reader`: the same selection object for the same question."""
        chosen = tuple(matchers)
        selection = self._remembered(
            ("select", tenant, chosen, start_ms, end_ms),
            lambda: self._inner.select_series(tenant, matchers, start_ms, end_ms),
            lambda found: len(found.refs),
        )
        self.selections[chosen] = selection
        return selection

    def read_samples(self, selection: Selection, start_ms: int, end_ms: int, budget: ReadBudget) -> SampleColumns:
        """As `Reader`; what another rule has fetched counts for this one's budget too."""
        fetched = False

        def fetch() -> SampleColumns:
            nonlocal fetched
            fetched = True
            return self._inner.read_samples(selection, start_ms, end_ms, budget)

        found = self._remembered(
            ("samples", *_what(selection), start_ms, end_ms), fetch, lambda samples: len(samples.ts_ms)
        )
        if not fetched:
            budget.used_samples += len(found.ts_ms)
        return found

    def read_rollups(
        self, selection: Selection, resolution_ms: int, range_ms: tuple[int, int], budget: ReadBudget
    ) -> RollupColumns:
        """As `Reader`."""
        return self._remembered(
            ("rollups", *_what(selection), resolution_ms, range_ms),
            lambda: self._inner.read_rollups(selection, resolution_ms, range_ms, budget),
            lambda found: 10 * len(found.bucket_ms),
        )

    def read_histograms(self, selection: Selection, start_ms: int, end_ms: int, budget: ReadBudget) -> HistogramColumns:
        """As `Reader`."""
        return self._inner.read_histograms(selection, start_ms, end_ms, budget)

    def read_exemplars(self, selection: Selection, start_ms: int, end_ms: int) -> Exemplars:
        """As `Reader`."""
        return self._inner.read_exemplars(selection, start_ms, end_ms)

    def label_names(self, tenant: str, matchers: Sequence[Sequence[Matcher]], start_ms: int, end_ms: int) -> list[str]:
        """As `Reader`."""
        return self._inner.label_names(tenant, matchers, start_ms, end_ms)

    def label_values(
        self, tenant: str, name: str, matchers: Sequence[Sequence[Matcher]], start_ms: int, end_ms: int
    ) -> list[str]:
        """As `Reader`."""
        return self._inner.label_values(tenant, name, matchers, start_ms, end_ms)

    def metadata(self, tenant: str) -> dict[str, list[MetricMetadata]]:
        """As `Reader`."""
        return self._inner.metadata(tenant)


def _what(selection: Selection) -> tuple[int, bytes]:
    """The selection's identity: two fetches of the same series are one, however these were chosen."""
    return len(selection.refs), selection.refs.tobytes()
