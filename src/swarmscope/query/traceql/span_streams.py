"""The spans that come out of a pipeline, in batches, for metrics."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from swarmscope.lang.traceql.fields import FieldNode
from swarmscope.lang.traceql.nodes import Coalesce, Intrinsic, IntrinsicField, Query, Select, SpansetFilter, walk
from swarmscope.model.contracts import ReadBudget, SpanReader
from swarmscope.model.spans import SpanRequest, SpanRows
from swarmscope.query.traceql.candidates import plan_candidates
from swarmscope.query.traceql.conditions import fulfils
from swarmscope.query.traceql.demand import FOR_FACTS, Demand, all_of, demand_of, needs_traces
from swarmscope.query.traceql.hints import hints_of
from swarmscope.query.traceql.metered_batches import metered
from swarmscope.query.traceql.metric_requests import Steps
from swarmscope.query.traceql.pipelines import run_pipeline
from swarmscope.query.traceql.row_joining import joined_spans, no_rows, taken_spans
from swarmscope.query.traceql.settings import TraceqlSettings
from swarmscope.query.traceql.span_block import SpanBlock, SpanTables
from swarmscope.query.traceql.spansets import all_spans
from swarmscope.query.traceql.trace_facts import gather_facts
from swarmscope.query.traceql.trace_keys import EARLIEST_NS, LATEST_NS, distinct_ids, known_ids

Matching = tuple[SpanBlock, NDArray[np.int64]]


@dataclass(slots=True)
class SpanStream:
    """Spans of one query that begin in the range. `spans_read` is told when all was read."""

    reader: SpanReader
    settings: TraceqlSettings
    tenant: str
    range_ns: tuple[int, int]  # start <= a span's start < end
    query: Query
    budget: ReadBudget
    tables: SpanTables
    demand: Demand
    spans_read: int = 0

    @property
    def looks_at_spans_alone(self) -> bool:
        """Whether no span needs others to be judged: `matching` has no trace ids then, but for a query of those."""
        return _plain_filters(self.query) is not None

    @property
    def needs_resources_alone(self) -> bool:
        """Whether every span matches, and nothing but its resource and start is asked for."""
        nothing = self.demand == Demand() and not _shows_trace_ids(self.query)
        return nothing and _plain_filters(self.query) == []

    def counted(self, steps: Steps) -> Matching:
        """As `matching` where `needs_resources_alone`: of the spans of a step one each stands for all of a resource."""
        counts = self.reader.count_spans(self.tenant, steps.start_ns, (steps.step_ns, steps.count), self.budget)
        self.spans_read += counts.n_spans
        start_ns = steps.start_ns + 1 + counts.step * steps.step_ns
        weight = counts.weight.astype(np.float32)
        rows = replace(no_rows(), resource=counts.resource, start_ns=start_ns, weight=weight)
        return SpanBlock(rows, (), self.tables), np.arange(len(rows))

    def matching(self) -> Iterator[Matching]:
        """Blocks, and the positions of the spans in each that come out of the pipeline."""
        filters = _plain_filters(self.query)
        yield from self._single_spans(filters) if filters is not None else self._of_traces()

    def newest(self, about: int) -> Iterator[Matching]:
        """As `matching`, with trace ids, for some of the newest spans; for a query that looks at spans alone."""
        condition = all_of(_plain_filters(self.query) or [])
        request = SpanRequest(*self.range_ns, self.demand.columns, self.demand.attributes, hints_of(condition))
        walked = self.reader.walk_spans(self.tenant, request, self.budget, batch_spans=about)
        batches = metered(walked, self.budget)
        for rows in batches:
            block = SpanBlock(rows, self.demand.attributes, self.tables)
            yield block, np.flatnonzero(fulfils(condition, block))
            break
        batches.close()

    def _single_spans(self, filters: Sequence[FieldNode]) -> Iterator[Matching]:
        # Fast path: every span is looked at by itself, and half of the bytes would be trace ids.
        condition = all_of(list(filters))
        columns = replace(self.demand.columns, trace_id=_shows_trace_ids(self.query))
        for block in self._scan(self.range_ns, replace(self.demand, columns=columns), condition):
            yield block, np.flatnonzero(fulfils(condition, block))

    def _of_traces(self) -> Iterator[Matching]:
        demand = self.demand.joined(Demand(FOR_FACTS))
        ids = self._candidates()
        used = self.budget.used_samples
        if len(ids) > self.settings.many_traces:
            yield from self._through(self._everything(ids, demand), demand)
            return
        request = SpanRequest(EARLIEST_NS, LATEST_NS, demand.columns, demand.attributes)
        for at in range(0, len(ids), self.settings.most_traces):
            self.budget.cancellation.check()
            rows = self.reader.find_traces(self.tenant, ids[at : at + self.settings.most_traces], self.budget, request)
            self.spans_read += len(rows)
            yield from self._through(rows, demand)
            self.budget.used_samples = used

    def _through(self, rows: SpanRows, demand: Demand) -> Iterator[Matching]:
        if len(rows):
            block = SpanBlock(rows, demand.attributes, self.tables, gather_facts(rows))
            in_range = (self.range_ns[0] <= rows.start_ns) & (rows.start_ns < self.range_ns[1])
            yield block, np.flatnonzero(run_pipeline(self.query.pipeline, block, all_spans(block, in_range)).mask)

    def _candidates(self) -> NDArray[np.uint8]:
        """Ids of the traces that may have something."""
        plan = plan_candidates(self.query.pipeline)
        ids = self._traces_with(plan.driver)
        for each in plan.others:
            if len(ids) > self.settings.first_traces:
                ids = ids[known_ids(ids, self._traces_with(each))]
        return ids

    def _traces_with(self, condition: FieldNode | None) -> NDArray[np.uint8]:
        demand = demand_of([] if condition is None else [condition])
        found = [
            distinct_ids(block.rows.trace_id[np.flatnonzero(fulfils(condition, block))])
            for block in self._scan(self.range_ns, demand, condition)
        ]
        return distinct_ids(np.concatenate(found)) if found else np.zeros((0, 16), np.uint8)

    def _everything(self, ids: NDArray[np.uint8], demand: Demand) -> SpanRows:
        """All spans of many traces: what of them lies near the range."""
        margin_ns = self.settings.trace_margin_ns
        wide = (max(self.range_ns[0] - margin_ns, EARLIEST_NS), min(self.range_ns[1] + margin_ns, LATEST_NS))
        parts = []
        for block in self._scan(wide, demand, None, keeps=True):
            positions = np.flatnonzero(known_ids(block.rows.trace_id, ids))
            parts.append(taken_spans(block.rows, positions))
        return joined_spans(parts)

    def _scan(
        self, range_ns: tuple[int, int], demand: Demand, condition: FieldNode | None, *, keeps: bool = False
    ) -> Iterator[SpanBlock]:
        request = SpanRequest(*range_ns, demand.columns, demand.attributes, hints_of(condition))
        for rows in metered(self.reader.scan_spans(self.tenant, request, self.budget), self.budget, keeps=keeps):
            self.spans_read += len(rows)
            yield SpanBlock(rows, demand.attributes, self.tables)


def _plain_filters(query: Query) -> list[FieldNode] | None:
    """The conditions of a pipeline that looks at every span by itself, None for any other."""
    if needs_traces(query):
        return None
    conditions = []
    for stage in query.pipeline.stages:
        if isinstance(stage, SpansetFilter):
            if stage.condition is not None:
                conditions.append(stage.condition)
        elif not isinstance(stage, (Select, Coalesce)):
            return None
    return conditions


def _shows_trace_ids(query: Query) -> bool:
    return any(isinstance(node, Intrinsic) and node.name is IntrinsicField.TRACE_ID for node in walk(query))
