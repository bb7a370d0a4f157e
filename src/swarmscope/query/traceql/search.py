"""Searching traces: candidates from the newest spans on, fetched whole, looked at exactly, until there are enough."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from swarmscope.lang.traceql.fields import FieldNode
from swarmscope.lang.traceql.nodes import Query
from swarmscope.model.contracts import ReadBudget, SpanReader
from swarmscope.model.spans import SpanColumns, SpanRequest, SpanRows
from swarmscope.query.traceql.answers import FoundTrace, SearchAnswer
from swarmscope.query.traceql.candidate_sieve import CandidateSieve
from swarmscope.query.traceql.candidates import own_spans, plan_candidates
from swarmscope.query.traceql.conditions import fulfils
from swarmscope.query.traceql.demand import FOR_FACTS, Demand, demand_of
from swarmscope.query.traceql.found_traces import TraceDescriber
from swarmscope.query.traceql.hints import hints_of
from swarmscope.query.traceql.metered_batches import metered
from swarmscope.query.traceql.pipelines import run_pipeline
from swarmscope.query.traceql.row_joining import joined_spans, taken_spans
from swarmscope.query.traceql.settings import TraceqlSettings
from swarmscope.query.traceql.span_block import SpanBlock, SpanTables
from swarmscope.query.traceql.spansets import all_spans
from swarmscope.query.traceql.trace_facts import gather_facts
from swarmscope.query.traceql.trace_keys import EARLIEST_NS, LATEST_NS, Candidates, as_bytes, distinct_ids, newest_first

_FOR_ANSWERS = Demand(SpanColumns(ids=True, duration=True, kind=True, name=True))
_GROWTH = 4


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
    _chunk_traces: int = 0
    _survivors: set[bytes] | frozenset[bytes] | None = None

    def __post_init__(self) -> None:
        self._chunk_traces = self.settings.first_traces

    def run(self) -> SearchAnswer:
        """The newest traces. Raises QueryFailedError, LimitExceededError."""
        plan = plan_candidates(self.query.pipeline)
        sieve = CandidateSieve(plan.others, self.settings.first_traces, self._traces_with, self.request.end_ns)
        sliced = self._slices(plan.driver)
        for candidates, horizon_ns in sliced:
            self._judge_newest(sieve.passed(candidates, horizon_ns))
            if self._is_enough(horizon_ns):
                sliced.close()
                break
        else:
            self._judge_newest(sieve.rest(self.request.start_ns))
        newest = sorted(self.found, key=lambda trace: (-trace.start_ns, trace.trace_id))[: self.request.limit]
        return SearchAnswer(tuple(newest), self.spans_read, len(self._judged))

    def _judge_newest(self, candidates: Candidates) -> None:
        """Look at candidates, in growing numbers, until there are enough."""
        ids, newest_ns = candidates
        at = 0
        while at < len(ids) and not self._is_enough(int(newest_ns[at])):
            if self._chunk_traces > self.settings.first_traces * _GROWTH and self._survivors is None:
                self._survivors = self._sure_traces()
            at, chunk = self._next_chunk(ids, at, self._chunk_traces)
            if len(chunk):
                self._judge(chunk)
                self._chunk_traces = min(self._chunk_traces * _GROWTH, self.settings.most_traces)

    def _sure_traces(self) -> set[bytes] | frozenset[bytes] | None:
        """Traces that fulfil the query for sure, where their matching spans alone can tell; None where not."""
        condition = own_spans(self.query.pipeline)
        if condition is None:
            return None
        demand = demand_of([self.query]).joined(Demand(FOR_FACTS))
        parts = []
        for rows in self._scan(condition, demand, (self.request.start_ns, self.request.end_ns), keeps=True):
            held = np.flatnonzero(fulfils(condition, SpanBlock(rows, demand.attributes, self.tables)))
            parts.append(taken_spans(rows, held))
        rows = joined_spans(parts)
        if not len(rows):
            return frozenset()
        facts = gather_facts(rows)
        block = SpanBlock(rows, demand.attributes, self.tables, facts)
        sets = run_pipeline(self.query.pipeline, block, all_spans(block, np.ones(len(rows), np.bool_)))
        return set(as_bytes(distinct_ids(rows.trace_id[sets.mask])))

    def _slices(self, driver: FieldNode | None) -> Generator[tuple[Candidates, int], None, None]:
        """Traces of spans that fulfil the driver in slices of time, and when the slice begins."""
        demand = demand_of([] if driver is None else [driver])
        request = _request(demand, driver, (self.request.start_ns, self.request.end_ns))
        batch_spans = self.settings.batch_spans
        walked = self.reader.walk_spans(self.request.tenant, request, self.budget, batch_spans=batch_spans)
        for rows in metered(walked, self.budget):
            self.spans_read += len(rows)
            held = np.flatnonzero(fulfils(driver, SpanBlock(rows, demand.attributes, self.tables)))
            yield newest_first(rows.trace_id[held], rows.start_ns[held]), int(rows.start_ns.min())

    def _scan(
        self, condition: FieldNode, demand: Demand, range_ns: tuple[int, int], *, keeps: bool = False
    ) -> Iterator[SpanRows]:
        request = _request(demand, condition, range_ns)
        source = self.reader.scan_spans(self.request.tenant, request, self.budget)
        for rows in metered(source, self.budget, keeps=keeps):
            self.spans_read += len(rows)
            yield rows

    def _traces_with(self, condition: FieldNode, range_ns: tuple[int, int]) -> set[bytes]:
        """Traces that have a span in this range which fulfils the condition."""
        demand = demand_of([condition])
        found: set[bytes] = set()
        for rows in self._scan(condition, demand, range_ns):
            held = np.flatnonzero(fulfils(condition, SpanBlock(rows, demand.attributes, self.tables)))
            found.update(as_bytes(distinct_ids(rows.trace_id[held])))
        return found

    def _next_chunk(self, ids: NDArray[np.uint8], at: int, size: int) -> tuple[int, NDArray[np.uint8]]:
        """Up to `size` candidates that nobody judged yet, and the position behind them."""
        keys = as_bytes(ids[at:])
        chosen = []
        for position, key in enumerate(keys):
            if key not in self._judged:
                self._judged.add(key)
                if self._survivors is None or key in self._survivors:
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


def _request(demand: Demand, condition: FieldNode | None, range_ns: tuple[int, int]) -> SpanRequest:
    return SpanRequest(*range_ns, demand.columns, demand.attributes, hints_of(condition))


def _wants_most_recent(query: Query) -> bool:
    return any(hint.name == "most_recent" and hint.value.value is True for hint in query.hints)
