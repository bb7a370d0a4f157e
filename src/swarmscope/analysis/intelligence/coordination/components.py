"""The components of coordination, and the one number made of them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from swarmscope.analysis.intelligence.coordination.balance import contribution_balance, pielou_evenness
from swarmscope.analysis.intelligence.coordination.consensus import Consensus
from swarmscope.analysis.intelligence.coordination.fleet_spans import FleetSpans
from swarmscope.analysis.intelligence.coordination.sums import FleetSums, Measure, fleet_sums
from swarmscope.analysis.intelligence.coordination.transfer_entropy import Transfer
from swarmscope.analysis.intelligence.errors import ModelError
from swarmscope.analysis.intelligence.estimate import Estimate, refused
from swarmscope.analysis.intelligence.statistics.wilson import wilson_interval

ESTIMATOR = "coordination_components"
DEFAULT_WEIGHTS: Mapping[str, float] = {
    "hand_off_success": 1.0,
    "wait_efficiency": 1.0,
    "parallelism": 1.0,
    "non_duplication": 1.0,
    # A pipeline is unbalanced and one-way by design; a workspace of peers may give these weights.
    "contribution_balance": 0.0,
    "information_flow": 0.0,
}
_LEAST_COMPONENTS = 3

Floats = NDArray[np.float64]


class Component(NamedTuple):
    """One aspect of coordination."""

    name: str
    value: float
    """From 0 to 1; nan where there is nothing to tell it from."""
    n_events: int
    ci_low: float = math.nan
    ci_high: float = math.nan


@dataclass(frozen=True)
class CoordinationOptions:
    """How coordination is measured."""

    weights: Mapping[str, float] = field(default_factory=lambda: DEFAULT_WEIGHTS)
    least_events: int = 30
    """Components of fewer events are shown and not counted."""
    retry_window_ns: int = 60 * 10**9
    duplicate_window_ns: int = 600 * 10**9
    n_resamples: int = 200
    """Of traces, for intervals."""
    seed: int = 0


class ActivityFindings(NamedTuple):
    """What other data than spans told, where there are some."""

    transfer: Transfer | None = None
    consensus: Consensus | None = None


@dataclass(frozen=True)
class Coordination:
    """How well some agents work together."""

    components: tuple[Component, ...]
    estimate: Estimate
    """The composite; its `extra` holds the components, and what else is told beside them."""
    self_ns: Floats
    """[n_agents] work of each agent."""

    def component(self, name: str) -> Component:
        """Return a component by name; KeyError where there is none."""
        return {component.name: component for component in self.components}[name]


def measure_coordination(
    spans: FleetSpans,
    n_agents: int,
    options: CoordinationOptions | None = None,
    findings: ActivityFindings = ActivityFindings(),  # noqa: B008 - immutable
) -> Coordination:
    """Return the components of spans of the agents 0 to `n_agents` − 1, and their composite.

    Intervals come from resampled traces, that of hand-offs is Wilson's. Raises ModelError where parents go in a circle
    and for weights of components that do not exist, or below 0.
    """
    chosen = options or CoordinationOptions()
    unknown = [name for name, weight in chosen.weights.items() if name not in DEFAULT_WEIGHTS or not weight >= 0]
    if unknown:
        raise ModelError(f"there is no weight {chosen.weights[unknown[0]]} of a component {unknown[0]!r}")
    sums = fleet_sums(spans, n_agents, chosen.retry_window_ns, chosen.duplicate_window_ns)
    components = (*_of_sums(sums), *_of_agents(sums, findings.transfer))
    resampled = _resampled(sums.by_trace, chosen)
    components = tuple(_with_interval(component, resampled) for component in components)
    extra: dict[str, object] = {
        "coordination_components": {component.name: component._asdict() for component in components},
        "weights": {component.name: chosen.weights.get(component.name, 0.0) for component in components},
        "pielou_evenness": pielou_evenness(sums.self_ns),
    }
    if findings.consensus is not None:
        extra["consensus"] = findings.consensus._asdict()
    estimate = _composite_estimate(components, resampled, chosen, (sums, extra))
    return Coordination(components, estimate, sums.self_ns)


def composite(components: Sequence[Component], weights: Mapping[str, float], least_events: int = 30) -> float | None:
    """Return the weighted geometric mean of the components of `least_events` or more; None for fewer than three such.

    Components without a weight or a value do not count. One that is 0 makes it 0: none can be hidden.
    """
    counted = _counted(components, weights, least_events)
    if len(counted) < _LEAST_COMPONENTS:
        return None
    shares = np.array([weights[component.name] for component in counted])
    return float(_geometric_mean(np.array([[component.value for component in counted]]), shares)[0])


def _counted(components: Sequence[Component], weights: Mapping[str, float], least_events: int) -> list[Component]:
    return [
        component
        for component in components
        if weights.get(component.name, 0.0) > 0
        and component.n_events >= least_events
        and math.isfinite(component.value)
    ]


def _geometric_mean(values: Floats, weights: Floats) -> Floats:
    """Of each row [n, k] by weights [k]."""
    with np.errstate(divide="ignore"):
        return np.asarray(np.exp((np.log(values) * weights).sum(axis=1) / weights.sum()))


# The value of each component from sums [..., 10], and what counts its events.
_EVENTS = {
    "hand_off_success": Measure.HAND_OFFS,
    "wait_efficiency": Measure.SPANS,
    "parallelism": Measure.TEAM_SPANS,
    "non_duplication": Measure.TASKS,
}


def _values(sums: Floats) -> dict[str, Floats]:
    def share(part: Floats, whole: Floats) -> Floats:
        return np.asarray(np.divide(part, whole, out=np.full(np.shape(whole), np.nan), where=whole > 0))

    work, wait = sums[..., Measure.WORK_NS], sums[..., Measure.WAIT_NS]
    return {
        "hand_off_success": share(sums[..., Measure.HAND_OFFS_OK], sums[..., Measure.HAND_OFFS]),
        "wait_efficiency": share(work, work + wait),
        "parallelism": np.clip(share(sums[..., Measure.EXCESS_NS], sums[..., Measure.ROOM_NS]), 0.0, 1.0),
        "non_duplication": 1.0 - share(sums[..., Measure.DUPLICATES], sums[..., Measure.TASKS]),
    }


def _of_sums(sums: FleetSums) -> list[Component]:
    whole = sums.by_trace.sum(axis=0)
    found = [Component(name, float(v), int(whole[_EVENTS[name]])) for name, v in _values(whole).items()]
    low, high = wilson_interval(float(whole[Measure.HAND_OFFS_OK]), float(whole[Measure.HAND_OFFS]))
    return [found[0]._replace(ci_low=low, ci_high=high), *found[1:]]


def _of_agents(sums: FleetSums, transfer: Transfer | None) -> list[Component]:
    n_spans = int(sums.by_trace[:, Measure.SPANS].sum())
    found = [Component("contribution_balance", contribution_balance(sums.self_ns), n_spans)]
    if transfer is not None:
        found.append(Component("information_flow", transfer.density, transfer.n_bins))
    return found


def _resampled(by_trace: Floats, options: CoordinationOptions) -> dict[str, Floats]:
    """Values [n_resamples] of each component over traces drawn with replacement; none of a single trace."""
    n = len(by_trace)
    if n < 2 or options.n_resamples < 1:
        return {}
    rng = np.random.default_rng(options.seed)
    totals = np.stack([rng.multinomial(n, np.full(n, 1.0 / n)) @ by_trace for _ in range(options.n_resamples)])
    return _values(totals)


def _interval(values: Floats) -> tuple[float, float]:
    finite = values[np.isfinite(values)]
    if not len(finite):
        return math.nan, math.nan
    low, high = np.quantile(finite, (0.025, 0.975))
    return float(low), float(high)


def _with_interval(component: Component, resampled: dict[str, Floats]) -> Component:
    if component.name not in resampled or math.isfinite(component.ci_low):
        return component
    low, high = _interval(resampled[component.name])
    return component._replace(ci_low=low, ci_high=high)


def _composite_estimate(
    components: tuple[Component, ...],
    resampled: dict[str, Floats],
    options: CoordinationOptions,
    told: tuple[FleetSums, dict[str, object]],
) -> Estimate:
    sums, extra = told
    sizes = (int((sums.self_ns > 0).sum()), int(sums.by_trace[:, Measure.SPANS].sum()))
    value = composite(components, options.weights, options.least_events)
    counted = _counted(components, options.weights, options.least_events)
    if value is None:
        enough = f"{len(counted)} of {_LEAST_COMPONENTS} have {options.least_events} events"
        return refused(f"too_few_components: {enough}", estimator=ESTIMATOR, sizes=sizes, extra=extra)
    # What traces do not tell (balance, information flow) stays as it is in every resample.
    rows = [np.broadcast_to(resampled.get(c.name, np.array(c.value)), options.n_resamples) for c in counted]
    shares = np.array([options.weights[component.name] for component in counted])
    low, high = _interval(_geometric_mean(np.stack(rows, axis=1), shares)) if resampled else (math.nan, math.nan)
    return Estimate(
        value=value,
        raw=value,
        significant=True,  # a ratio of counts has no null
        estimator=ESTIMATOR,
        n_units=sizes[0],
        n_samples=sizes[1],
        ci_low=low,
        ci_high=high,
        extra=extra | {"counted": [component.name for component in counted]},
    )
