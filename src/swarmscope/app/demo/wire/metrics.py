"""The pretended fleet's metrics: cumulative sums and histograms, gauges; one request a measurement."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable
from typing import NamedTuple

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.metrics.v1.metrics_pb2 import (
    AggregationTemporality,
    HistogramDataPoint,
    Metric,
    NumberDataPoint,
    ScopeMetrics,
)

from swarmscope.app.demo.simulation.events import BrainState, Ended, Evaluated, Event, Measured, Step, StepKind
from swarmscope.app.demo.simulation.members import ROLES
from swarmscope.app.demo.wire.attributes import Value
from swarmscope.app.demo.wire.resources import Resources, key_values

_CUMULATIVE = AggregationTemporality.AGGREGATION_TEMPORALITY_CUMULATIVE
_ROLES = {f"{role.name}-{number:02d}": role.name for role in ROLES for number in range(1, role.agents + 1)}


class Family(NamedTuple):
    """A metric; `bounds` of a histogram."""

    name: str
    unit: str
    description: str
    is_counter: bool = False
    bounds: tuple[float, ...] = ()


# The buckets that the conventions advise for these two.
TOKENS = Family(
    "gen_ai.client.token.usage", "{token}", "Tokens of a call.",
    bounds=(1, 4, 16, 64, 256, 1024, 4096, 16384, 65536, 262144, 1048576, 4194304, 16777216, 67108864),
)  # fmt: skip
DURATION = Family(
    "gen_ai.client.operation.duration", "s", "Duration of a call.",
    bounds=(0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92),
)  # fmt: skip
COHERENCE = Family(
    "agi_neural_coherence", "", "Share of a team's jobs that succeeded, in the pretended fleet.",
    bounds=(0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99, 1.0),
)  # fmt: skip
COST = Family("gen_ai.usage.cost", "USD", "Cost of calls at list prices.", is_counter=True)
ACTIVITY = Family("agi_agent_activity_total", "{activity}", "What agents did.", is_counter=True)
QUEUE = Family("agent.queue.depth", "{task}", "Tasks that wait for the agent.")
MEMORY = Family("agi_memory_usage_bytes", "By", "Memory of the agent.")
MEMORY_LIMIT = Family("agi_memory_limit_bytes", "By", "Memory that it may use.")
ALIGNMENT = Family("agi_value_alignment_score", "", "What the pretended evaluator found; a number of the simulation.")
Labels = tuple[tuple[str, Value], ...]


class _Counts:
    """One series of a histogram."""

    __slots__ = ("buckets", "count", "total")

    def __init__(self, n_bounds: int) -> None:
        self.buckets = [0] * (n_bounds + 1)
        self.count, self.total = 0, 0.0


class FleetMetrics:
    """Counts what happens; `request` tells where things stand."""

    def __init__(self, start_ns: int, resources: Resources) -> None:
        self._start_ns, self._resources = start_ns, resources
        # By service, metric and labels.
        self._numbers: dict[str, dict[Family, dict[Labels, float]]] = {}
        self._histograms: dict[str, dict[Family, dict[Labels, _Counts]]] = {}

    def follow(self, events: Iterable[Event]) -> None:
        """Count what happened."""
        for event in events:
            if isinstance(event, Ended):
                self._count_step(event.step)
            elif isinstance(event, Evaluated):
                labels = _labels(event.agent)
                self._set("evaluator", ALIGNMENT, labels, event.score)
            elif isinstance(event, Measured):
                self._measure(event)
            elif isinstance(event, BrainState):
                for team, share in event.coherence_by_region.items():
                    self._observe("fleet-mind", COHERENCE, (("region", team), ("layer", "all")), share)

    def request(self, at_ns: int) -> ExportMetricsServiceRequest:
        """All series as they stand at `at_ns`."""
        request = ExportMetricsServiceRequest()
        for service in sorted(self._numbers.keys() | self._histograms.keys()):
            group = request.resource_metrics.add(resource=self._resources.resource(service, ""))
            metrics = [self._of_numbers(*each, at_ns) for each in self._numbers.get(service, {}).items()]
            metrics += [self._of_histograms(*each, at_ns) for each in self._histograms.get(service, {}).items()]
            group.scope_metrics.append(ScopeMetrics(scope=self._resources.scope(""), metrics=metrics))
        return request

    def _count_step(self, step: Step) -> None:
        if not step.agent:
            return
        service, who = step.service, _labels(step.agent)
        self._add(service, ACTIVITY, (*who, ("activity", step.kind.name.lower())), 1)
        if step.model is None:
            return
        operation = "chat" if step.kind is StepKind.CHAT else "embeddings"
        labels = (
            *who, ("gen_ai.operation.name", operation), ("gen_ai.provider.name", step.model.provider),
            ("gen_ai.request.model", step.model.name),
        )  # fmt: skip
        failure = (("error.type", step.error),) if step.error else ()
        self._observe(service, DURATION, labels + failure, (step.end_ns - step.start_ns) / 1e9)
        if step.error:
            return
        usd = (step.input_tokens * step.model.input_usd + step.output_tokens * step.model.output_usd) / 1e6
        self._add(service, COST, labels, usd)
        self._observe(service, TOKENS, (*labels, ("gen_ai.token.type", "input")), step.input_tokens)
        if step.output_tokens:
            self._observe(service, TOKENS, (*labels, ("gen_ai.token.type", "output")), step.output_tokens)

    def _measure(self, event: Measured) -> None:
        for numbers in self._numbers.values():  # who crashed tells nothing
            for family in (QUEUE, MEMORY, MEMORY_LIMIT):
                numbers.pop(family, None)
        for gauge in event.gauges:
            service, labels = _ROLES[gauge.agent], _labels(gauge.agent)
            self._set(service, QUEUE, labels, gauge.queue)
            self._set(service, MEMORY, labels, gauge.memory_bytes)
            self._set(service, MEMORY_LIMIT, labels, gauge.memory_limit_bytes)

    def _set(self, service: str, family: Family, labels: Labels, value: float) -> None:
        self._numbers.setdefault(service, {}).setdefault(family, {})[labels] = value

    def _add(self, service: str, family: Family, labels: Labels, value: float) -> None:
        series = self._numbers.setdefault(service, {}).setdefault(family, {})
        series[labels] = series.get(labels, 0) + value

    def _observe(self, service: str, family: Family, labels: Labels, value: float) -> None:
        series = self._histograms.setdefault(service, {}).setdefault(family, {})
        counts = series.get(labels)
        if counts is None:
            counts = series[labels] = _Counts(len(family.bounds))
        counts.buckets[bisect_left(family.bounds, value)] += 1
        counts.count += 1
        counts.total += value

    def _of_numbers(self, family: Family, series: dict[Labels, float], at_ns: int) -> Metric:
        points = [
            NumberDataPoint(
                attributes=key_values(dict(labels)), time_unix_nano=at_ns, as_double=value,
                start_time_unix_nano=self._start_ns if family.is_counter else 0,
            )
            for labels, value in series.items()
        ]  # fmt: skip
        metric = Metric(name=family.name, unit=family.unit, description=family.description)
        if family.is_counter:
            metric.sum.aggregation_temporality, metric.sum.is_monotonic = _CUMULATIVE, True
            metric.sum.data_points.extend(points)
        else:
            metric.gauge.data_points.extend(points)
        return metric

    def _of_histograms(self, family: Family, series: dict[Labels, _Counts], at_ns: int) -> Metric:
        metric = Metric(name=family.name, unit=family.unit, description=family.description)
        metric.histogram.aggregation_temporality = _CUMULATIVE
        metric.histogram.data_points.extend(
            HistogramDataPoint(
                attributes=key_values(dict(labels)), start_time_unix_nano=self._start_ns, time_unix_nano=at_ns,
                count=counts.count, sum=counts.total, bucket_counts=counts.buckets, explicit_bounds=family.bounds,
            )
            for labels, counts in series.items()
        )  # fmt: skip
        return metric


def _labels(agent: str) -> Labels:
    return (("gen_ai.agent.name", agent), ("agent.role", _ROLES[agent]))
