"""Magnitude-squared coherence by Welch's method, and how much of it chance explains.

P. D. Welch, IEEE Trans. Audio Electroacoust. 15 (1967); G. C. Carter, Proc. IEEE 75 (1987) for bias and critical value.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.signal import detrend
from scipy.signal.windows import hann

from swarmscope.analysis.intelligence.errors import ModelError

LEAST_SEGMENTS = 8
_SEGMENTS = 16  # aimed at: enough to tell 0.2 from nothing, with as many frequencies as a window leaves
_LEAST_HALF = 4  # bins: shorter segments have no frequencies to speak of

Floats = NDArray[np.float64]


class Segmenting(NamedTuple):
    """How a window is cut into segments."""

    n_bins: int
    """Bins of one segment."""
    step: int
    """Bins from one segment's begin to the next: half of them overlaps by 50 %."""


class Spectra(NamedTuple):
    """Coherence of all pairs of signals at each frequency."""

    frequency: Floats
    """[n_frequencies] in cycles per bin; 0 is left out, for signals are detrended."""
    coherence: Floats
    """[n_frequencies, n, n] γ² from 0 to 1, symmetric; 1 on the diagonal."""
    n_segments: int


def default_segmenting(n_bins: int) -> Segmenting:
    """Return segments of an even length that overlap by half, 16 or more of them; 8 or more in short windows."""
    half = max(n_bins // (_SEGMENTS + 1), min(n_bins // (LEAST_SEGMENTS + 1), 8), _LEAST_HALF)
    return Segmenting(2 * half, half)


def prepared(x: Floats) -> Floats:
    """Return signals [n_bins, n] without trend, with mean 0 and standard deviation 1.

    Raises ModelError, which says which, for signals that are not finite or are constant (or nothing but a trend).
    """
    x = np.asarray(x, np.float64)
    if x.ndim != 2 or len(x) < 2:
        raise ModelError(f"signals of shape {list(x.shape)}: bins and signals are needed")
    wrong = np.argwhere(~np.isfinite(x))
    if len(wrong):
        raise ModelError(f"signal {wrong[0][1]} is {x[tuple(wrong[0])]} in bin {wrong[0][0]}")
    flat = detrend(x, axis=0)
    spread = flat.std(axis=0)
    constant = np.flatnonzero(spread <= 1e-9 * np.maximum(np.abs(x).max(axis=0), 1e-300))
    if len(constant):
        raise ModelError(f"signal {constant[0]} is constant, or nothing but a trend")
    return np.asarray(flat / spread)


def coherence(x: Floats, segmenting: Segmenting | None = None) -> Spectra:
    """Return γ²(f) = |S_xy|²/(S_xx S_yy) of all pairs of prepared signals [n_bins, n], with Hann windows.

    Raises ModelError where fewer than 8 segments fit: there γ² tells of chance alone.
    """
    cut = segmenting or default_segmenting(len(x))
    if cut.n_bins < 2 or not 1 <= cut.step <= cut.n_bins:
        raise ModelError(f"segments of {cut.n_bins} bins every {cut.step} bins")
    n_segments = max((len(x) - cut.n_bins) // cut.step + 1, 0)
    if n_segments < LEAST_SEGMENTS:
        raise ModelError(f"{len(x)} bins hold {n_segments} segments of {cut.n_bins}; {LEAST_SEGMENTS} are needed")
    pieces = np.lib.stride_tricks.sliding_window_view(x, cut.n_bins, axis=0)[:: cut.step]
    pieces = pieces - pieces.mean(axis=-1, keepdims=True)
    spectrum = np.fft.rfft(pieces * hann(cut.n_bins, sym=False), axis=-1)[..., 1:]
    by_frequency = np.ascontiguousarray(spectrum.transpose(2, 1, 0))
    cross = by_frequency @ by_frequency.conj().transpose(0, 2, 1)
    power = np.einsum("fii->fi", cross).real
    between = power[:, :, None] * power[:, None, :]
    # A signal may have nothing at a frequency (a pure tone elsewhere): it goes with nothing there.
    squared = np.divide(np.abs(cross) ** 2, between, out=np.zeros_like(between), where=between > 0)
    diagonal = np.arange(x.shape[1])
    squared[:, diagonal, diagonal] = 1.0
    squared = (squared + squared.transpose(0, 2, 1)) / 2  # rounding differs between the two halves
    return Spectra(np.asarray(np.fft.rfftfreq(cut.n_bins)[1:]), np.minimum(squared, 1.0), n_segments)


def critical_coherence(n_segments: int, alpha: float = 0.05) -> float:
    """Return what γ² of independent signals exceeds with probability `alpha`, over segments that do not overlap."""
    if n_segments < 2 or not 0 < alpha < 1:
        raise ModelError(f"no critical coherence of {n_segments} segments at {alpha}")
    return float(1.0 - alpha ** (1.0 / (n_segments - 1)))


def without_bias(squared: ArrayLike, chance: ArrayLike) -> Floats:
    """Return max(0, (γ² − c)/(1 − c)) for what chance alone shows: 1/L of L segments that do not overlap."""
    c = np.asarray(chance, np.float64)
    room = np.where(c < 1.0, 1.0 - c, 1.0)
    return np.maximum((np.asarray(squared, np.float64) - c) / room, 0.0)
