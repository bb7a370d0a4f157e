"""Columns of numbers as text, as JSON spells them."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from numba import njit
from numpy.typing import NDArray

from swarmscope.receivers.otlp.attribute_text import to_number_text

_LONGEST_INT = 20
# Arrow's text of a double is the shortest, as ours is, and in this range without exponent.
_ARROW_FROM, _ARROW_BELOW = 1e-5, 1e9


@njit(nogil=True, cache=True)
def to_int_texts(numbers: NDArray[np.int64]) -> tuple[NDArray[np.uint8], NDArray[np.int64], NDArray[np.int64]]:
    """Decimal digits of n numbers: buffer, starts [n] and lengths [n]."""
    buffer = np.empty(len(numbers) * _LONGEST_INT, np.uint8)
    starts, lengths = np.empty(len(numbers), np.int64), np.empty(len(numbers), np.int64)
    at = 0
    for row in range(len(numbers)):
        starts[row] = at
        number = numbers[row]
        rest = np.uint64(number)
        if number < 0:
            buffer[at] = 0x2D
            at += 1
            rest = np.uint64(0) - rest
        n_digits, bound = 1, np.uint64(10)
        while n_digits < _LONGEST_INT - 1 and rest >= bound:
            n_digits += 1
            bound *= np.uint64(10)
        if n_digits == _LONGEST_INT - 1 and rest >= bound:
            n_digits = _LONGEST_INT
        for k in range(n_digits - 1, -1, -1):
            buffer[at + k] = np.uint8(rest % np.uint64(10)) + np.uint8(0x30)
            rest //= np.uint64(10)
        at += n_digits
        lengths[row] = at - starts[row]
    return buffer[:at], starts, lengths


def to_float_texts(numbers: NDArray[np.float64]) -> list[bytes]:
    """Texts [n] as `to_number_text` makes them."""
    size = np.abs(numbers)
    plain = ((size >= _ARROW_FROM) & (size < _ARROW_BELOW)) | (size == 0)
    texts: list[bytes] = pa.array(numbers).cast(pa.string()).cast(pa.binary()).to_pylist()
    for row in np.flatnonzero(~plain).tolist():
        texts[row] = to_number_text(float(numbers[row])).encode()
    return texts
