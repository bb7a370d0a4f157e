"""Floats as decimals `mantissa * 10**exponent` where that is exact, as raw bits where it is not.

Metrics are mostly integers and short decimals; as integers their deltas are small, and small deltas compress. The
exponent is kept per series as long as it fits, so that neighbouring mantissas stay comparable.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from swarmscope.schema.tables import RAW_EXPONENT

# 10**22 is the largest power of ten that a double holds exactly, and 2**53 the largest run of integers: within
# both, one division rounds correctly, so the decimal gives back the very bits.
_MAX_DIGITS = 15
_EXACT_INTEGER = 2.0**53
POWERS_OF_TEN = np.array([10.0**k for k in range(_MAX_DIGITS + 1)])


@njit(nogil=True, cache=True, inline="always")
def _mantissa(value: float, digits: int) -> tuple[bool, int]:
    scaled = value * POWERS_OF_TEN[digits]
    if not abs(scaled) < _EXACT_INTEGER:
        return False, 0
    mantissa = int(np.rint(scaled))
    back = np.float64(mantissa) / POWERS_OF_TEN[digits]
    # -0.0 equals 0.0 but has other bits.
    exact = (back == value) and (mantissa != 0 or np.copysign(1.0, value) > 0)
    return bool(exact), mantissa


@njit(nogil=True, cache=True)
def encode_decimals(
    value: NDArray[np.float64], ref: NDArray[np.uint32], digits_of: NDArray[np.int8]
) -> tuple[NDArray[np.int64], NDArray[np.int8]]:
    """Values [n] of series `ref` [n] to (mantissa [n], exponent [n]).

    `digits_of` [n_refs] remembers per series how many decimals it needed so far and is updated.
    """
    n = len(value)
    mantissas = np.empty(n, np.int64)
    exponents = np.empty(n, np.int8)
    bits = value.view(np.int64)
    for i in range(n):
        digits = digits_of[ref[i]]
        exact, mantissa = _mantissa(value[i], digits)
        if not exact and abs(value[i]) < _EXACT_INTEGER:
            wider = digits + 1
            while wider <= _MAX_DIGITS and not exact:
                exact, mantissa = _mantissa(value[i], wider)
                wider += 1
            if exact:
                digits = np.int8(wider - 1)
                digits_of[ref[i]] = digits
            elif digits > 0:
                exact, mantissa = _mantissa(value[i], 0)
                digits = np.int8(0)
        elif not exact:
            exact, mantissa = _mantissa(value[i], 0)
            digits = np.int8(0)
        mantissas[i] = mantissa if exact else bits[i]
        exponents[i] = -digits if exact else RAW_EXPONENT
    return mantissas, exponents


@njit(nogil=True, cache=True)
def decode_decimals(mantissa: NDArray[np.int64], exponent: NDArray[np.int8]) -> NDArray[np.float64]:
    """Stored numbers [n] as the doubles they were, bit for bit."""
    n = len(mantissa)
    out = np.empty(n, np.int64)
    value = out.view(np.float64)
    for i in range(n):
        if exponent[i] == RAW_EXPONENT:
            out[i] = mantissa[i]
        elif exponent[i] == 0:
            value[i] = np.float64(mantissa[i])
        else:
            value[i] = np.float64(mantissa[i]) / POWERS_OF_TEN[-exponent[i]]
    return value
