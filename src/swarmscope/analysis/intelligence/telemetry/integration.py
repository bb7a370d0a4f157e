"""Φ of what a fleet was seen doing: fitted, tested against shifted copies of itself, with its interval.

What is measured is the causal integration of the model of activity, from observation and not from intervention: a
common cause that nobody sees (a shared queue, a deploy) inflates it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from swarmscope.analysis.intelligence.errors import ModelError
from swarmscope.analysis.intelligence.estimate import SIGNIFICANCE_LEVEL, Estimate, refused
from swarmscope.analysis.intelligence.iit3.phi import phi_of_models
from swarmscope.analysis.intelligence.information.effective_information import (
    ei_mip_of_models,
    integrated_effective_information,
)
from swarmscope.analysis.intelligence.statistics.surrogates import block_bootstrap, circular_shifts, surrogate_p
from swarmscope.analysis.intelligence.telemetry.activity import Activity
from swarmscope.analysis.intelligence.telemetry.binarising import States, to_states
from swarmscope.analysis.intelligence.telemetry.coupling_check import CouplingCheck, check_coupling
from swarmscope.analysis.intelligence.telemetry.gaussian_route import measure_gaussian_phi
from swarmscope.analysis.intelligence.telemetry.options import (
    MAX_TESTED_UNITS,
    IntegrationType,
    PhiOptions,
    required_bins,
)
from swarmscope.analysis.intelligence.telemetry.transition_model import (
    KINDS,
    MAX_UNITS,
    Codes,
    Models,
    encode_states,
    fit_models,
)
from swarmscope.analysis.intelligence.telemetry.watch import Cancelled, Progress, Watch

Floats = NDArray[np.float64]

_DEFAULTS = PhiOptions()
_MIN_SHARE = 0.01  # of bins: states that are rarer have no part in the mean over states
_AT_ONCE = 25  # models, between two looks at whether anybody waits
_ROUNDING = 1e-9  # bits: an EI of less is none, and would be compared with surrogates' rounding
_MIN_SPREAD_BINS = 50  # what another width must have for a Φ beside
_CONFIDENCE = (2.5, 97.5)


class _Measured(NamedTuple):
    """Φ of one model."""

    phi: float
    mean_phi: float
    """Over visited states, weighted by their visits; nan where that would take too long."""
    states: list[dict[str, float]]


class _Tested(NamedTuple):
    """What surrogates and resamples say of one number."""

    p_value: float
    null_mean: float
    interval: tuple[float, float]
    mean_p_value: float
    """Of Φ̄, and its null's mean; nan where Φ̄ is not computed."""
    mean_null: float


def measure_phi(
    activity: Activity,
    options: PhiOptions = _DEFAULTS,
    *,
    other_widths: Sequence[Activity] = (),
    progress: Progress | None = None,
    cancelled: Cancelled | None = None,
) -> Estimate:
    """Return Φ of the newest bin's state, with Φ̄ over visited states and all else in `extra`.

    `other_widths` are the same units' activity in other bins (half, double), whose Φ is told beside. Data that are too
    thin, constant or coupled within a bin give an estimate that is not valid and says why. Raises
    ComputationCancelledError when `cancelled` says so, and nothing else.
    """
    watch = Watch(progress, cancelled)
    states = to_states(activity)
    kind = _integration_type(len(states.names), options)
    if kind == "phi_g":
        return measure_gaussian_phi(activity, options, other_widths, watch)
    reason = _refusal(states, kind, options)
    if reason:
        return refused(
            reason,
            integration_type=kind,
            sizes=(len(states.names), len(states.on)),
            extra={"units": list(states.names), "dropped": list(states.dropped)},
        )
    try:
        return _measure_states(states, activity.bin_ns, (kind, options), other_widths, watch)
    except ModelError as error:
        return refused(f"model: {error}", integration_type=kind, sizes=(len(states.names), len(states.on)))


def _integration_type(n_units: int, options: PhiOptions) -> IntegrationType:
    if options.integration_type != "auto":
        return options.integration_type
    return "iit_3.0" if n_units <= options.max_units else "phi_g"


def _refusal(states: States, kind: IntegrationType, options: PhiOptions) -> str:
    n_units, n_bins = len(states.names), len(states.on)
    most = MAX_UNITS if kind == "ei_mip" else options.max_units
    if n_units < 2:
        return f"constant_units: {', '.join(states.dropped) or 'there are no others'}"
    if n_units > most:
        return f"too_many_units: {n_units} of at most {most}"
    needed = options.min_bins or required_bins(n_units, kind)
    if n_bins < needed:
        return f"too_few_bins: {n_bins} of {needed}"
    return ""


