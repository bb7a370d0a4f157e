"""Metric families that are scraped and pushed alike: one state, Prometheus' text and OpenTelemetry's instruments.

Text format: https://prometheus.io/docs/instrumenting/exposition_formats/#text-based-format
"""

from __future__ import annotations

import logging
import math
import threading
import time
from bisect import bisect_left
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from opentelemetry.metrics import CallbackOptions, Observation

_logger = logging.getLogger("swarmscope.sdk")
LabelValues = tuple[str, ...]
_MAX_SERIES = 1000  # of one family: labels are words of a fleet's design, not ids
_QUANTILES = (0.5, 0.9, 0.99)
_WINDOW_S, _MAX_WINDOW = 600.0, 1000  # as Prometheus' clients: quantiles are of the last ten minutes


class Sample(NamedTuple):
    """One line of the text format."""

    suffix: str
    labels: dict[str, str]
    value: float


class Family:
    """Series of one metric. Thread-safe."""

    kind = "untyped"

    def __init__(self, name: str, documentation: str, label_names: Sequence[str]) -> None:
        self.name, self.documentation, self.label_names = name, documentation, tuple(label_names)
        self._lock = threading.Lock()
        self._warned = False

    def labels(self, values: LabelValues) -> dict[str, str]:
        """The labels of one series."""
        return dict(zip(self.label_names, values, strict=True))

    def samples(self) -> list[Sample]:
        """What a scrape shows now."""
        raise NotImplementedError

    def _has_room(self, series: Mapping[LabelValues, object], values: LabelValues) -> bool:
        if values in series or len(series) < _MAX_SERIES:
            return True
        if not self._warned:
            self._warned = True
            _logger.warning("%s has %d series, further ones are left out", self.name, _MAX_SERIES)
        return False


class GaugeFamily(Family):
    """Last values; one that was not told again for `expires_s` is shown no more."""

    kind = "gauge"

    def __init__(self, name: str, documentation: str, label_names: Sequence[str], expires_s: float) -> None:
        super().__init__(name, documentation, label_names)
        self._expires_s = expires_s
        self._values: dict[LabelValues, tuple[float, float]] = {}  # value, when told

    def set(self, value: float, *values: str) -> None:
        """The value of one series is now this."""
        with self._lock:
            if self._has_room(self._values, values):
                self._values[values] = (value, time.monotonic())

    def samples(self) -> list[Sample]:
        """Those that are not too old."""
        oldest_s = time.monotonic() - self._expires_s
        with self._lock:
            self._values = {key: entry for key, entry in self._values.items() if entry[1] >= oldest_s}
            return [Sample("", self.labels(key), value) for key, (value, _) in self._values.items()]

    def observe(self, _: CallbackOptions) -> list[Observation]:
        """For an observable instrument."""
        return [Observation(sample.value, sample.labels) for sample in self.samples()]


class CounterFamily(Family):
    """Totals; the name ends in `total`."""

    kind = "counter"

    def __init__(self, name: str, documentation: str, label_names: Sequence[str]) -> None:
        super().__init__(name, documentation, label_names)
        self._totals: dict[LabelValues, float] = {}

    def add(self, amount: float, *values: str) -> None:
        """So many more."""
        with self._lock:
            if self._has_room(self._totals, values):
                self._totals[values] = self._totals.get(values, 0.0) + amount

    def samples(self) -> list[Sample]:
        """All totals."""
        with self._lock:
            return [Sample("", self.labels(key), total) for key, total in self._totals.items()]

    def observe(self, _: CallbackOptions) -> list[Observation]:
        """For an observable instrument."""
        return [Observation(sample.value, sample.labels) for sample in self.samples()]


