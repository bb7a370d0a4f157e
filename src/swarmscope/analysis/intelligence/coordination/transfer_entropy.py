"""Which agents' activity tells what others do next.

T. Schreiber, Measuring information transfer, Phys. Rev. Lett. 85 (2000); with one bin of history.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import fft
from scipy.special import xlogy

from swarmscope.analysis.intelligence.errors import ModelError
from swarmscope.analysis.intelligence.statistics.false_discovery import benjamini_hochberg
from swarmscope.analysis.intelligence.statistics.null_tails import null_p_values

_LEAST_SHIFT = 0.1  # of the window, as of all surrogates here
_LEAST_BINS = 20

Floats = NDArray[np.float64]


class Transfer(NamedTuple):
    """Transfer entropy between all pairs of agents."""

    bits: Floats
    """[n, n] from the row's agent to the column's; 0 on the diagonal."""
    p_value: Floats
    """[n, n], 1 on the diagonal."""
    significant: NDArray[np.bool_]
    """[n, n] after correction for all pairs."""
    density: float
    """Significant pairs among all n(n − 1)."""
    n_bins: int


def transfer_entropies(states: NDArray[np.generic], false_discovery_rate: float = 0.05) -> Transfer:
    """Return the transfer entropies I(Y_t+1; X_t | Y_t) in bits of binary states [n_bins, n], against shifts of X.

    The null of a pair is every shift of X in a circle by a tenth to nine tenths of the window: counts at all of them
    come from one circular correlation. Raises ModelError for states that are not 0 or 1, fewer than 2 agents and fewer
    than 20 bins.
    """
    x = np.asarray(states, np.float64)
    if x.ndim != 2 or x.shape[1] < 2 or len(x) < _LEAST_BINS:
        raise ModelError(f"states of shape {list(x.shape)}: {_LEAST_BINS} bins of two or more agents are needed")
    wrong = np.argwhere((x != 0) & (x != 1))
    if len(wrong):
        raise ModelError(f"the state of agent {wrong[0][1]} in bin {wrong[0][0]} is {x[tuple(wrong[0])]}, not 0 or 1")
    n_bins, n = x.shape
    least = int(np.ceil(_LEAST_SHIFT * n_bins))
    spectra = fft.rfft(x.T, axis=1).conj()
    bits, p_value = np.zeros((n, n)), np.ones((n, n))
    for target in range(n):
        entropies = _at_all_shifts(spectra, x[:, target])
        null = entropies[:, least : n_bins - least + 1].T
        bits[:, target] = entropies[:, 0]
        p_value[:, target] = null_p_values(entropies[:, 0], null)
    bits[np.diag_indices(n)], p_value[np.diag_indices(n)] = 0.0, 1.0
    others = ~np.eye(n, dtype=np.bool_)
    significant = np.zeros((n, n), np.bool_)
    significant[others] = benjamini_hochberg(p_value[others], false_discovery_rate)
    return Transfer(bits, p_value, significant, float(significant.sum() / (n * (n - 1))), n_bins)


def _at_all_shifts(spectra: NDArray[np.complex128], y: Floats) -> Floats:
    """The transfer entropy [n, n_bins] from each source to `y`, with the source shifted by 0, 1, … bins."""
    now, then = y[:-1].astype(np.int64), y[1:].astype(np.int64)
    seen = np.zeros((4, len(y)))
    seen[2 * now + then, np.arange(len(now))] = 1.0
    total = seen.sum(axis=1)
    # [n, 4, n_bins] how often the source was on together with each transition of y.
    on = np.rint(fft.irfft(spectra[:, None, :] * fft.rfft(seen, axis=1)[None], n=len(y), axis=2))
    off = total[:, None] - on
    nats = _of_counts(on, 1) + _of_counts(off, 1)  # Σ n(x, y, y') log n(x, y, y')
    by_now = [(counts[:, :2].sum(axis=1), counts[:, 2:].sum(axis=1)) for counts in (on, off)]
    nats -= sum(xlogy(counts, counts) for pair in by_now for counts in pair)
    past = total.reshape(2, 2).sum(axis=1)
    nats += xlogy(past, past).sum() - xlogy(total, total).sum()
    return np.asarray(np.maximum(np.round(nats / (len(now) * np.log(2)), 12), 0.0))


def _of_counts(counts: Floats, axis: int) -> Floats:
    return np.asarray(xlogy(counts, counts).sum(axis=axis))
