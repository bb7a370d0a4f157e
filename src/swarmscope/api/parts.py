"""What the composition root hands to the API."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from starlette.routing import BaseRoute

from swarmscope.alerting.rules.view import RulesView
from swarmscope.api.work import QueryQueue, Runner
from swarmscope.model.contracts import Clock, Reader
from swarmscope.model.matchers import Matcher
from swarmscope.query.promql import PromqlEngine


class MetricAdmin(Protocol):
    """Administration of stored metrics; each call blocks and may take long."""

    def delete_series(self, tenant: str, matchers: Sequence[Matcher], start_ms: int, end_ms: int) -> None:
        """Delete the samples of matching series in the closed range."""
        ...

    def clean_tombstones(self) -> None:
        """Free the space of what was deleted."""
        ...

    def snapshot(self, *, skip_head: bool) -> str:
        """Write a consistent copy of the data beside it; returns the copy's name."""
        ...


class StatusSource(Protocol):
    """What the status pages show; every mapping is ready for JSON, in Prometheus' shapes."""

    def config_yaml(self) -> str:
        """The settings in force, secrets left out."""
        ...

    def flags(self) -> Mapping[str, str]:
        """Command line settings."""
        ...

    def runtime_info(self) -> Mapping[str, Any]:
        """Fields of /status/runtimeinfo; they override the ones the API knows itself."""
        ...

    def storage_stats(self, tenant: str, limit: int) -> Mapping[str, Any]:
        """Fields of /status/tsdb, lists cut to `limit`; may block, so it is called in a worker."""
        ...


class TargetSource(Protocol):
    """What is scraped; mappings are ready for JSON, in the shapes of Prometheus' /targets."""

    def active_targets(self) -> Sequence[Mapping[str, Any]]:
        """Elements of `activeTargets` (`scrapePool`, `labels`, `discoveredLabels`, `health` …)."""
        ...

    def dropped_targets(self) -> Sequence[Mapping[str, Any]]:
        """Elements of `droppedTargets` (`discoveredLabels`, `scrapePool`)."""
        ...

    def scrape_pools(self) -> Sequence[str]:
        """Names of all scrape jobs."""
        ...

    def target_metadata(self) -> Sequence[Mapping[str, Any]]:
        """Elements of /targets/metadata: `target` (labels), `metric`, `type`, `help`, `unit`."""
        ...


@dataclass(frozen=True, slots=True)
class RequestRecord:
    """One answered request, for metrics and the query log. `query` is empty where the endpoint takes none."""

    endpoint: str
    method: str
    status: int
    duration_s: float
    tenant: str
    query: str = ""


@dataclass(frozen=True, slots=True)
class ApiSettings:
    """Limits of the read path beside those of the engine."""

    prefix: str = "/prometheus"
    query_timeout_s: float = 120.0
    max_concurrent_queries: int = 20
    max_response_bytes: int = 1 << 30  # of a query's answer, before compression
    remote_read_frame_bytes: int = 1 << 20
    version: str = "0.1.0"
    cors_origin: str = ".*"  # RE2, matched whole
    external_labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ApiParts:
    """Everything the API works with. `admin` is None while the admin endpoints are disabled."""

    engine: PromqlEngine
    reader: Reader
    clock: Clock
    run: Runner
    is_ready: Callable[[], bool]
    status: StatusSource
    exposition: Callable[[str], tuple[bytes, str]]  # an Accept header to the body and type of /metrics
    targets: TargetSource | None = None
    rules: RulesView | None = None
    admin: MetricAdmin | None = None
    run_admin: Runner | None = None  # where `admin` works, one call at a time; None: with everything else
    extra_routes: Sequence[BaseRoute] = ()
    on_request: Callable[[RequestRecord], None] = lambda record: None
    settings: ApiSettings = field(default_factory=ApiSettings)
    queue: QueryQueue | None = None  # shared by applications whose queries count together; None: one of its own
