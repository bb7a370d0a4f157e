"""Phases that keep step: Kuramoto's order parameter, without its floor, and metastability.

Y. Kuramoto, Chemical Oscillations, Waves, and Turbulence (1984); M. Shanahan, Chaos 20:013108 (2010) for metastability.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.signal import butter, hilbert, sosfiltfilt

from swarmscope.analysis.intelligence.coherence.welch import prepared
from swarmscope.analysis.intelligence.errors import ModelError
from swarmscope.analysis.intelligence.estimate import SIGNIFICANCE_LEVEL, Estimate
from swarmscope.analysis.intelligence.statistics.surrogates import circular_shifts, surrogate_p

_ORDER = 2  # of the Butterworth filter, which runs forth and back
_EDGE = 0.05  # of the window at either end, where filter and Hilbert transform do not know what comes

Floats = NDArray[np.float64]


class Order(NamedTuple):
    """How far phases agree."""

    mean_order: float
    """Mean over time of r = |mean e^{iθ}|: √(π/4N) for N independent phases, not 0."""
    unbiased_square: float
    """Mean over time of (N r² − 1)/(N − 1): 0 for independent phases, 1 for equal ones, negative if they repel."""
    metastability: float
    """Standard deviation of r over time."""
    n_units: int
    n_bins: int


def phases(x: Floats, band: tuple[float, float]) -> Floats:
    """Return the phases [n_bins', n] in radians of signals [n_bins, n] in a band of frequencies in cycles per bin.

    A twentieth of the window is cut off at either end. Raises ModelError for bands outside 0 to 0.5, windows too short
    for the filter, and signals that are constant.
    """
    low, high = band
    if not 0 < low < high < 0.5:
        raise ModelError(f"the band {low} to {high} is not within 0 and 0.5 cycles per bin")
    least = int(np.ceil(3 / low))  # three periods of the slowest phase
    if len(x) < max(least, 30):
        raise ModelError(f"{len(x)} bins are too few for phases from {low} cycles per bin on: {max(least, 30)} needed")
    sections = butter(_ORDER, (low, high), btype="bandpass", fs=1.0, output="sos")
    angles = np.angle(hilbert(sosfiltfilt(sections, prepared(x), axis=0), axis=0))
    edge = int(_EDGE * len(x))
    return np.asarray(angles[edge : len(x) - edge])


def kuramoto_order(theta: Floats) -> Order:
    """Return how far the phases [n_bins, n] in radians agree. Raises ModelError for fewer than two of them."""
    if theta.ndim != 2 or theta.shape[1] < 2 or not len(theta):
        raise ModelError(f"phases of shape {list(theta.shape)}: bins of two or more units are needed")
    order = np.abs(np.exp(1j * theta).mean(axis=1))
    n = theta.shape[1]
    unbiased = (n * order**2 - 1.0) / (n - 1)
    return Order(float(order.mean()), float(unbiased.mean()), float(order.std()), n, len(theta))


def measure_order(x: Floats, band: tuple[float, float], *, n_shifts: int = 99, seed: int = 0) -> Estimate:
    """Return the unbiased order of signals [n_bins, n] against circular shifts of their phases.

    r and metastability stand in `extra`. Raises ModelError like `phases` and `kuramoto_order`.
    """
    theta = phases(x, band)
    found = kuramoto_order(theta)
    null = np.array([kuramoto_order(shifted).unbiased_square for shifted in circular_shifts(theta, n_shifts, seed)])
    p_value = surrogate_p(found.unbiased_square, null)
    significant = p_value <= SIGNIFICANCE_LEVEL and found.unbiased_square > 0
    corrected = max(found.unbiased_square - max(float(null.mean()), 0.0), 0.0)
    return Estimate(
        value=corrected if significant else 0.0,
        raw=found.unbiased_square,
        significant=significant,
        estimator="kuramoto",
        n_units=found.n_units,
        n_samples=found.n_bins,
        bias_corrected=True,
        p_value=p_value,
        extra={"order": found.mean_order, "metastability": found.metastability, "band": list(band)},
    )
