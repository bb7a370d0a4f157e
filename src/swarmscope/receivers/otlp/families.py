"""Metric families of a request: their names under the translation, and the metadata not told before."""

from __future__ import annotations

import threading
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from swarmscope.model.errors import MalformedInputError
from swarmscope.model.labels import Utf8Column
from swarmscope.model.metrics import MetadataColumns
from swarmscope.receivers.otlp.names import to_metadata_unit, to_metric_name
from swarmscope.receivers.otlp.request_columns import DataKind, MetricColumns
from swarmscope.receivers.otlp.series_labels import TARGET_INFO
from swarmscope.receivers.otlp.settings import TranslationStrategy
from swarmscope.receivers.wire.scanner import Scan

_MAX_REMEMBERED = 200_000
_KINDS = {
    DataKind.GAUGE: "gauge",
    DataKind.HISTOGRAM: "histogram",
    DataKind.EXPONENTIAL_HISTOGRAM: "histogram",
    DataKind.SUMMARY: "summary",
}


@dataclass(frozen=True, slots=True)
class Family:
    """One metric's header."""

    name: str
    kind: str
    unit: str
    help: str


class Families:
    """The families of one request by row of Metric, decoded when somebody asks."""

    def __init__(self, scan: Scan, metrics: MetricColumns, strategy: TranslationStrategy) -> None:
        table = scan.table("Metric")
        self._columns = {name: table.texts(name) for name in ("name", "unit", "description")}
        self._metrics = metrics
        self._strategy = strategy
        self._known: dict[int, Family] = {}

    def family(self, row: int) -> Family:
        """Raises ValueError where the name cannot be one, MalformedInputError where it is not UTF-8."""
        family = self._known.get(row)
        if family is None:
            kind = self._kind(row)
            unit = _text(self._columns["unit"], row)
            name = to_metric_name(_text(self._columns["name"], row), unit, kind, self._strategy)
            help_text = _text(self._columns["description"], row)
            family = self._known[row] = Family(name, kind, to_metadata_unit(unit), help_text)
        return family

    def _kind(self, row: int) -> str:
        data_kind = DataKind(int(self._metrics.kind[row]))
        if data_kind is DataKind.SUM:
            return "counter" if self._metrics.is_monotonic[row] else "gauge"
        return _KINDS[data_kind]


def _text(column: Utf8Column, row: int) -> str:
    try:
        return column.text(row)
    except UnicodeDecodeError as error:
        raise MalformedInputError(f"a metric's name, unit or description is not UTF-8: {error}") from error


class ToldMetadata:
    """Which families' metadata has been stored, by tenant and header; bounded, thread-safe."""

    def __init__(self) -> None:
        self._told: set[tuple[str, int]] = set()
        self._lock = threading.Lock()

    def to_columns(
        self, tenant: str, families: Families, metrics: MetricColumns, rows: NDArray[np.int64]
    ) -> tuple[MetadataColumns | None, list[tuple[str, int]]]:
        """Metadata of the metrics in `rows` that was not told yet, and what to `remember` once it is stored."""
        headers = dict(zip(metrics.header_key[rows].tolist(), rows.tolist(), strict=True))
        fresh = [(tenant, header) for header in headers if (tenant, header) not in self._told]
        found: dict[str, Family] = {}
        for _, header in fresh:
            try:
                family = families.family(headers[header])
            except ValueError:
                continue  # its points are refused with the reason
            found[family.name] = family
        if fresh and (tenant, 0) not in self._told:
            fresh.append((tenant, 0))
            found[TARGET_INFO] = Family(TARGET_INFO, "gauge", "", "Target metadata")
        if not found:
            return None, []
        rows_of = list(found.values())
        columns = MetadataColumns(
            list(found), [f.kind for f in rows_of], [f.unit for f in rows_of], [f.help for f in rows_of]
        )
        return columns, fresh

    def remember(self, told: list[tuple[str, int]]) -> None:
        """Note metadata as stored."""
        if not told:
            return
        with self._lock:
            if len(self._told) + len(told) > _MAX_REMEMBERED:
                self._told = set()
            self._told.update(told)
