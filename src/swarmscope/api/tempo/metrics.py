"""/api/metrics/query_range, /api/metrics/query and /api/metrics/summary: numbers that spans make.

Manuals: https://grafana.com/docs/tempo/latest/api_docs/#traceql-metrics and
https://grafana.com/docs/tempo/latest/api_docs/metrics-summary/
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from starlette.responses import Response
from starlette.routing import BaseRoute

from swarmscope.api.request_times import NS_PER_MS, NS_PER_S, TimeRange
from swarmscope.api.tempo.endpoint import TempoExchange, TempoPath, Work, refuse
from swarmscope.api.tempo.parameters import count_of, metrics_range, step_of
from swarmscope.api.tempo.trace_json import double_json
from swarmscope.api.tempo.value_json import labels_json, spelled
from swarmscope.lang.traceql import parse_traceql
from swarmscope.model.contracts import ReadBudget
from swarmscope.model.series_text import series_text
from swarmscope.model.spans import SpanKind, SpanStatus
from swarmscope.query.traceql.answers import Label, MetricsAnswer, TraceExemplar, TraceSeries
from swarmscope.query.traceql.metric_requests import MetricsRequest
from swarmscope.query.traceql.values import Tag, TypedValue

_QUANTILES = {"p99": 0.99, "p95": 0.95, "p90": 0.9, "p50": 0.5}
_QUANTILE_LABEL = "p"
# traceql.StaticType, traceql.Status and traceql.Kind of Tempo, which the summary gives as numbers.
_STATIC_TYPES = {
    Tag.INTEGER: (3, "n"), Tag.FLOAT: (4, "f"), Tag.STRING: (5, "s"), Tag.BOOLEAN: (6, "b"), Tag.DURATION: (7, "d"),
    Tag.STATUS: (8, "status"), Tag.KIND: (9, "kind"),
}  # fmt: skip
_STATUS_NUMBERS = {SpanStatus.ERROR: 0, SpanStatus.OK: 1, SpanStatus.UNSET: 2}
_KIND_NUMBERS = {SpanKind.CLIENT: 2, SpanKind.SERVER: 3}


def metrics_routes(path: TempoPath) -> list[BaseRoute]:
    """The endpoints that give numbers."""
    return [
        path.route("/api/metrics/query_range", _query_range),
        path.route("/api/metrics/query", _query),
        path.route("/api/metrics/summary", _summary, ("GET",)),
    ]


async def _query_range(exchange: TempoExchange) -> Response:
    return await exchange.answer("QueryRangeResponse", range_work(exchange))


async def _query(exchange: TempoExchange) -> Response:
    return await exchange.answer("QueryInstantResponse", instant_work(exchange))


def range_work(exchange: TempoExchange) -> Work:
    """The series that the parameters ask for. Raises ApiError."""
    parameters = exchange.parameters
    span = metrics_range(parameters, exchange.now_ns)
    step_ns = step_of(parameters, span)
    most_exemplars = count_of(parameters, "exemplars", exchange.parts.engine.settings.max_exemplars, least=0)

    def make(budget: ReadBudget) -> dict[str, Any]:
        request = MetricsRequest(parameters.text("q"), *span, step_ns, exchange.tenant)
        return range_json(exchange.parts.engine.metrics(request, budget), most_exemplars)

    return make


def instant_work(exchange: TempoExchange) -> Work:
    """The numbers that the parameters ask for. Raises ApiError."""
    span = metrics_range(exchange.parameters, exchange.now_ns)

    def make(budget: ReadBudget) -> dict[str, Any]:
        request = MetricsRequest(exchange.parameters.text("q"), *span, None, exchange.tenant)
        return instant_json(exchange.parts.engine.metrics(request, budget))

    return make


def range_json(answer: MetricsAnswer, most_exemplars: int) -> dict[str, Any]:
    """Series with a sample for each step that has a number; of exemplars so many in all, the earliest of each series.

    Every series gets its share of exemplars.
    """
    stamps = list(map(str, (answer.times_ns // NS_PER_MS).tolist()))
    share = -(-most_exemplars // max(len(answer.series), 1))
    series = []
    for each in answer.series:
        shown: dict[str, Any] = {
            "labels": labels_json(each.labels),
            "samples": _samples(stamps, each.values),
            "promLabels": _prom_labels(each.labels),
        }
        if each.exemplars[:share]:
            shown["exemplars"] = [_exemplar(exemplar) for exemplar in each.exemplars[:share]]
        series.append(shown)
    return {"series": series, "metrics": {"inspectedBytes": "0"}}


def instant_json(answer: MetricsAnswer) -> dict[str, Any]:
    """One number for each series that has one."""
    series = [
        {
            "labels": labels_json(each.labels),
            "value": double_json(float(each.values[0])),
            "promLabels": _prom_labels(each.labels),
        }
        for each in answer.series
        if not np.isnan(each.values[0])
    ]
    return {"series": series, "metrics": {"inspectedBytes": "0"}}


def _samples(stamps: list[str], values: NDArray[np.float64]) -> list[dict[str, Any]]:
    there = ~np.isnan(values)
    if np.isinf(values).any():
        numbers: list[Any] = [double_json(value) for value in values.tolist()]
    else:
        numbers = values.tolist()
    return [
        {"timestampMs": stamp, "value": value}
        for stamp, value, is_there in zip(stamps, numbers, there.tolist(), strict=True)
        if is_there
    ]


def _exemplar(exemplar: TraceExemplar) -> dict[str, Any]:
    return {
        "labels": [{"key": "trace:id", "value": {"stringValue": exemplar.trace_id.hex()}}],
        "value": double_json(exemplar.value),
        "timestampMs": str(exemplar.ts_ns // NS_PER_MS),
    }


def _prom_labels(labels: Sequence[Label]) -> str:
    return series_text("", {name: spelled(value) for name, value in labels}, separator=", ")


class _Summary(NamedTuple):
    """What is asked of each group."""

    labels: tuple[Label, ...]
    fields: dict[str, str]


async def _summary(exchange: TempoExchange) -> Response:
    parameters = exchange.parameters
    tree, span = parse_traceql(parameters.text("q")), metrics_range(parameters, exchange.now_ns)
    if tree.metrics is not None:
        raise refuse("the query of a summary takes no metrics function")
    by = parameters.text("groupBy")
    if not by.strip():
        raise refuse("groupBy is required")

    def make(budget: ReadBudget) -> dict[str, Any]:
        groups = _summarise(exchange, (str(tree.pipeline), by), span, budget)
        return {
            "summaries": [
                {**each.fields, "series": [{"key": key, "value": _static(value)} for key, value in each.labels]}
                for each in groups
            ]
        }

    return await exchange.answer("SpanMetricsSummaryResponse", make)


def _summarise(
    exchange: TempoExchange, question: tuple[str, str], span: TimeRange, budget: ReadBudget
) -> list[_Summary]:
    """Counts and durations of server spans by group, the largest groups first."""
    pipeline, by = question

    def ask(condition: str, function: str) -> Sequence[TraceSeries]:
        text = f"{pipeline} | {{ {condition} }} | {function} by ({by})"
        request = MetricsRequest(text, *span, None, exchange.tenant)
        return [each for each in exchange.parts.engine.metrics(request, budget).series if not np.isnan(each.values[0])]

    groups: dict[tuple[Label, ...], dict[str, str]] = {}
    for each in ask("kind = server", "count_over_time()"):
        groups[each.labels] = {"spanCount": str(round(each.values[0]))}
    for each in ask("kind = server && status = error", "count_over_time()"):
        if each.labels in groups and each.values[0]:
            groups[each.labels]["errorSpanCount"] = str(round(each.values[0]))
    quantiles = ", ".join(map(str, _QUANTILES.values()))
    names = {value: name for name, value in _QUANTILES.items()}
    for each in ask("kind = server", f"quantile_over_time(duration, {quantiles})"):
        labels = tuple(label for label in each.labels if label[0] != _QUANTILE_LABEL)
        quantile = next((value.value for name, value in each.labels if name == _QUANTILE_LABEL), None)
        if labels in groups and isinstance(quantile, float):
            groups[labels][names[quantile]] = str(round(each.values[0] * NS_PER_S))
    found = [_Summary(labels, fields) for labels, fields in groups.items()]
    return sorted(found, key=lambda group: -int(group.fields["spanCount"]))


def _static(value: TypedValue) -> dict[str, Any]:
    """A value as traceql.Static; {} for nil."""
    if value.tag not in _STATIC_TYPES or value.value is None:
        return {}
    number, name = _STATIC_TYPES[value.tag]
    match value.tag:
        case Tag.INTEGER | Tag.DURATION:
            shown: Any = str(value.value)
        case Tag.FLOAT:
            shown = double_json(float(value.value))
        case Tag.STATUS:
            shown = _STATUS_NUMBERS[SpanStatus(int(value.value))]
        case Tag.KIND:
            shown = _KIND_NUMBERS.get(SpanKind(int(value.value)), int(value.value))
        case _:
            shown = value.value
    return {"type": number, name: shown}
