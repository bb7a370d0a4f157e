"""How sure one is of a share that was counted."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_Z = 1.96  # two-sided 95 %


def wilson(
    hits: NDArray[np.int64], total: NDArray[np.int64], z: float = _Z
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Lower and upper bound [n] of the shares hits / total; 0 and 1 where there is nothing.

    Wilson (1927), Probable inference, the law of succession, and statistical inference.
    """
    n = np.maximum(total, 1).astype(np.float64)
    share = hits / n
    middle = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * np.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    nothing = total == 0
    return np.where(nothing, 0.0, np.maximum(middle - half, 0)), np.where(nothing, 1.0, np.minimum(middle + half, 1))
