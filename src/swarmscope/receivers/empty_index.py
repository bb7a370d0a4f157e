"""An index of nothing, for decoding before there is a store."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from swarmscope.model.metrics import UNKNOWN_SERIES


class EmptyIndex:
    """Implements `SeriesIndex`: knows no series and no stream."""

    @property
    def seed(self) -> int:
        """As `SeriesIndex.seed`; nothing that is hashed with it is kept."""
        return 1

    def resolve(self, tenant: str, keys: NDArray[np.uint64]) -> NDArray[np.int64]:
        """As `SeriesIndex.resolve`."""
        return np.full(len(keys), UNKNOWN_SERIES, np.int64)
