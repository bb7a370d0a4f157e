"""Prometheus' staleness marker: one NaN bit pattern that says "this series ends here".

Source: prometheus/model/value (StaleNaN 0x7ff0000000000002, NormalNaN 0x7ff8000000000001).
A marker is told from an ordinary NaN by its bits alone, so values are never recomputed on their way.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

STALE_BITS = 0x7FF0000000000002
NORMAL_NAN_BITS = 0x7FF8000000000001
STALE_NAN = np.array([STALE_BITS], np.uint64).view(np.float64)[0]


def is_stale(values: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Where `values` [n] hold the staleness marker."""
    marked: NDArray[np.bool_] = values.view(np.uint64) == np.uint64(STALE_BITS)
    return marked
