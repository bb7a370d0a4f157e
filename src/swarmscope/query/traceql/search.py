"""Searching traces: candidates from the newest spans on, fetched whole, looked at exactly, until there are enough."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from swarmscope.lang.traceql.fields import FieldNode
from swarmscope.lang.traceql.nodes import Query
from swarmscope.model.contracts import ReadBudget, SpanReader
from swarmscope.model.logs import TRACE_ID_BYTES
from swarmscope.model.spans import SpanColumns, SpanRequest
from swarmscope.query.traceql.answers import FoundTrace, SearchAnswer
from swarmscope.query.traceql.candidates import plan_candidates
from swarmscope.query.traceql.conditions import fulfils
from swarmscope.query.traceql.demand import FOR_FACTS, Demand, demand_of
from swarmscope.query.traceql.found_traces import TraceDescriber
from swarmscope.query.traceql.hints import hints_of
from swarmscope.query.traceql.metered_batches import metered
from swarmscope.query.traceql.pipelines import run_pipeline
from swarmscope.query.traceql.settings import TraceqlSettings
from swarmscope.query.traceql.span_block import SpanBlock, SpanTables
from swarmscope.query.traceql.spansets import all_spans
from swarmscope.query.traceql.trace_facts import gather_facts
from swarmscope.query.traceql.trace_keys import EARLIEST_NS, LATEST_NS, distinct_ids
from swarmscope.query.traceql.trace_numbers import number_ids

_FOR_ANSWERS = Demand(SpanColumns(ids=True, duration=True, kind=True, name=True))
_GROWTH = 4


class Candidates(NamedTuple):
    """Traces, and when the newest span of theirs that was seen began; the newest first."""

    ids: NDArray[np.uint8]  # [n, TRACE_ID_BYTES]
    newest_ns: NDArray[np.int64]  # [n]


@dataclass(frozen=True, slots=True)
class SearchRequest:
    """A search over start_ns <= a span's start < end_ns: `limit` traces with `spans_per_set` spans of each set."""

    text: str
    start_ns: int
    end_ns: int
    limit: int
    spans_per_set: int
    tenant: str


