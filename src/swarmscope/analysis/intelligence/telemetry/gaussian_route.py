"""Φ_G of what a fleet was seen doing: for more units than Φ of binary states can be computed of.

Counts are taken as ln(1 + count), scaled, and fitted by a first-order linear model; the null and the interval are those
of `integration`.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.linalg import LinAlgError
from numpy.typing import NDArray

from swarmscope.analysis.intelligence.errors import ModelError
from swarmscope.analysis.intelligence.estimate import SIGNIFICANCE_LEVEL, Estimate, refused
from swarmscope.analysis.intelligence.information.autoregression import VarModel, fit_var
from swarmscope.analysis.intelligence.information.gaussian import MAX_UNITS, GaussianPhi, gaussian_phi, phi_g
from swarmscope.analysis.intelligence.statistics.surrogates import block_bootstrap, circular_shifts, surrogate_p
from swarmscope.analysis.intelligence.telemetry.activity import Activity
from swarmscope.analysis.intelligence.telemetry.options import PhiOptions, required_bins
from swarmscope.analysis.intelligence.telemetry.watch import Watch

Floats = NDArray[np.float64]

MAX_SEARCHED_UNITS = 6
"""Up to which each surrogate's own partition is searched for (15 ms); for more all are measured at the one found."""
_MIN_CHANGES = 5  # bins in which a unit does other than it mostly does: with fewer it is constant
_CONFIDENCE = (2.5, 97.5)


def measure_gaussian_phi(
    activity: Activity, options: PhiOptions, other_widths: Sequence[Activity], watch: Watch
) -> Estimate:
    """Return Φ_G of the counts of events, as `measure_phi` does of states; of negative levels no logarithm is taken."""
    names, dropped, x = _to_signals(activity)
    told: dict[str, object] = {"units": names, "dropped": dropped}
    sizes = (len(names), activity.n_bins)
    needed = options.min_bins or required_bins(len(names), "phi_g")
    reason = ""
    if len(names) < 2:
        reason = f"constant_units: {', '.join(dropped) or 'there are no others'}"
    elif len(names) > MAX_UNITS:
        reason = f"too_many_units: {len(names)} of at most {MAX_UNITS}"
    elif activity.n_bins < needed:
        reason = f"too_few_bins: {activity.n_bins} of {needed}"
    if reason:
        return refused(reason, estimator="var", integration_type="phi_g", sizes=sizes, extra=told)
    try:
        model = fit_var(x)
        found = gaussian_phi(model)
        null, resampled = _measure_others(x, model, found, options, watch)
    except (ModelError, LinAlgError) as error:
        return refused(f"model: {error}", estimator="var", integration_type="phi_g", sizes=sizes, extra=told)
    told |= {
        "parts": [[names[unit] for unit in part] for part in found.parts],
        "normalised": found.normalised,
        "mutual_information": found.mutual_information,
        "search": found.search,
        "tested": "own_partitions" if len(names) <= MAX_SEARCHED_UNITS else "found_partition",
        "null_mean": float(null.mean()) if len(null) else 0.0,
        "lag_preferred": model.lag,
        "shrinkage": model.shrinkage,
        "by_bin_ns": [_of_width(other) for other in other_widths],
    }
    watch.done(1.0)
    return _to_estimate(found, (null, resampled), activity, told)


def _to_estimate(
    found: GaussianPhi, others: tuple[Floats, Floats], activity: Activity, told: dict[str, object]
) -> Estimate:
    null, resampled = others
    p_value = surrogate_p(found.phi, null)
    is_significant = p_value <= SIGNIFICANCE_LEVEL
    null_mean = float(null.mean()) if len(null) else 0.0
    low = high = np.nan
    if len(resampled):
        low, high = np.maximum(np.percentile(resampled, _CONFIDENCE) - null_mean, 0.0)
    return Estimate(
        value=max(found.phi - null_mean, 0.0) if is_significant else 0.0,
        raw=found.phi,
        significant=is_significant,
        estimator="var",
        integration_type="phi_g",
        n_units=sum(len(part) for part in found.parts),
        n_samples=activity.n_bins,
        bias_corrected=True,
        p_value=p_value,
        ci_low=float(low),
        ci_high=float(high),
        bin_ns=activity.bin_ns,
        extra=told,
    )


def _to_signals(activity: Activity) -> tuple[list[str], list[str], Floats]:
    """Return the names of units that vary, those of the others, and [n_bins, n_units] scaled to variance 1."""
    levels = activity.events
    if activity.n_bins == 0:
        return [], list(activity.names), levels
    if levels.size and levels.min() >= 0.0:
        levels = np.log1p(levels)
    varies = (levels != np.median(levels, axis=0)).sum(axis=0) >= _MIN_CHANGES
    names = [name for name, is_kept in zip(activity.names, varies, strict=True) if is_kept]
    dropped = [name for name, is_kept in zip(activity.names, varies, strict=True) if not is_kept]
    kept = levels[:, varies]
    return names, dropped, (kept - kept.mean(axis=0)) / kept.std(axis=0)


def _measure_others(
    x: Floats, model: VarModel, found: GaussianPhi, options: PhiOptions, watch: Watch
) -> tuple[Floats, Floats]:
    """Return Φ_G of surrogates, and of resamples at the partition that was found."""
    null, resampled = np.empty(options.n_surrogates), np.empty(options.n_resamples)
    is_searched = x.shape[1] <= MAX_SEARCHED_UNITS
    for at, shifted in enumerate(circular_shifts(x, options.n_surrogates, options.seed)):
        other = _fit_pairs(shifted[:-1], shifted[1:], model.shrinkage)
        # At the partition found a surrogate has no less than at its own, so that the test is the stricter for it.
        null[at] = gaussian_phi(other).phi if is_searched else phi_g(other, found.parts)
        watch.done(0.5 * (at + 1) / len(null))
    if len(resampled):
        for at, rows in enumerate(block_bootstrap(len(x) - 1, len(resampled), options.seed + 1)):
            resampled[at] = phi_g(_fit_pairs(x[rows], x[rows + 1], model.shrinkage), found.parts)
            watch.done(0.5 + 0.49 * (at + 1) / len(resampled))
    return null, resampled


def _fit_pairs(before: Floats, after: Floats, shrinkage: float) -> VarModel:
    """Fit as `fit_var` does, to transitions [n_transitions, n_units] in any order."""
    n_units = before.shape[1]
    both = np.concatenate([after, before], axis=1)
    both = both - both.mean(axis=0)
    covariance = both.T @ both / len(both)
    covariance = (1.0 - shrinkage) * covariance + shrinkage * np.eye(2 * n_units) * np.trace(covariance) / (2 * n_units)
    past, across = covariance[n_units:, n_units:], covariance[:n_units, n_units:]
    try:
        dynamics = np.linalg.solve(past, across.T).T
    except LinAlgError as error:
        raise ModelError(f"a resample of the units has a singular covariance: {error}") from error
    noise = covariance[:n_units, :n_units] - dynamics @ across.T
    return VarModel(dynamics, past, (noise + noise.T) / 2.0, len(both), 1, shrinkage)


def _of_width(activity: Activity) -> dict[str, object]:
    """Return the raw Φ_G at another width of bins, nan where there is none."""
    names, _, x = _to_signals(activity)
    told: dict[str, object] = {"bin_ns": activity.bin_ns, "n_samples": activity.n_bins, "n_units": len(names)}
    try:
        return told | {"phi": gaussian_phi(fit_var(x)).phi if len(names) > 1 else np.nan}
    except (ModelError, LinAlgError):
        return told | {"phi": np.nan}
