"""What would be seen if units had nothing to do with each other, and how much chance there is in what was seen."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from swarmscope.analysis.intelligence.errors import ModelError

_LEAST_SHIFT = 0.1  # of the window: less would leave slow units where they were


def circular_shifts(x: NDArray[Any], n: int, seed: int) -> NDArray[Any]:
    """Return `n` surrogates [n, n_bins, n_units] of `x` [n_bins, n_units]: each unit shifted in a circle on its own.

    Shifts are uniform from a tenth to nine tenths of the window. Rates and memory of each unit stay, what couples units
    goes (Quian Quiroga et al. 2002, Phys. Rev. E 65:041903). Raises ModelError for fewer than 10 bins.
    """
    if x.ndim != 2 or len(x) < 10:
        raise ModelError(f"surrogates of {list(x.shape)}: 10 bins or more are needed, and units")
    n_bins, n_units = x.shape
    least = int(np.ceil(_LEAST_SHIFT * n_bins))
    shifts = np.random.default_rng(seed).integers(least, n_bins - least + 1, (n, 1, n_units))
    rows = (np.arange(n_bins)[None, :, None] - shifts) % n_bins
    return np.asarray(x[rows, np.arange(n_units)])


def block_bootstrap(n_bins: int, n: int, seed: int) -> NDArray[np.int64]:
    """Return `n` resamples [n, n_bins] of the rows 0 to `n_bins` − 1, by the stationary block bootstrap.

    Blocks begin anywhere, run in a circle, and have geometric lengths of ⌈n_bins^⅓⌉ in the mean (Politis & Romano 1994,
    J. Am. Stat. Assoc. 89:1303). Raises ModelError without a row.
    """
    if n_bins < 1:
        raise ModelError("resamples of no rows")
    rng = np.random.default_rng(seed)
    mean_length = np.ceil(n_bins ** (1.0 / 3.0) - 1e-9)  # 1000 is 10³, whatever rounding says
    begins = rng.random((n, n_bins)) < 1.0 / mean_length
    begins[:, 0] = True
    at = np.arange(n_bins)
    begun = np.maximum.accumulate(np.where(begins, at, 0), axis=1)
    first = np.take_along_axis(rng.integers(0, n_bins, (n, n_bins)), begun, axis=1)
    return np.asarray((first + at - begun) % n_bins, np.int64)


def surrogate_p(value: float, null: ArrayLike) -> float:
    """Return p = (1 + #{null ≥ value})/(1 + n) of a value against its null [n] (Phipson & Smyth 2010)."""
    values = np.asarray(null, np.float64)
    return float((1 + (values >= value).sum()) / (1 + values.size))