def _measure_states(
    states: States,
    bin_ns: int,
    how: tuple[IntegrationType, PhiOptions],
    other_widths: Sequence[Activity],
    watch: Watch,
) -> Estimate:
    kind, options = how
    n_units = len(states.names)
    codes = encode_states(states.on)
    observed = fit_models(codes[None, :-1], codes[None, 1:], n_units, KINDS.index(options.model))
    watch.done(0.01)
    measured = _phi_of(observed, codes, kind)
    tested_kind: IntegrationType = kind if n_units <= MAX_TESTED_UNITS else "ei_mip"
    of_tested = measured if tested_kind == kind else _phi_of(observed, codes, tested_kind)
    tested = _test(states, of_tested, (tested_kind, options), watch)
    coupling = check_coupling(codes[:-1], states.on[1:], observed.tpms[0])
    is_significant = tested.p_value <= SIGNIFICANCE_LEVEL and not coupling.is_coupled
    is_corrected = tested_kind == kind
    value = max(measured.phi - tested.null_mean, 0.0) if is_corrected else measured.phi
    low, high = tested.interval if is_corrected else (np.nan, np.nan)
    extra = _particulars(states, observed, codes)
    extra |= _beside(measured, tested, coupling, tested_kind)
    extra["by_bin_ns"] = [_of_width(other, how) for other in other_widths]
    watch.done(1.0)
    return Estimate(
        value=value if is_significant else 0.0,
        raw=measured.phi,
        significant=is_significant,
        valid=not coupling.is_coupled,
        reason=_coupling_reason(coupling, states),
        estimator=KINDS[observed.kinds[0]],
        integration_type=kind,
        n_units=n_units,
        n_samples=len(codes),
        bias_corrected=is_corrected,
        p_value=tested.p_value,
        ci_low=low,
        ci_high=high,
        bin_ns=bin_ns,
        extra=extra,
    )


def _phi_of(model: Models, codes: Codes, kind: IntegrationType) -> _Measured:
    """Return what one model gives at the newest state, and over all that were visited."""
    current = _phis(model, codes[-1:], kind)[0]
    n_units = model.cms.shape[1]
    if kind != "iit_3.0":
        return _Measured(current, current, [])
    if n_units > MAX_TESTED_UNITS:
        return _Measured(current, np.nan, [])
    visited, shares = _visited(codes, n_units)
    phis = _phis(_repeated(model, len(visited)), visited, kind)
    told = [
        {"state": int(state), "share": float(share), "phi": float(phi)}
        for state, share, phi in zip(visited, shares, phis, strict=True)
    ]
    return _Measured(current, float(phis @ shares / shares.sum()), told)


def _visited(codes: Codes, n_units: int) -> tuple[Codes, Floats]:
    """Return the states that hold 1 % of bins or more, and their shares."""
    shares = np.bincount(codes, minlength=1 << n_units) / len(codes)
    visited = np.flatnonzero(shares >= _MIN_SHARE)
    return visited, shares[visited]


def _repeated(model: Models, times: int) -> Models:
    """Return each model `times` times, one after the other."""
    return Models(model.tpms.repeat(times, 0), model.cms.repeat(times, 0), model.kinds.repeat(times, 0))


def _phis(models: Models, states: Codes, kind: IntegrationType) -> Floats:
    """Return Φ of each model, [n_models], at `states` [n_models] little-endian codes."""
    if kind == "ei_mip":
        phis = ei_mip_of_models(models.tpms).phi
        return np.where(phis < _ROUNDING, 0.0, phis)
    n_units = models.cms.shape[1]
    on = ((states[:, None] >> np.arange(n_units)) & 1).astype(np.int64)
    return phi_of_models(models.tpms, models.cms, on)


def _test(states: States, measured: _Measured, how: tuple[IntegrationType, PhiOptions], watch: Watch) -> _Tested:
    """Measure surrogates and resamples by the same steps as what was observed."""
    kind, options = how
    codes = encode_states(states.on)
    n_units = len(states.names)
    null = mean_null = np.zeros(options.n_surrogates)
    # Fast path: no surrogate is less integrated than 0.
    if measured.phi > 0.0 or measured.mean_phi > 0.0:
        shifted = encode_states(circular_shifts(states.on, options.n_surrogates, options.seed))
        null, mean_null = _phis_of_shifted(shifted, codes, (kind, n_units, options), watch)
    resampled = _phis_of_resampled(codes, (kind, n_units, options), watch)
    null_mean = float(null.mean()) if len(null) else 0.0
    low, high = np.maximum(np.percentile(resampled, _CONFIDENCE) - null_mean, 0.0) if len(resampled) else (np.nan,) * 2
    return _Tested(
        surrogate_p(measured.phi, null),
        null_mean,
        (float(low), float(high)),
        surrogate_p(measured.mean_phi, mean_null) if np.isfinite(measured.mean_phi) else np.nan,
        float(mean_null.mean()) if len(null) else 0.0,
    )


