"""`load_with_nhcb`: classic histogram series of a script as one native histogram with custom buckets each.

The conversion is that of Prometheus' `convert_classic_histograms_to_nhcb`: finite bounds become custom values,
cumulative counts become populations, and what is above the last bound goes to the bucket that is open to +Inf.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from swarmscope.lang.series_notation.series import ScriptSeries
from swarmscope.lang.series_notation.values import ScriptHistogram, is_stale_value, parse_number
from swarmscope.model.labels import METRIC_NAME
from swarmscope.model.metrics import CUSTOM_BUCKETS_SCHEMA

_Labels = tuple[tuple[str, str], ...]


@dataclass(slots=True)
class _Sample:
    """What the series of one classic histogram say at one time."""

    buckets: dict[float, float] = field(default_factory=dict)
    count: float | None = None
    sum: float = 0.0


def custom_bucket_series(series: Sequence[ScriptSeries]) -> list[ScriptSeries]:
    """The native series that `_bucket`, `_count` and `_sum` series among the given ones stand for."""
    histograms: dict[_Labels, dict[int, _Sample]] = {}
    for one in series:
        labels = one.label_map
        name = labels.pop(METRIC_NAME, "")
        base, _, kind = name.rpartition("_")
        if kind not in ("bucket", "count", "sum") or (kind == "bucket") != ("le" in labels):
            continue
        bound = parse_number(labels.pop("le")) if kind == "bucket" else 0.0
        key = tuple(sorted({**labels, METRIC_NAME: base}.items()))
        samples = histograms.setdefault(key, {})
        for position, value in enumerate(one.values):
            if isinstance(value, float) and not is_stale_value(value):
                _note(samples.setdefault(position, _Sample()), kind, bound, value)
    return [_native(key, samples) for key, samples in histograms.items() if any(s.buckets for s in samples.values())]


def _note(sample: _Sample, kind: str, bound: float, value: float) -> None:
    if kind == "bucket":
        sample.buckets[bound] = value
    elif kind == "count":
        sample.count = value
    else:
        sample.sum = value


def _native(labels: _Labels, samples: dict[int, _Sample]) -> ScriptSeries:
    values: list[ScriptHistogram | None] = [None] * (max(samples) + 1)
    for position, sample in samples.items():
        if sample.buckets:
            values[position] = _histogram(sample)
    return ScriptSeries(labels, tuple(values))


def _histogram(sample: _Sample) -> ScriptHistogram:
    bounds = tuple(sorted(bound for bound in sample.buckets if bound != math.inf))
    cumulative = [sample.buckets[bound] for bound in bounds]
    total = sample.buckets.get(math.inf, sample.count if sample.count is not None else max(cumulative, default=0.0))
    cumulative.append(total)
    populations = [now - before for before, now in zip([0.0, *cumulative], cumulative, strict=False)]
    positive = tuple((index, count) for index, count in enumerate(populations) if count != 0)
    count = sample.count if sample.count is not None else total
    return ScriptHistogram(CUSTOM_BUCKETS_SCHEMA, count, sample.sum, positive=positive, custom=bounds)
