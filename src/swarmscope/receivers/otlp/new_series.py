"""Labels of one request's new series; what neighbours share is made once, and resources are remembered."""

from __future__ import annotations

from typing import Any

from swarmscope.model.errors import MalformedInputError
from swarmscope.receivers.otlp.families import Families
from swarmscope.receivers.otlp.float_samples import Role
from swarmscope.receivers.otlp.request_columns import POINT_MESSAGES, MetricColumns, PointColumns
from swarmscope.receivers.otlp.series_labels import LabelMaker, ResourceLabels, decode_part, to_series_labels
from swarmscope.receivers.wire.scanner import Scan

_MAX_RESOURCES = 8192  # far more than a fleet has, so forgetting all at once is rare


class ResourceMemory:
    """Labels of resources by wire key, across requests; thread-safe, bounded."""

    def __init__(self, maker: LabelMaker) -> None:
        self._maker = maker
        self._known: dict[int, ResourceLabels] = {}

    def labels(self, scan: Scan, metrics: MetricColumns, row: int) -> ResourceLabels:
        """What the resource in a row of ResourceMetrics says. Raises ValueError for a key that cannot be a label."""
        key = int(metrics.resource_key[row])
        known = self._known.get(key)
        if known is None:
            if len(self._known) >= _MAX_RESOURCES:
                self._known.clear()
            known = self._known[key] = self._maker.resource_labels(_resource_message(scan, row))
        return known


class NewSeries:
    """Labels of new series by point and role."""

    def __init__(
        self, scan: Scan, columns: tuple[MetricColumns, PointColumns], families: Families, resources: ResourceMemory,
        maker: LabelMaker,
    ) -> None:  # fmt: skip
        self._scan = scan
        self._metrics, self._points = columns
        self._families = families
        self._resources = resources
        self._maker = maker
        self._scopes: dict[int, dict[str, str]] = {}
        self._bounds = self._points.bounds.tolist()
        self._point = -1
        self._shared: dict[str, str] = {}
        self._family = ""

    def labels(self, point: int, role: int, bound: float) -> dict[str, str]:
        """Raises ValueError for names that cannot be used, MalformedInputError for text that is not UTF-8.

        For a `target_info` series `point` is the row of ResourceMetrics.
        """
        if role == Role.TARGET_INFO:
            return dict(self._resources.labels(self._scan, self._metrics, point).target_info or {})
        if point != self._point:
            self._take_point(point)
        return to_series_labels(self._shared, self._family, role, bound)

    def _take_point(self, point: int) -> None:
        points, metric = self._points, int(self._points.metric[point])
        kind = sum(point >= end for end in self._bounds[1:-1])
        decoded = decode_part(
            POINT_MESSAGES[kind], self._scan.buffer, int(points.start[point]), int(points.end[point])
        )  # fmt: skip
        resource = self._resources.labels(self._scan, self._metrics, int(self._metrics.resource_row[metric]))
        scope = self._scope(int(self._metrics.scope_row[metric]))
        self._family = self._families.family(metric).name
        self._shared = self._maker.point_labels(decoded, resource, scope)
        self._point = point

    def _scope(self, row: int) -> dict[str, str]:
        known = self._scopes.get(row)
        if known is None:
            known = self._scopes[row] = _scope_labels(self._maker, self._scan, row)
        return known


def _resource_message(scan: Scan, row: int) -> Any:
    table, child = scan.table("Resource"), int(scan.table("ResourceMetrics").child("resource")[row])
    if child < 0:
        return decode_part("Resource", scan.buffer, 0, 0)
    return decode_part("Resource", scan.buffer, int(table.start[child]), int(table.end[child]))


def _scope_labels(maker: LabelMaker, scan: Scan, row: int) -> dict[str, str]:
    scopes, table = scan.table("ScopeMetrics"), scan.table("InstrumentationScope")
    child = int(scopes.child("scope")[row])
    if child < 0:
        return {}
    scope = decode_part("InstrumentationScope", scan.buffer, int(table.start[child]), int(table.end[child]))
    try:
        schema_url = scopes.texts("schema_url").text(row)
    except UnicodeDecodeError as error:
        raise MalformedInputError(f"a scope's schema_url is not UTF-8: {error}") from error
    return maker.scope_labels(scope, schema_url)
