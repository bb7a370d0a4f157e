"""Prometheus' JSON answers as plain rows."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from swarmscope.model.series_text import series_text


@dataclass(frozen=True, slots=True)
class Series:
    """One series of an answer: points are (Unix seconds, value as text); native histograms are spelt out."""

    labels: dict[str, str]
    points: list[tuple[float, str]]

    @property
    def name(self) -> str:
        """The selector that PromQL would find it by: `name{a="b"}`, quoted where a name is not a classic one."""
        labels = dict(self.labels)
        metric = labels.pop("__name__", "")
        return series_text(metric, labels, separator=", ")


@dataclass(frozen=True, slots=True)
class Answer:
    """A query's result; `kind` is vector, matrix, scalar or string."""

    kind: str
    series: list[Series] = field(default_factory=list)


def _spell_histogram(histogram: dict[str, Any]) -> str:
    buckets = ", ".join(
        f"{'(' if edge in (0, 2) else '['}{low}, {high}{']' if edge in (0, 3) else ')'}: {count}"
        for edge, low, high, count in histogram.get("buckets", ())
    )
    return f"count {histogram['count']}, sum {histogram['sum']}" + (f", {buckets}" if buckets else "")


def read_answer(data: dict[str, Any]) -> Answer:
    """Read the `data` member of an answer to `query` or `query_range`."""
    kind, result = data["resultType"], data["result"]
    if kind in ("scalar", "string"):
        return Answer(kind, [Series({}, [(result[0], result[1])])])
    series = []
    for element in result:
        if kind == "vector":
            floats = [element["value"]] if "value" in element else []
            histograms = [element["histogram"]] if "histogram" in element else []
        else:
            floats, histograms = element.get("values", []), element.get("histograms", [])
        points = [(when, text) for when, text in floats]
        points += [(when, _spell_histogram(histogram)) for when, histogram in histograms]
        series.append(Series(element["metric"], sorted(points, key=lambda point: point[0])))
    return Answer(kind, series)


def spell_time(unix_s: float) -> str:
    """ISO 8601 in UTC, with milliseconds only where there are some."""
    moment = datetime.fromtimestamp(unix_s, UTC)
    digits = "milliseconds" if moment.microsecond else "seconds"
    return moment.isoformat(timespec=digits).replace("+00:00", "Z")
