"""After a start: spans that an earlier process had acknowledged and not written down are looked at now.

The stored spans are read once more, from the mark that the earlier process left on disk. Those that it had written down
only tell what later spans inherit; the others are counted. So nothing is missing, and nothing counts twice.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from swarmscope.fleet.stored_spans import to_batch
from swarmscope.fleet.tenant_watch import TenantWatch
from swarmscope.model.agents import AgentSpans
from swarmscope.model.contracts import Clock, ReadBudget, SpanReader
from swarmscope.model.errors import QueryCancelledError
from swarmscope.model.spans import SpanBatch, SpanColumns, SpanRequest

_log = logging.getLogger(__name__)
_NS_PER_S = 1_000_000_000
# Spans before the mark are all written down; those shortly before are the ancestors of some that are not.
_CONTEXT_NS = 120 * _NS_PER_S
# Spans whose clock runs ahead are found too.
_AHEAD_NS = 24 * 3600 * _NS_PER_S
# More would take minutes and gigabytes. Who loads as much as this again has to load it again.
_MAX_SPANS = 3_000_000

Normalise = Callable[[SpanBatch], AgentSpans]
StoredKeys = Callable[[str, int], NDArray[np.uint64]]


class _Stopping:
    """A `Cancellation` that ends when the program does."""

    def __init__(self, is_stopping: Callable[[], bool]) -> None:
        self._is_stopping = is_stopping

    @property
    def remaining_s(self) -> float:
        """There is time until the stop."""
        return math.inf

    def check(self) -> None:
        """Raise QueryCancelledError when the program stops."""
        if self._is_stopping():
            raise QueryCancelledError("the program stops")


@dataclass(frozen=True, slots=True)
class SpanSource:
    """Stored spans, and how what they say of agents is read out of them."""

    reader: SpanReader
    normalise: Normalise


@dataclass(frozen=True, slots=True)
class Recovery:
    """`stored_keys` gives the span keys [n] of a tenant's written spans that end at or after a time [ns]."""

    source: SpanSource
    stored_keys: StoredKeys
    clock: Clock
    is_stopping: Callable[[], bool]

    def run(self, tenant: TenantWatch, mark_ns: int) -> int:
        """Look at what was missed since the mark; how many spans that was.

        Raises LimitExceededError where there is more than can be read again, QueryCancelledError at a stop, and what
        the store raises. What was counted until then stays.
        """
        begin_ns = mark_ns - _CONTEXT_NS
        stored = np.sort(self.stored_keys(tenant.name, begin_ns))
        missed: list[AgentSpans] = []
        for spans in self._spans(tenant.name, begin_ns):
            is_known = np.isin(spans.span_key, stored) | ~spans.says_something
            tenant.recall_stored(spans.take(np.flatnonzero(is_known)), self.clock.now_ns())
            if not is_known.all():
                missed.append(spans.take(np.flatnonzero(~is_known)))
        for spans in missed:
            tenant.recall_missed(spans, self.clock.now_ns())
        return sum(map(len, missed))

    def _spans(self, tenant: str, begin_ns: int) -> Iterator[AgentSpans]:
        request = SpanRequest(begin_ns, self.clock.now_ns() + _AHEAD_NS, SpanColumns(whole=True))
        budget = ReadBudget(_Stopping(self.is_stopping), _MAX_SPANS)
        reader = self.source.reader
        for rows in reader.scan_spans(tenant, request, budget):
            if len(rows):
                spans = self.source.normalise(to_batch(rows, reader, tenant))
                spans.weight = rows.weight
                yield spans
