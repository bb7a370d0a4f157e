"""/api/metrics: latencies, call rates and error rates of services, as Jaeger's Monitor tab shows them.

They come from the series `traces_spanmetrics_*`, which are derived from spans before sampling.
Shape: https://www.jaegertracing.io/docs/latest/architecture/spm/#api
"""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import Any, NamedTuple

from starlette.responses import Response
from starlette.routing import BaseRoute

from swarmscope.api.jaeger.answers import enveloped, failed
from swarmscope.api.jaeger.parameters import ms_of
from swarmscope.api.prometheus.label_sets import label_dicts
from swarmscope.api.traces.endpoint import TraceExchange, TracePath, json_answer, refuse
from swarmscope.lang.promql.printer import quote
from swarmscope.model.contracts import ReadBudget
from swarmscope.model.jaeger_conventions import SPAN_KINDS
from swarmscope.query.promql import QueryRequest, QueryResult

# How often series of spans get a sample, so a smaller step shows nothing more.
MIN_STEP_MS = 5_000
_LOOKBACK_MS, _STEP_MS, _RATE_MS = 3_600_000, 5_000, 600_000
_NS_PER_MS = 1_000_000
_MS_PER_S = 1_000
_CALLS, _LATENCY = "traces_spanmetrics_calls_total", "traces_spanmetrics_latency_bucket"
_FAILED = ',status_code="STATUS_CODE_ERROR"'
_LAST_MS = 253_402_300_799_999  # the end of the year 9999, the last that an answer spells
# What Go takes for a boolean.
_TRUE, _FALSE = (
    frozenset({"1", "t", "T", "true", "TRUE", "True"}),
    frozenset({"0", "f", "F", "false", "FALSE", "False"}),
)


class _Asked(NamedTuple):
    """What a request asks for."""

    selector: str  # matchers of services and kinds
    by: str  # label names to group by
    by_operation: bool
    rate: str  # a PromQL duration
    start_ms: int
    end_ms: int
    step_ms: int


def metric_routes(path: TracePath) -> list[BaseRoute]:
    """The endpoints of span metrics."""
    return [
        path.route("/api/metrics/latencies", _latencies, failed),
        path.route("/api/metrics/calls", _calls, failed),
        path.route("/api/metrics/errors", _errors, failed),
        path.route("/api/metrics/minstep", _min_step, failed),
    ]


async def _latencies(exchange: TraceExchange) -> Response:
    text = exchange.parameters.text("quantile")
    try:
        quantile = float(text)
    except ValueError:
        raise refuse(f"unable to parse param 'quantile': {text!r} is not a number") from None
    asked = _asked(exchange)
    rates = f"sum by ({asked.by}, le) (rate({_LATENCY}{{{asked.selector}}}[{asked.rate}]))"
    told = f"{quantile:g}th quantile latency, grouped by service"

    def make(budget: ReadBudget) -> dict[str, Any]:
        found = _run(exchange, asked, f"{_MS_PER_S} * histogram_quantile({quantile!r}, {rates})", budget)
        return _family(found, asked, "latencies", told)

    return await exchange.answer(make)


async def _calls(exchange: TraceExchange) -> Response:
    asked = _asked(exchange)

    def make(budget: ReadBudget) -> dict[str, Any]:
        found = _run(exchange, asked, _rate(asked, asked.selector), budget)
        return _family(found, asked, "call_rate", "calls/sec, grouped by service")

    return await exchange.answer(make)


async def _errors(exchange: TraceExchange) -> Response:
    asked = _asked(exchange)
    every = _rate(asked, asked.selector)
    # Who has had no error has no series of errors: the share is 0, not unknown.
    failed_rate = f"({_rate(asked, asked.selector + _FAILED)} or 0 * {every})"

    def make(budget: ReadBudget) -> dict[str, Any]:
        found = _run(exchange, asked, f"{failed_rate} / {every}", budget)
        told = "error rate, computed as a fraction of errors/sec over calls/sec, grouped by service"
        return _family(found, asked, "error_rate", told)

    return await exchange.answer(make)


async def _min_step(exchange: TraceExchange) -> Response:
    return json_answer(enveloped(MIN_STEP_MS))


