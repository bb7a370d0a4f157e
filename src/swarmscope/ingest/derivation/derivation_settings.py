"""What is derived from spans, and how much memory it may take."""

from __future__ import annotations

from dataclasses import dataclass

# The defaults of Tempo's metrics-generator, so that dashboards made for it have the buckets that they expect.
_SPAN_BOUNDS_S = (
    0.002, 0.004, 0.008, 0.016, 0.032, 0.064, 0.128, 0.256, 0.512, 1.024, 2.048, 4.096, 8.192, 16.384,
)  # fmt: skip
_EDGE_BOUNDS_S = (0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 12.8)


@dataclass(frozen=True, slots=True)
class SpanMetricsSettings:
    """`traces_spanmetrics_*`."""

    enabled: bool = True
    dimensions: tuple[str, ...] = ()  # attributes of spans or resources that become labels
    status_message: bool = False  # as a label
    bounds_s: tuple[float, ...] = _SPAN_BOUNDS_S  # upper bounds of classic buckets, ascending
    max_operations: int = 10_000  # label combinations of one tenant; each is some 20 series


@dataclass(frozen=True, slots=True)
class ServiceGraphSettings:
    """`traces_service_graph_*`."""

    enabled: bool = True
    wait_s: float = 10.0  # how long a span waits for the other side of its request
    max_waiting: int = 50_000  # spans of one tenant that wait
    max_edges: int = 5_000  # pairs of services of one tenant; each is some 25 series
    peer_attributes: tuple[str, ...] = ("peer.service", "db.name", "db.system")  # what names who sends no spans
    bounds_s: tuple[float, ...] = _EDGE_BOUNDS_S


@dataclass(frozen=True, slots=True)
class DerivationSettings:
    """Everything that is derived from spans."""

    span_metrics: SpanMetricsSettings = SpanMetricsSettings()
    service_graph: ServiceGraphSettings = ServiceGraphSettings()
    interval_s: float = 5.0  # between two samples of a series
    idle_s: float = 900.0  # a series to which nothing was added for so long ends
    max_tenants: int = 100  # spans of further tenants pass without being derived from
