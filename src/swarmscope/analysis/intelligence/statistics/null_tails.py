"""P-values against surrogates, where many tests need finer ones than surrogates can be counted."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaincc

Floats = NDArray[np.float64]


def null_p_values(values: Floats, null: Floats) -> Floats:
    """Return the p-value of each of `values` [...] against its own `null` [n_surrogates, ...].

    It is (1 + #{null ≥ value})/(1 + n). Where no surrogate reaches the value, n only limits it from above: there it is
    the tail of the gamma distribution with the null's mean and variance, if that is less. Transfer entropies and
    coherences of independent signals are gamma distributed in the limit of many bins; coherence, which is at most 1,
    has a thinner tail than that.
    """
    reached = (null >= values).sum(axis=0)
    p_values = (1.0 + reached) / (1.0 + len(null))
    mean, variance = null.mean(axis=0), null.var(axis=0)
    is_told = (reached == 0) & (mean > 0) & (variance > 0) & (values > 0)
    scale = np.where(is_told, variance / np.where(is_told, mean, 1.0), 1.0)
    shape = np.where(is_told, mean / scale, 1.0)
    tail = gammaincc(shape, np.maximum(values, 0.0) / scale)
    return np.asarray(np.where(is_told, np.minimum(p_values, tail), p_values))
