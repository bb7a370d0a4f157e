"""Summaries over OTLP: OpenTelemetry's SDK has no such instrument, its protocol has."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from opentelemetry.proto.metrics.v1.metrics_pb2 import Metric, Summary, SummaryDataPoint

from swarmscope.sdk.intelligence.families import SummaryFamily


def summary_edit(family: SummaryFamily) -> Callable[[Any], None]:
    """What turns the histogram named as `family` in an encoded request into a summary with its quantiles."""

    def edit(request: Any) -> None:
        for resource in request.resource_metrics:
            for scope in resource.scope_metrics:
                for metric in scope.metrics:
                    if metric.name == family.name and metric.HasField("histogram"):
                        metric.CopyFrom(_to_summary(metric, family))

    return edit


def _to_summary(metric: Any, family: SummaryFamily) -> Any:
    points = []
    for point in metric.histogram.data_points:
        labels = {attribute.key: attribute.value.string_value for attribute in point.attributes}
        quantiles = [
            SummaryDataPoint.ValueAtQuantile(quantile=quantile, value=value)
            for quantile, value in family.quantiles(labels)
        ]
        points.append(
            SummaryDataPoint(
                attributes=point.attributes,
                start_time_unix_nano=point.start_time_unix_nano,
                time_unix_nano=point.time_unix_nano,
                count=point.count,
                sum=point.sum,
                quantile_values=quantiles,
            )
        )
    return Metric(
        name=metric.name, description=metric.description, unit=metric.unit, summary=Summary(data_points=points)
    )