def _asked(exchange: TraceExchange) -> _Asked:
    parameters = exchange.parameters
    services = [name for name in parameters.texts("service") if name]
    if not services:
        raise refuse("unable to parse param 'service': please provide at least one service name")
    grouped = parameters.text("groupByOperation") or "false"
    if grouped not in _TRUE | _FALSE:
        raise refuse(f"unable to parse param 'groupByOperation': {grouped!r} is neither true nor false")
    end_ms = ms_of(parameters, "endTs", exchange.now_ns // _NS_PER_MS)
    lengths = (("lookback", _LOOKBACK_MS), ("step", _STEP_MS), ("ratePer", _RATE_MS))
    lookback_ms, step_ms, rate_ms = (ms_of(parameters, name, default) for name, default in lengths)
    if not 0 <= end_ms <= _LAST_MS or max(lookback_ms, step_ms, rate_ms) > _LAST_MS:
        raise refuse("endTs, lookback, step or ratePer is out of range")
    if min(lookback_ms, step_ms, rate_ms) <= 0:
        raise refuse("'lookback', 'step' and 'ratePer' must be greater than 0")
    by_operation = grouped in _TRUE
    return _Asked(
        selector=f"{_one_of('service', services)},{_one_of('span_kind', _kinds(exchange))}",
        by="service, span_name" if by_operation else "service",
        by_operation=by_operation,
        rate=f"{rate_ms}ms",
        start_ms=end_ms - lookback_ms,
        end_ms=end_ms,
        step_ms=step_ms,
    )


def _kinds(exchange: TraceExchange) -> list[str]:
    asked = exchange.parameters.texts("spanKind") or ("server",)
    for kind in asked:
        if kind not in SPAN_KINDS and kind != "unspecified":
            raise refuse(f"unable to parse param 'spanKind': unsupported span kind: '{kind}'")
    return [f"SPAN_KIND_{kind.upper()}" for kind in asked]


def _one_of(label: str, values: list[str]) -> str:
    """A matcher for any of these values, whatever letters they have."""
    if len(values) == 1:
        return f"{label}={quote(values[0])}"
    escaped = ("".join(letter if letter.isalnum() or letter == "_" else f"\\{letter}" if letter.isascii() else letter
                       for letter in value) for value in values)  # fmt: skip
    return f"{label}=~{quote('|'.join(escaped))}"


def _rate(asked: _Asked, selector: str) -> str:
    return f"sum by ({asked.by}) (rate({_CALLS}{{{selector}}}[{asked.rate}]))"


def _run(exchange: TraceExchange, asked: _Asked, text: str, budget: ReadBudget) -> QueryResult:
    return exchange.parts.metrics.query_range(
        QueryRequest(
            text, asked.start_ms, asked.end_ms, asked.step_ms, exchange.tenant, cancellation=budget.cancellation
        )
    )


def _family(result: QueryResult, asked: _Asked, name: str, told: str) -> dict[str, Any]:
    """A family of metrics in the JSON of OpenMetrics' protobuf."""
    times = [_rfc3339(time_ms) for time_ms in result.times_ms.tolist()]
    metrics = []
    for labels, values, present in zip(
        label_dicts(result.labels, result.symbols), result.values.tolist(), result.present.tolist(), strict=True
    ):
        points = [
            {"gaugeValue": {"doubleValue": value if math.isfinite(value) else "NaN"}, "timestamp": time}
            for time, value, there in zip(times, values, present, strict=True)
            if there
        ]
        named = [("operation", labels.get("span_name", ""))] if asked.by_operation else []
        named.append(("service_name", labels.get("service", "")))
        metrics.append({"labels": [{"name": each, "value": text} for each, text in named], "metricPoints": points})
    subject = "service_operation" if asked.by_operation else "service"
    told += " & operation" if asked.by_operation else ""
    return {"name": f"{subject}_{name}", "type": "GAUGE", "help": told, "metrics": metrics}


def _rfc3339(time_ms: int) -> str:
    moment = datetime.fromtimestamp(time_ms / _MS_PER_S, UTC)
    return moment.isoformat(timespec="milliseconds" if time_ms % _MS_PER_S else "seconds").replace("+00:00", "Z")
