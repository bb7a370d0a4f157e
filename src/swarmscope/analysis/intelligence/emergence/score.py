"""The emergence score: Ψ of a declared macro feature, less what units that have nothing to do with each other show."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from swarmscope.analysis.intelligence.emergence.causal_decoupling import Transitions, measure, psi, to_transitions
from swarmscope.analysis.intelligence.emergence.features import DEFAULT_FEATURE, Feature, find_feature
from swarmscope.analysis.intelligence.errors import ModelError
from swarmscope.analysis.intelligence.estimate import SIGNIFICANCE_LEVEL, Estimate, refused
from swarmscope.analysis.intelligence.information.discrete import Codes, check_states
from swarmscope.analysis.intelligence.information.o_information import o_information
from swarmscope.analysis.intelligence.statistics.surrogates import block_bootstrap, circular_shifts, surrogate_p

ESTIMATOR = "rosas_psi"
MIN_BINS = 100
_LEAST_CHANGES = 2
_CONFIDENCE = (2.5, 97.5)
Progress = Callable[[float], None]


@dataclass(frozen=True)
class EmergenceOptions:
    """How emergence is scored. The defaults are what is published."""

    feature: str | Feature = DEFAULT_FEATURE
    """A name of `features.FEATURES`, or a function."""
    n_surrogates: int = 99
    n_resamples: int = 200
    min_bins: int = MIN_BINS
    seed: int = 0


_DEFAULTS = EmergenceOptions()


def measure_emergence(
    states: ArrayLike,
    options: EmergenceOptions = _DEFAULTS,
    *,
    events: ArrayLike | None = None,
    bin_ns: int = 0,
    progress: Progress | None = None,
) -> Estimate:
    """Return Ψ_c = Ψ − its mean over surrogates, of states [T, n], whole numbers (best 0 and 1).

    `events` [T, n] are what throughput is counted of; without them the states. Surrogates shift every unit in a circle
    and form the feature anew; resamples are blocks of transitions. `extra` holds `psi`, `delta`, `gamma`,
    `o_information`, `null_mean`, `feature`, `units` (which of the columns vary) and `emergent`: p < 0.05 and Ψ_c > 0.
    `value` is 0 where it is not emergent, and that is inconclusive: it does not say that nothing emerges. Too few bins,
    fewer than two units that vary and a constant feature give an estimate that is not valid. `progress` is told which
    part is done, and may raise. Raises ModelError, which says where, for states and events that are no whole numbers
    and an unknown feature.
    """
    feature = find_feature(options.feature) if isinstance(options.feature, str) else options.feature
    table = check_states(states, "states")
    counts = table if events is None else check_states(events, "events")
    if counts.shape != table.shape:
        raise ModelError(f"events: {list(table.shape)} are needed as of states, their shape is {list(counts.shape)}")
    varying = np.flatnonzero((table != table[0]).sum(axis=0) >= _LEAST_CHANGES)
    sizes = (len(varying), len(table))
    if len(table) < options.min_bins:
        return refused(f"too_few_bins: {len(table)} of {options.min_bins}", estimator=ESTIMATOR, sizes=sizes)
    if len(varying) < 2:
        return refused("constant_units: fewer than two units vary", estimator=ESTIMATOR, sizes=sizes)
    observed = _Observed(table[:, varying], counts[:, varying], feature)
    steps = observed.transitions()
    if not np.ptp(steps.macro) or not np.ptp(steps.next_macro):
        return refused("constant_feature", estimator=ESTIMATOR, sizes=sizes)
    return _score(observed, steps, options, bin_ns, varying, progress or _nobody)


@dataclass(frozen=True)
class _Observed:
    states: Codes
    events: Codes
    feature: Feature

    def transitions(self) -> Transitions:
        return to_transitions(self.feature(self.states, self.events), self.states)

    def shifted(self, n: int, seed: int) -> Iterator[Transitions]:
        """Surrogates, one at a time; a unit's states and events stay together."""
        n_bins, n_units = self.states.shape
        rows = np.broadcast_to(np.arange(n_bins)[:, None], (n_bins, n_units))
        units = np.arange(n_units)
        for each in range(n):
            at = circular_shifts(rows, 1, seed + each)[0]
            yield _Observed(self.states[at, units], self.events[at, units], self.feature).transitions()


def _score(
    observed: _Observed,
    steps: Transitions,
    options: EmergenceOptions,
    bin_ns: int,
    varying: NDArray[np.intp],
    progress: Progress,
) -> Estimate:
    found = measure(steps)
    null = np.empty(options.n_surrogates)
    for at, surrogate in enumerate(observed.shifted(options.n_surrogates, options.seed)):
        null[at] = psi(surrogate)
        progress(0.5 * (at + 1) / len(null))
    p_value, null_mean = surrogate_p(found.psi, null), float(null.mean()) if len(null) else 0.0
    score = found.psi - null_mean
    low, high = _interval(steps, options, progress)
    is_emergent = p_value < SIGNIFICANCE_LEVEL and score > 0
    n_bins, n_units = observed.states.shape
    name = options.feature if isinstance(options.feature, str) else getattr(options.feature, "__name__", "feature")
    return Estimate(
        value=score if is_emergent else 0.0,
        raw=found.psi,
        significant=is_emergent,
        estimator=ESTIMATOR,
        n_units=n_units,
        n_samples=n_bins,
        bias_corrected=True,
        p_value=p_value,
        # The interval is centred: resampled frequencies make Ψ's bias anew, by which it is moved back.
        ci_low=found.psi + low - null_mean,
        ci_high=found.psi + high - null_mean,
        bin_ns=bin_ns,
        extra={
            "psi": found.psi,
            "delta": found.delta,
            "gamma": found.gamma,
            "o_information": o_information(observed.states),
            "null_mean": null_mean,
            "score": score,
            "feature": name,
            "emergent": is_emergent,
            "units": [int(unit) for unit in varying],
        },
    )


def _interval(steps: Transitions, options: EmergenceOptions, progress: Progress) -> tuple[float, float]:
    """How far Ψ of resampled transitions lies below and above their median; nan where there are none."""
    if not options.n_resamples:
        return np.nan, np.nan
    resampled = np.empty(options.n_resamples)
    for at, rows in enumerate(block_bootstrap(len(steps.macro), options.n_resamples, options.seed)):
        resampled[at] = psi(steps.of_rows(rows))
        progress(0.5 + 0.5 * (at + 1) / len(resampled))
    low, middle, high = np.percentile(resampled, (_CONFIDENCE[0], 50, _CONFIDENCE[1]))
    return float(low - middle), float(high - middle)


def _nobody(part: float) -> None:
    """Nobody is told."""
