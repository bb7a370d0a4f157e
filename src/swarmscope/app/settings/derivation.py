"""What is derived from spans while they pass."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field

from swarmscope.app.durations import Duration
from swarmscope.app.settings.fields import Count, PositiveLength, Section
from swarmscope.ingest.derivation.derivation_settings import (
    DerivationSettings,
    ServiceGraphSettings,
    SpanMetricsSettings,
)

_MS_PER_S = 1000


def _check_ascending(bounds: list[float]) -> list[float]:
    if not bounds or bounds[0] <= 0 or any(low >= high for low, high in zip(bounds, bounds[1:], strict=False)):
        raise ValueError("must be ascending seconds above 0")
    return bounds


def _length(seconds: float) -> Duration:
    return Duration(round(seconds * _MS_PER_S))


Bounds = Annotated[list[float], AfterValidator(_check_ascending)]
_ALL = DerivationSettings()
_SPANS, _GRAPH = _ALL.span_metrics, _ALL.service_graph


class SpanMetricsSection(Section):
    """`traces_spanmetrics_…`."""

    enabled: bool = Field(default=_SPANS.enabled, description="Derive `traces_spanmetrics_…`.")
    dimensions: list[str] = Field(
        default_factory=lambda: list(_SPANS.dimensions),
        description="Attributes of spans, else of their resource, that become labels.",
    )
    status_message: bool = Field(default=_SPANS.status_message, description="The status message becomes a label.")
    buckets: Bounds = Field(
        default_factory=lambda: list(_SPANS.bounds_s), description="Upper bounds of classic buckets, in seconds."
    )
    max_operations: Count = Field(
        default=_SPANS.max_operations, description="Combinations of labels of one tenant; each is some 20 series."
    )


class ServiceGraphSection(Section):
    """`traces_service_graph_…`."""

    enabled: bool = Field(default=_GRAPH.enabled, description="Derive `traces_service_graph_…`.")
    wait: PositiveLength = Field(
        default=_length(_GRAPH.wait_s), description="How long a span waits for the other side of its request."
    )
    max_waiting: Count = Field(default=_GRAPH.max_waiting, description="Spans of one tenant that wait.")
    max_edges: Count = Field(
        default=_GRAPH.max_edges, description="Pairs of services of one tenant; each is some 25 series."
    )
    peer_attributes: list[str] = Field(
        default_factory=lambda: list(_GRAPH.peer_attributes), description="What names a peer that sends no spans."
    )
    buckets: Bounds = Field(
        default_factory=lambda: list(_GRAPH.bounds_s), description="Upper bounds of classic buckets, in seconds."
    )


class DerivationSection(Section):
    """Metrics derived from spans, before sampling."""

    interval: PositiveLength = Field(
        default=_length(_ALL.interval_s), description="Time between two samples of a series."
    )
    idle: PositiveLength = Field(
        default=_length(_ALL.idle_s), description="A series that nothing was added to for so long ends."
    )
    max_tenants: Count = Field(default=_ALL.max_tenants, description="Spans of further tenants pass without metrics.")
    span_metrics: SpanMetricsSection = SpanMetricsSection()
    service_graph: ServiceGraphSection = ServiceGraphSection()

    def to_settings(self) -> DerivationSettings:
        """What the sink is told."""
        spans, graph = self.span_metrics, self.service_graph
        return DerivationSettings(
            span_metrics=SpanMetricsSettings(
                enabled=spans.enabled,
                dimensions=tuple(spans.dimensions),
                status_message=spans.status_message,
                bounds_s=tuple(spans.buckets),
                max_operations=spans.max_operations,
            ),
            service_graph=ServiceGraphSettings(
                enabled=graph.enabled,
                wait_s=graph.wait.seconds,
                max_waiting=graph.max_waiting,
                max_edges=graph.max_edges,
                peer_attributes=tuple(graph.peer_attributes),
                bounds_s=tuple(graph.buckets),
            ),
            interval_s=self.interval.seconds,
            idle_s=self.idle.seconds,
            max_tenants=self.max_tenants,
        )
