"""Exemplars: trace and span as labels, then the attributes that the metric itself has not kept.

Source: https://opentelemetry.io/docs/specs/otel/compatibility/prometheus_and_openmetrics/#exemplars-1; the 128
characters are OpenMetrics' bound for all labels of one exemplar.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from swarmscope.model.labels import LabelSets
from swarmscope.model.metrics import ExemplarColumns
from swarmscope.receivers.otlp.request_columns import PointColumns
from swarmscope.receivers.otlp.series_labels import LabelMaker, decode_part
from swarmscope.receivers.wire.scanner import Scan

MAX_LABEL_CHARACTERS = 128
_HOLDERS = ("NumberDataPoint", "HistogramDataPoint", "ExponentialHistogramDataPoint")


class PointSeries(NamedTuple):
    """Series numbers by point: those of point p stand at `order[offsets[p] : offsets[p + 1]]`."""

    offsets: NDArray[np.int64]  # [n_points + 1]
    series: NDArray[np.int64]  # [n_entries] number in the batch, ascending bucket bounds first
    bound: NDArray[np.float64]  # [n_entries] the bucket's upper bound; NaN where the series is no bucket


def _series_of(point: int, value: float, owners: PointSeries) -> int:
    """The bucket that an exemplar falls into, or the point's only series; -1 where the point was not kept."""
    entries = slice(int(owners.offsets[point]), int(owners.offsets[point + 1]))
    bounds, series = owners.bound[entries], owners.series[entries]
    if not len(series):
        return -1
    if np.isnan(bounds[0]):
        return int(series[0])
    n_buckets = int(np.count_nonzero(~np.isnan(bounds)))
    return int(series[min(int(np.searchsorted(bounds[:n_buckets], value)), n_buckets - 1)])


def _id_text(scan: Scan, start: int, length: int) -> str:
    identifier = scan.buffer[start : start + length].tobytes()
    return identifier.hex() if any(identifier) else ""


def _labels(
    scan: Scan, row: int, ids: dict[str, str], attributes: NDArray[np.int64], maker: LabelMaker
) -> dict[str, str]:
    labels = {name: text for name, text in ids.items() if text}
    if not len(attributes):
        return labels
    pairs = scan.table("KeyValue")
    decoded = [decode_part("KeyValue", scan.buffer, int(pairs.start[at]), int(pairs.end[at])) for at in attributes]
    try:
        attribute_labels = maker.attribute_labels(decoded)
    except ValueError:
        return labels  # a key that cannot be a label costs the attributes, not the exemplar
    all_labels = {**{name: text for name, text in attribute_labels.items() if text}, **labels}
    characters = sum(len(name) + len(text) for name, text in all_labels.items())
    return all_labels if characters <= MAX_LABEL_CHARACTERS else labels


def to_exemplar_columns(
    scan: Scan, points: PointColumns, owners: PointSeries, maker: LabelMaker
) -> ExemplarColumns | None:
    """All exemplars of points that were kept; None where there are none."""
    if not scan.count("Exemplar"):
        return None
    table = scan.table("Exemplar")
    values = np.where(table.has("as_int"), table.ints("as_int").astype(np.float64), table.floats("as_double"))
    times_ms = (table.uints("time_unix_nano") // np.uint64(1_000_000)).astype(np.int64)
    trace, span = table.texts("trace_id"), table.texts("span_id")
    attributes = scan.children("Exemplar", "filtered_attributes")
    series: list[int] = []
    rows: list[int] = []
    labels: list[dict[str, str]] = []
    for message in _HOLDERS:
        first = points.rows_of(message).start
        children = scan.children(message, "exemplars")
        owner = np.repeat(np.arange(len(children.offsets) - 1), np.diff(children.offsets)) + first
        for row, point in zip(children.rows.tolist(), owner.tolist(), strict=True):
            number = _series_of(point, float(values[row]), owners)
            if number < 0:
                continue
            ids = {
                "trace_id": _id_text(scan, int(trace.start[row]), int(trace.length[row])),
                "span_id": _id_text(scan, int(span.start[row]), int(span.length[row])),
            }
            mine = attributes.rows[attributes.offsets[row] : attributes.offsets[row + 1]]
            series.append(number)
            rows.append(row)
            labels.append(_labels(scan, row, ids, mine, maker))
    if not rows:
        return None
    at = np.array(rows, np.int64)
    return ExemplarColumns(np.array(series, np.int64), times_ms[at], values[at], LabelSets.from_dicts(labels))