class HistogramFamily(Family):
    """Counts of values at or below bounds; `push` takes each value to an instrument as well."""

    kind = "histogram"

    def __init__(self, name: str, documentation: str, label_names: Sequence[str], bounds: Sequence[float]) -> None:
        super().__init__(name, documentation, label_names)
        self.bounds = tuple(bounds)
        self.push: Callable[[float, Mapping[str, str]], None] | None = None
        self._counts: dict[LabelValues, list[int]] = {}
        self._sums: dict[LabelValues, float] = {}

    def record(self, value: float, *values: str) -> None:
        """One value."""
        with self._lock:
            if not self._has_room(self._sums, values):
                return
            counts = self._counts.setdefault(values, [0] * (len(self.bounds) + 1))
            counts[bisect_left(self.bounds, value)] += 1
            self._sums[values] = self._sums.get(values, 0.0) + value
        if self.push is not None:
            self.push(value, self.labels(values))

    def samples(self) -> list[Sample]:
        """Buckets, sum and count of each series."""
        found = []
        with self._lock:
            for key, counts in self._counts.items():
                labels, total = self.labels(key), 0
                for bound, count in zip((*self.bounds, math.inf), counts, strict=True):
                    total += count
                    found.append(Sample("_bucket", labels | {"le": to_number_text(bound)}, total))
                found += [Sample("_sum", labels, self._sums[key]), Sample("_count", labels, total)]
        return found


class SummaryFamily(Family):
    """Sums, counts, and quantiles of the last ten minutes; `push` takes each value to an instrument as well."""

    kind = "summary"

    def __init__(self, name: str, documentation: str, label_names: Sequence[str]) -> None:
        super().__init__(name, documentation, label_names)
        self.push: Callable[[float, Mapping[str, str]], None] | None = None
        self._totals: dict[LabelValues, tuple[int, float]] = {}
        self._recent: dict[LabelValues, deque[tuple[float, float]]] = {}  # when, value

    def record(self, value: float, *values: str) -> None:
        """One value."""
        with self._lock:
            if not self._has_room(self._totals, values):
                return
            n, total = self._totals.get(values, (0, 0.0))
            self._totals[values] = (n + 1, total + value)
            self._recent.setdefault(values, deque(maxlen=_MAX_WINDOW)).append((time.monotonic(), value))
        if self.push is not None:
            self.push(value, self.labels(values))

    def quantiles(self, labels: Mapping[str, str]) -> list[tuple[float, float]]:
        """(quantile, value) of one series' last ten minutes, by the nearest rank; none without values."""
        key = tuple(labels.get(name, "") for name in self.label_names)
        with self._lock:
            return self._quantiles(key)

    def _quantiles(self, key: LabelValues) -> list[tuple[float, float]]:
        oldest_s = time.monotonic() - _WINDOW_S
        recent = sorted(value for when_s, value in self._recent.get(key, ()) if when_s >= oldest_s)
        if not recent:
            return []
        return [(quantile, recent[math.ceil(quantile * len(recent)) - 1]) for quantile in _QUANTILES]

    def samples(self) -> list[Sample]:
        """Quantiles, sum and count of each series."""
        found = []
        with self._lock:
            for key, (n, total) in self._totals.items():
                labels = self.labels(key)
                for quantile, value in self._quantiles(key):
                    found.append(Sample("", labels | {"quantile": to_number_text(quantile)}, value))
                found += [Sample("_sum", labels, total), Sample("_count", labels, n)]
        return found


def to_exposition(families: Iterable[Family]) -> str:
    """Prometheus' text format; a family without series is left out."""
    return "".join(line for family in families for line in _lines(family))


def _lines(family: Family) -> Iterator[str]:
    samples = family.samples()
    if not samples:
        return
    documentation = family.documentation.replace("\\", r"\\").replace("\n", r"\n")
    yield f"# HELP {family.name} {documentation}\n# TYPE {family.name} {family.kind}\n"
    for suffix, labels, value in samples:
        inner = ",".join(f'{name}="{_escaped(text)}"' for name, text in labels.items())
        yield f"{family.name}{suffix}{{{inner}}} {to_number_text(value)}\n"


def _escaped(text: str) -> str:
    return text.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")


def to_number_text(value: float) -> str:
    """As Prometheus' clients write it: whole numbers with `.0`, infinity as +Inf."""
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    return "NaN" if math.isnan(value) else repr(float(value))
