"""Which of many findings hold, where a share of those that are told may be false."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from swarmscope.analysis.intelligence.errors import ModelError


def benjamini_hochberg(p_values: ArrayLike, q: float = 0.05) -> NDArray[np.bool_]:
    """Return which of the p-values, of any shape, are significant at the false discovery rate `q`.

    Those up to the greatest p₍ᵢ₎ ≤ q·i/m are (Benjamini & Hochberg 1995, J. R. Stat. Soc. B 57:289). Raises ModelError,
    which says which, for values that are no probabilities.
    """
    values = np.asarray(p_values, np.float64)
    bad = np.flatnonzero(~((values >= 0.0) & (values <= 1.0)))
    if len(bad):
        raise ModelError(f"p-value {int(bad[0])} is {values.ravel()[bad[0]]}")
    ordered = np.sort(values, axis=None)
    holds = ordered <= q * np.arange(1, values.size + 1) / max(values.size, 1)
    limit = ordered[holds].max() if holds.any() else -1.0
    return np.asarray(values <= limit)
