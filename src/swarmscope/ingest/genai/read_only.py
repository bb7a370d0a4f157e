"""One type for all buffers: kernels are compiled for arrays that may be written to and for those that may not apart."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def read_only(array: NDArray[Any]) -> NDArray[Any]:
    """The same memory, contiguous, not to be written to."""
    view = np.ascontiguousarray(array).view()
    view.flags.writeable = False
    return view
