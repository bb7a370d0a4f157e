"""Arrays in the one form that the kernels are compiled for: C order and writable."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def plain_array(values: NDArray[Any], dtype: Any) -> NDArray[Any]:
    """The array itself where it is plain already, else a copy: for another form Numba would compile all again."""
    array = np.ascontiguousarray(values, dtype)
    return array if array.flags.writeable else array.copy()


def byte_array(text: bytes) -> NDArray[np.uint8]:
    """Bytes as a plain array."""
    return np.frombuffer(bytearray(text), np.uint8)
