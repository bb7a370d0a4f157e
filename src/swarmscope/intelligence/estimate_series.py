"""Estimates as series: the metric itself, and beside it how far it can be believed."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections import OrderedDict, deque
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from swarmscope.fleet.series import Family, Labels, Moment, Publication, SeriesTable, labels
from swarmscope.model.contracts import SeriesIndex

_HELP = {
    "phi": "Integrated information of a model fitted to observed activity, 0 if not significant. Nothing was "
    "intervened in: hidden common causes raise it. It says nothing of consciousness.",
    "emergence": "What a macro feature tells of its own future that units do not, less the mean over surrogates.",
    "coherence": "Mean coherence of a group's agents, without what chance shows.",
    "coordination": "Geometric mean of the components of coordination.",
}
METRICS = {
    "phi": "agi_consciousness_phi",
    "emergence": "agi_emergence_score",
    "coherence": "agi_neural_coherence",
    "coordination": "agi_agent_coordination_score",
}
BUCKETS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99, 1.0)  # as the SDK's
_QUANTILES = (0.5, 0.9, 0.99)
_N_RECENT = 100  # scores that quantiles are of
_MAX_SETS = 2_000
_COMPANIONS = (
    ("raw", "before correction for chance"),
    ("p_value", "how likely chance alone gives as much"),
    ("ci_low", "lower end of the 95 % interval"),
    ("ci_high", "upper end of the 95 % interval"),
    ("n_units", "units of the model"),
    ("n_samples", "bins that it is of"),
    ("significant", "1 if chance alone is not enough to explain it"),
    ("valid", "1 if there was enough to measure"),
)


class _Measured:
    """What counters and quantiles are made of."""

    def __init__(self) -> None:
        self.buckets = [0] * (len(BUCKETS) + 1)
        self.total = 0.0
        self.count = 0
        self.recent: deque[float] = deque(maxlen=_N_RECENT)

    def add(self, value: float) -> None:
        self.buckets[bisect_left(BUCKETS, value)] += 1
        self.total += value
        self.count += 1
        self.recent.append(value)


class _Told(NamedTuple):
    labels: Labels
    estimate: Mapping[str, Any]
    seen_ns: int


def _families(kind: str) -> dict[str, tuple[Family, ...]]:
    """The tables of one metric."""
    name, text = METRICS[kind], _HELP[kind]
    beside = [Family(f"{name}_{suffix}", "gauge", f"{name}: {meaning}.") for suffix, meaning in _COMPANIONS]
    tables: dict[str, tuple[Family, ...]] = {"companions": tuple(beside)}
    if kind == "coherence":
        tables["buckets"] = (Family(f"{name}_bucket", "counter", text),)
    if kind == "coordination":
        tables["quantiles"] = (Family(name, "gauge", text),)
    if kind in ("coherence", "coordination"):
        tables["totals"] = (Family(f"{name}_sum", "counter", text), Family(f"{name}_count", "counter", text))
    else:
        tables["values"] = (Family(name, "gauge", text),)
    return tables


class EstimateSeries:
    """Of one tenant. Not thread-safe."""

    def __init__(self, tenant: str, seed: int) -> None:
        self.tenant = tenant
        self.published_ms = 0
        self._told: OrderedDict[tuple[str, str], _Told] = OrderedDict()  # by kind and group
        self._measured: dict[tuple[str, str], _Measured] = {}
        self._tables = {
            (kind, table): SeriesTable(families, 16 * _MAX_SETS, seed)
            for kind in METRICS
            for table, families in _families(kind).items()
        }

    def add(self, kind: str, estimate: Mapping[str, Any], now_ns: int) -> None:
        """One more estimate (`Estimate.to_json()` with `group`)."""
        key = kind, str(estimate["group"])
        # One that could not be made replaces the one before, whatever that was made by.
        self._told.pop(key, None)
        self._told[key] = _Told(_labels_of(kind, estimate), estimate, now_ns)
        while len(self._told) > _MAX_SETS:
            oldest, _ = self._told.popitem(last=False)
            self._measured.pop(oldest, None)
        if kind in ("coherence", "coordination") and estimate.get("valid"):
            self._measured.setdefault(key, _Measured()).add(float(estimate["value"]))

    def publication(self, index: SeriesIndex, moment: Moment, since_ns: int) -> Publication:
        """All series as they are now; what was measured before `since_ns` ends."""
        values: dict[tuple[str, str], dict[Labels, Sequence[float | None]]] = {key: {} for key in self._tables}
        for key in [key for key, told in self._told.items() if told.seen_ns < since_ns]:
            del self._told[key]
            self._measured.pop(key, None)
        for (kind, group), told in self._told.items():
            estimator = str(told.estimate.get("estimator") or "none")
            companions = (*told.labels, ("estimator", estimator))
            values[kind, "companions"][companions] = [_number(told.estimate.get(name)) for name, _ in _COMPANIONS]
            if (kind, "values") in values:
                values[kind, "values"][told.labels] = [_number(told.estimate.get("value"))]
            elif (kind, group) in self._measured:
                _tell_measured(kind, told.labels, self._measured[kind, group], values)
        for table_key, table in self._tables.items():
            table.replace(values[table_key], moment.now_ms)
        self.published_ms = moment.now_ms
        return Publication(list(self._tables.values()), index, self.tenant, moment)


def _tell_measured(
    kind: str,
    key: Labels,
    measured: _Measured,
    values: Mapping[tuple[str, str], dict[Labels, Sequence[float | None]]],
) -> None:
    """The series of a histogram or a summary."""
    values[kind, "totals"][key] = [measured.total, float(measured.count)]
    if kind == "coherence":
        ends = [*map(str, BUCKETS), "+Inf"]
        for end, count in zip(ends, np.cumsum(measured.buckets).tolist(), strict=True):
            values[kind, "buckets"][(*key, ("le", end))] = [float(count)]
        return
    for quantile in _QUANTILES:
        share = float(np.quantile(measured.recent, quantile))
        values[kind, "quantiles"][(*key, ("quantile", str(quantile)))] = [share]


def _labels_of(kind: str, estimate: Mapping[str, Any]) -> Labels:
    group = str(estimate["group"])
    if kind == "phi":
        return labels(brain_region=group, integration_type=str(estimate.get("integration_type") or "none"))
    if kind == "emergence":
        feature = (estimate.get("extra") or {}).get("feature") or "none"
        return labels(pattern_type=str(feature), agent_cluster=group)
    if kind == "coherence":
        return labels(region=group, layer="all")
    return labels(agent_group=group, task_type="all")


def _number(value: object) -> float | None:
    """A number, a truth as 0 or 1, and nothing for what is not known."""
    if isinstance(value, bool | int | float) and math.isfinite(value):
        return float(value)
    return None