@dataclass(slots=True)
class Search:
    """One search on its way."""

    reader: SpanReader
    settings: TraceqlSettings
    request: SearchRequest
    query: Query
    budget: ReadBudget
    tables: SpanTables
    found: list[FoundTrace] = field(default_factory=list)
    spans_read: int = 0
    _judged: set[bytes] = field(default_factory=set)
    _allowed: list[set[bytes]] | None = None

    def run(self) -> SearchAnswer:
        """The newest traces. Raises QueryFailedError, LimitExceededError."""
        plan = plan_candidates(self.query.pipeline)
        size = self.settings.first_traces
        for (ids, newest_ns), horizon_ns in self._slices(plan.driver):
            at = 0
            while at < len(ids) and not self._is_enough(int(newest_ns[at])):
                if size > self.settings.first_traces * _GROWTH and plan.others and self._allowed is None:
                    self._allowed = [self._traces_with(each) for each in plan.others]
                at, chunk = self._next_chunk(ids, at, size)
                if len(chunk):
                    self._judge(chunk)
                    size = min(size * _GROWTH, self.settings.most_traces)
            if self._is_enough(horizon_ns):
                break
        newest = sorted(self.found, key=lambda trace: (-trace.start_ns, trace.trace_id))[: self.request.limit]
        return SearchAnswer(tuple(newest), self.spans_read, len(self._judged))

    def _slices(self, driver: FieldNode | None) -> Iterator[tuple[Candidates, int]]:
        """Traces of spans that fulfil the driver in slices of time, and when the slice begins."""
        demand = demand_of([] if driver is None else [driver])
        request = self._range_request(demand, driver)
        batch_spans = self.settings.batch_spans
        walked = self.reader.walk_spans(self.request.tenant, request, self.budget, batch_spans=batch_spans)
        for rows in metered(walked, self.budget):
            self.spans_read += len(rows)
            held = np.flatnonzero(fulfils(driver, SpanBlock(rows, demand.attributes, self.tables)))
            yield newest_first(rows.trace_id[held], rows.start_ns[held]), int(rows.start_ns.min())

    def _range_request(self, demand: Demand, condition: FieldNode | None) -> SpanRequest:
        start_ns, end_ns = self.request.start_ns, self.request.end_ns
        return SpanRequest(start_ns, end_ns, demand.columns, demand.attributes, hints_of(condition))

    def _traces_with(self, condition: FieldNode) -> set[bytes]:
        """Traces that have a span in range which fulfils the condition."""
        demand = demand_of([condition])
        found: set[bytes] = set()
        request = self._range_request(demand, condition)
        for rows in metered(self.reader.scan_spans(self.request.tenant, request, self.budget), self.budget):
            self.spans_read += len(rows)
            held = np.flatnonzero(fulfils(condition, SpanBlock(rows, demand.attributes, self.tables)))
            found.update(_as_bytes(distinct_ids(rows.trace_id[held])))
        return found

    def _next_chunk(self, ids: NDArray[np.uint8], at: int, size: int) -> tuple[int, NDArray[np.uint8]]:
        """Up to `size` candidates that nobody judged yet, and the position behind them."""
        keys = _as_bytes(ids[at:])
        chosen = []
        for position, key in enumerate(keys):
            if key not in self._judged:
                self._judged.add(key)
                if all(key in allowed for allowed in self._allowed or ()):
                    chosen.append(at + position)
            if len(chosen) == size:
                return at + position + 1, ids[chosen]
        return len(ids), ids[chosen]

    def _is_enough(self, horizon_ns: int) -> bool:
        """Whether nothing newer can come, where spans not seen yet begin at the horizon or before."""
        if len(self.found) < self.request.limit:
            return False
        if not _wants_most_recent(self.query):
            return True
        return sum(trace.start_ns >= horizon_ns for trace in self.found) >= self.request.limit

    def _judge(self, ids: NDArray[np.uint8]) -> None:
        """Look at whole traces, and describe those that fulfil the query."""
        self.budget.cancellation.check()
        used = self.budget.used_samples
        block = fetch_traces(self.reader, self.request.tenant, ids, self.query, (self.budget, self.tables))
        self.spans_read += len(block)
        if len(block):
            start_ns = block.rows.start_ns
            in_range = (self.request.start_ns <= start_ns) & (start_ns < self.request.end_ns)
            sets = run_pipeline(self.query.pipeline, block, all_spans(block, in_range))
            describer = TraceDescriber(block, sets, self.query.pipeline, self.request.spans_per_set)
            self.found.extend(describer.describe(self.request.limit))
        self.budget.used_samples = used


def fetch_traces(
    reader: SpanReader, tenant: str, ids: NDArray[np.uint8], query: Query, means: tuple[ReadBudget, SpanTables]
) -> SpanBlock:
    """Whole traces with all that the query needs, and their facts."""
    budget, tables = means
    demand = _FOR_ANSWERS.joined(demand_of([query])).joined(Demand(FOR_FACTS))
    request = SpanRequest(EARLIEST_NS, LATEST_NS, demand.columns, demand.attributes)
    rows = reader.find_traces(tenant, ids, budget, request)
    return SpanBlock(rows, demand.attributes, tables, gather_facts(rows))


def newest_first(trace_id: NDArray[np.uint8], start_ns: NDArray[np.int64]) -> Candidates:
    """Distinct traces of spans, those with the newest span first."""
    order = np.argsort(-start_ns, kind="stable")
    ids = np.ascontiguousarray(trace_id[order])
    first = number_ids(ids).first
    return Candidates(ids[first], start_ns[order[first]])


def _as_bytes(ids: NDArray[np.uint8]) -> list[bytes]:
    whole = np.ascontiguousarray(ids).tobytes()
    return [whole[i : i + TRACE_ID_BYTES] for i in range(0, len(whole), TRACE_ID_BYTES)]


def _wants_most_recent(query: Query) -> bool:
    return any(hint.name == "most_recent" and hint.value.value is True for hint in query.hints)