def _phis_of_shifted(
    shifted: Codes, codes: Codes, how: tuple[IntegrationType, int, PhiOptions], watch: Watch
) -> tuple[Floats, Floats]:
    """Return Φ at the newest state and Φ̄ of each surrogate, whose states are a row of `shifted`."""
    kind, n_units, options = how
    null, mean_null = np.zeros(len(shifted)), np.zeros(len(shifted))
    visited, shares = _visited(codes, n_units)
    for first in range(0, len(shifted), _AT_ONCE):
        some = shifted[first : first + _AT_ONCE]
        models = fit_models(some[:, :-1], some[:, 1:], n_units, KINDS.index(options.model))
        at = slice(first, first + len(some))
        null[at] = _phis(models, np.repeat(codes[-1:], len(some)), kind)
        mean_null[at] = null[at]
        if kind == "iit_3.0":
            each = _phis(_repeated(models, len(visited)), np.tile(visited, len(some)), kind)
            mean_null[at] = each.reshape(len(some), -1) @ shares / shares.sum()
        watch.done(0.02 + 0.38 * (first + len(some)) / len(shifted))
    return null, mean_null


def _phis_of_resampled(codes: Codes, how: tuple[IntegrationType, int, PhiOptions], watch: Watch) -> Floats:
    """Return Φ at the newest state of each resample of the transitions."""
    kind, n_units, options = how
    phis = np.empty(options.n_resamples)
    if not options.n_resamples:
        return phis
    rows = block_bootstrap(len(codes) - 1, options.n_resamples, options.seed + 1)
    for first in range(0, len(rows), _AT_ONCE):
        some = rows[first : first + _AT_ONCE]
        models = fit_models(codes[:-1][some], codes[1:][some], n_units, KINDS.index(options.model))
        phis[first : first + len(some)] = _phis(models, np.repeat(codes[-1:], len(some)), kind)
        watch.done(0.4 + 0.55 * (first + len(some)) / len(rows))
    return phis


def _particulars(states: States, observed: Models, codes: Codes) -> dict[str, object]:
    """Return whose model it is, and the model itself, as JSON holds it."""
    n_units = len(states.names)
    mip = integrated_effective_information(observed.tpms[0])
    return {
        "units": list(states.names),
        "dropped": list(states.dropped),
        "by_events": list(states.by_events),
        "ei": float(mip.ei),
        "ei_mip": float(mip.phi),
        "ei_mip_normalised": float(mip.normalised),
        "ei_parts": [[states.names[unit] for unit in part] for part in mip.parts],
        "connections": [[states.names[of], states.names[to]] for of, to in np.argwhere(observed.cms[0])],
        "model": {
            "tpm": observed.tpms[0].tolist(),
            "cm": observed.cms[0].astype(int).tolist(),
            "state": [int(codes[-1] >> unit) & 1 for unit in range(n_units)],
        },
    }


def _beside(
    measured: _Measured, tested: _Tested, coupling: CouplingCheck, tested_kind: IntegrationType
) -> dict[str, object]:
    is_significant = tested.mean_p_value <= SIGNIFICANCE_LEVEL and not coupling.is_coupled
    return {
        "tested": tested_kind,
        "null_mean": tested.null_mean,
        "mean_phi": max(measured.mean_phi - tested.mean_null, 0.0) if is_significant else 0.0,
        "mean_phi_raw": measured.mean_phi,
        "mean_phi_p_value": tested.mean_p_value,
        "states": measured.states,
        "coupled_share": coupling.share,
        "strongest_coupling": coupling.strongest,
    }


def _coupling_reason(coupling: CouplingCheck, states: States) -> str:
    if not coupling.is_coupled:
        return ""
    of, other = (states.names[unit] for unit in coupling.pair)
    return f"instantaneous_coupling: {of} and {other} at {coupling.strongest:.2f}; shrink the bins"


def _of_width(activity: Activity, how: tuple[IntegrationType, PhiOptions]) -> dict[str, object]:
    """Return the raw Φ at another width of bins, nan where there is none."""
    kind, options = how
    states = to_states(activity)
    told: dict[str, object] = {"bin_ns": activity.bin_ns, "n_samples": len(states.on), "n_units": len(states.names)}
    if _refusal(states, kind, replace(options, min_bins=_MIN_SPREAD_BINS)):
        return told | {"phi": np.nan, "mean_phi": np.nan}
    codes = encode_states(states.on)
    model = fit_models(codes[None, :-1], codes[None, 1:], len(states.names), KINDS.index(options.model))
    measured = _phi_of(model, codes, kind)
    return told | {"phi": measured.phi, "mean_phi": measured.mean_phi}
