"""Metrics of traces: spans of a pipeline through a metrics function to series."""

from __future__ import annotations

from swarmscope.lang.traceql.nodes import Compare, Query
from swarmscope.model.contracts import ReadBudget, SpanReader
from swarmscope.model.errors import UnsupportedQueryError
from swarmscope.query.traceql.answers import MetricsAnswer, TraceSeries
from swarmscope.query.traceql.comparing import CompareAccumulator, compare_demand
from swarmscope.query.traceql.demand import demand_of
from swarmscope.query.traceql.metric_requests import MetricsRequest, plan_steps
from swarmscope.query.traceql.series_aggregates import SeriesAccumulator
from swarmscope.query.traceql.series_stages import run_stages
from swarmscope.query.traceql.settings import TraceqlSettings
from swarmscope.query.traceql.span_block import SpanTables
from swarmscope.query.traceql.span_streams import SpanStream

_EXEMPLARS_AMONG = 2_000  # newest spans, about


def run_metrics(
    reader: SpanReader, settings: TraceqlSettings, request: MetricsRequest, query: Query, budget: ReadBudget
) -> MetricsAnswer:
    """Series of a query that has a metrics function. Raises the query errors of `model.errors`."""
    if query.metrics is None:
        raise UnsupportedQueryError("a metrics query needs a metrics function, as in { } | rate()")
    steps = plan_steps(request, settings.max_points)
    # Every point is of a whole step; the span that begins at its end is in it, the one at its beginning is not.
    range_ns = (steps.start_ns + 1, steps.start_ns + steps.count * steps.step_ns + 1)
    demand = demand_of([query])
    compares = isinstance(query.metrics, Compare)
    stream = SpanStream(
        reader, settings, request.tenant, range_ns, query, budget, SpanTables(reader),
        demand.joined(compare_demand()) if compares else demand,
    )  # fmt: skip
    if isinstance(query.metrics, Compare):
        compared = CompareAccumulator(query.metrics, steps, settings)
        for block, positions in stream.matching():
            compared.add(block, positions)
        series = compared.series()
    else:
        accumulator = SeriesAccumulator(query.metrics, steps, settings, _max_exemplars(query, request, settings))
        series = _aggregated(accumulator, stream)
    return MetricsAnswer(steps.times_ns, tuple(run_stages(query.series_stages, series)), stream.spans_read)


def _aggregated(accumulator: SeriesAccumulator, stream: SpanStream) -> list[TraceSeries]:
    alone = stream.looks_at_spans_alone
    if alone and accumulator.wants_exemplars:
        # The trace ids of all spans would be half of what is read, and an exemplar needs but a few.
        for block, positions in stream.newest(_EXEMPLARS_AMONG):
            accumulator.pick_exemplars(block, positions)
    if accumulator.counts_alone and stream.needs_resources_alone:
        accumulator.add(*stream.counted(accumulator.steps))
        return accumulator.series()
    for block, positions in stream.matching():
        accumulator.add(block, positions)
        if not alone and accumulator.wants_exemplars:
            accumulator.pick_exemplars(block, positions)
    return accumulator.series()


def _max_exemplars(query: Query, request: MetricsRequest, settings: TraceqlSettings) -> int:
    """One number for a query has none; else the hint says how many, or whether at all."""
    if request.step_ns is None:
        return 0
    for hint in query.hints:
        if hint.name == "exemplars" and isinstance(hint.value.value, (bool, int)):
            wanted = hint.value.value
            return settings.max_exemplars * wanted if isinstance(wanted, bool) else min(wanted, settings.max_exemplars)
    return settings.max_exemplars
