"""Doubles to the shortest decimal that reads back as the same double.

The algorithm is Schubfach (Raffaello Giulietti, "The Schubfach way to render doubles", 2020): scale the interval of
reals that round to the double by a power of ten held in 128 bits, and take the shortest decimal inside it, the
closest to the double where there are several. That is what Go's strconv and Python's repr print.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from swarmscope.api.raw_bytes import product_high

_MIN_POWER = -292
_MAX_POWER = 324
_U: Any = np.uint64
_I: Any = np.int64


def _powers_of_ten() -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
    """The 128 leading bits of 10**k, rounded up, for k in [_MIN_POWER, _MAX_POWER], as two columns of 64 bits."""
    high, low = [], []
    for power in range(_MIN_POWER, _MAX_POWER + 1):
        if power >= 0:
            exact = 10**power
            shift = 128 - exact.bit_length()
            scaled = exact << shift if shift >= 0 else -(-exact >> -shift)
        else:
            divisor = 10**-power
            scaled = -((-1 << (127 + divisor.bit_length())) // divisor)
        high.append(scaled >> 64)
        low.append(scaled & 0xFFFF_FFFF_FFFF_FFFF)
    return np.array(high, np.uint64), np.array(low, np.uint64)


_POWER_HIGH, _POWER_LOW = _powers_of_ten()


@njit(nogil=True, cache=True, inline="always")
def _round_to_odd(power_high: int, power_low: int, factor: int) -> Any:
    """`factor` × the 128-bit power, its upper 64 bits, with the lowest bit set where a fraction was cut off."""
    carried: Any = product_high(power_low, factor)
    high: Any = product_high(power_high, factor)
    middle = power_high * factor + carried
    if middle < carried:
        high += _U(1)
    if middle > _U(1):
        high |= _U(1)
    return high


@njit(nogil=True, cache=True)
def shortest_decimal(bits: int) -> tuple[int, int]:
    """Digits (unsigned, without trailing zeros) and power of ten of a finite, non-zero double; the sign is ignored."""
    mantissa = bits & _U(0xF_FFFF_FFFF_FFFF)
    biased = _I((bits >> _U(52)) & _U(0x7FF))
    exponent = _I(-1074)
    if biased != 0:
        mantissa |= _U(1) << _U(52)
        exponent = biased - 1075
    narrow_below = mantissa == (_U(1) << _U(52)) and biased > 1
    odd = mantissa & _U(1)
    # floor(log10(2**exponent)), or of 3/4 of it where the gap below is half of the gap above.
    power = (exponent * 1262611 - (524031 if narrow_below else 0)) >> 22
    shift = _U(exponent + ((-power * 1741647) >> 19) + 1)
    power_high, power_low = _POWER_HIGH[-power - _MIN_POWER], _POWER_LOW[-power - _MIN_POWER]
    four = mantissa << _U(2)
    lower = _round_to_odd(power_high, power_low, (four - (_U(1) if narrow_below else _U(2))) << shift) + odd
    value = _round_to_odd(power_high, power_low, four << shift)
    upper = _round_to_odd(power_high, power_low, (four + _U(2)) << shift) - odd
    digits = value >> _U(2)
    if digits >= _U(10):
        tenth = digits // _U(10)
        below_fits = lower <= tenth * _U(40)
        above_fits = tenth * _U(40) + _U(40) <= upper
        if below_fits != above_fits:
            return _without_trailing_zeros(tenth + (_U(1) if above_fits else _U(0)), power + 1)
    floor_fits = lower <= digits << _U(2)
    ceiling_fits = (digits << _U(2)) + _U(4) <= upper
    if floor_fits != ceiling_fits:
        return _without_trailing_zeros(digits + (_U(1) if ceiling_fits else _U(0)), power)
    middle = (digits << _U(2)) + _U(2)
    up = value > middle or (value == middle and (digits & _U(1)) == _U(1))
    return _without_trailing_zeros(digits + (_U(1) if up else _U(0)), power)


@njit(nogil=True, cache=True)
def _without_trailing_zeros(digits: int, power: int) -> tuple[int, int]:
    while digits % _U(10) == _U(0):
        digits = digits // _U(10)
        power += 1
    return digits, power
