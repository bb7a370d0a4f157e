"""Decimal text to float64, compiled: exact where few digits allow it, marked for the slow path elsewhere.

Exactness: a mantissa below 2**53 and a power of ten up to 10**22 are both exact in float64, so one multiplication or
division rounds correctly (Clinger, "How to read floating point numbers accurately", 1990). A longer mantissa is taken
as a sum of two float64; the remainder of the division is then known to some 2**-50 of itself (Dekker, "A floating-point
technique for extending the available precision", 1971), and the result counts where that cannot change its rounding.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

EXACT = 0
INEXACT = 1  # valid, and needs a correctly rounding parser
INVALID = 2
_POWERS = np.array([10.0**power for power in range(23)])
_MAX_EXACT = 1 << 53
_SPLITTER = 134217729.0  # 2**27 + 1
_DOUBT = 2.0**-46  # ample: the second term is known to about 2**-50 of itself


@njit(nogil=True, cache=True)
def _is_word(buffer: NDArray[np.uint8], start: int, end: int, word: NDArray[np.uint8]) -> bool:
    """Whether the bytes are `word` (lower case) in any case."""
    if end - start != len(word):
        return False
    matching = 0
    for offset in range(len(word)):
        matching += (buffer[start + offset] | 0x20) == word[offset]
    return matching == len(word)


_INF = np.frombuffer(b"inf", np.uint8)
_INFINITY = np.frombuffer(b"infinity", np.uint8)
_NAN = np.frombuffer(b"nan", np.uint8)
_QUIET_NAN = np.array([0x7FF8000000000001], np.uint64).view(np.float64)


@njit(nogil=True, cache=True)
def _parse_word(buffer: NDArray[np.uint8], start: int, end: int, sign: float) -> tuple[int, float]:
    if _is_word(buffer, start, end, _INF) or _is_word(buffer, start, end, _INFINITY):
        return EXACT, sign * np.inf
    if _is_word(buffer, start, end, _NAN):
        return EXACT, _QUIET_NAN[0]
    return INVALID, 0.0


@njit(nogil=True, cache=True)
def _parse_exponent(buffer: NDArray[np.uint8], position: int, end: int) -> tuple[bool, int]:
    """The number after "e" as (valid, exponent); more digits than a float64 can mean count as valid and huge."""
    negative = False
    if position < end and (buffer[position] == 43 or buffer[position] == 45):
        negative = buffer[position] == 45
        position += 1
    if position >= end:
        return False, 0
    exponent = 0
    for index in range(position, end):
        digit = int(np.int64(buffer[index]) - 48)
        if digit < 0 or digit > 9:
            return False, 0
        if exponent < 100_000:
            exponent = exponent * 10 + digit
    return True, -exponent if negative else exponent


@njit(nogil=True, cache=True)
def _product_error(left: float, right: float, product: float) -> float:
    """What rounding took from `product` = left * right, exactly."""
    scaled = left * _SPLITTER
    left_high = scaled - (scaled - left)
    left_low = left - left_high
    scaled = right * _SPLITTER
    right_high = scaled - (scaled - right)
    right_low = right - right_high
    return ((left_high * right_high - product) + left_high * right_low + left_low * right_high) + left_low * right_low


@njit(nogil=True, cache=True)
def _scale_long(mantissa: int, scale: int) -> tuple[int, float]:
    """mantissa * 10**scale for a mantissa of up to 18 digits and |scale| <= 22, EXACT where the rounding is certain."""
    high = float(mantissa)
    low = float(mantissa - int(high))
    power = _POWERS[abs(scale)]
    if scale < 0:
        first = high / power
        product = first * power
        second = ((high - product) - _product_error(first, power, product) + low) / power
    else:
        first = high * power
        second = _product_error(high, power, first) + low * power
    above = first + second * (1.0 + _DOUBT)
    below = first + second * (1.0 - _DOUBT)
    return (EXACT if above == below else INEXACT), above


@njit(nogil=True, cache=True)
def parse_number(buffer: NDArray[np.uint8], start: int, end: int) -> tuple[int, float]:
    """Parse bytes [start, end) as (EXACT | INEXACT | INVALID, value); the value counts only where EXACT.

    Accepts what Prometheus does: decimals with an exponent, inf, infinity and nan in any case; no hexadecimal, no "_".
    """
    position = start
    sign = 1.0
    if position < end and (buffer[position] == 43 or buffer[position] == 45):
        sign = -1.0 if buffer[position] == 45 else 1.0
        position += 1
    mantissa = 0
    digits = 0  # significant ones
    seen = 0
    scale = 0
    point = False
    while position < end:
        byte = buffer[position]
        if 48 <= byte <= 57:
            seen += 1
            if digits > 0 or byte != 48:
                digits += 1
            if digits <= 18:
                mantissa = mantissa * 10 + int(np.int64(byte) - 48)
            if point:
                scale -= 1
        elif byte == 46 and not point:
            point = True
        else:
            break
        position += 1
    if seen == 0:
        return _parse_word(buffer, position, end, sign)
    if position < end:
        if (buffer[position] | 0x20) != 101:
            return INVALID, 0.0
        valid, exponent = _parse_exponent(buffer, position + 1, end)
        if not valid:
            return INVALID, 0.0
        scale += exponent
    if mantissa == 0 and digits == 0:
        return EXACT, sign * 0.0
    if digits > 18 or scale < -22 or scale > 22:
        return INEXACT, 0.0
    # Fast path
    if mantissa <= _MAX_EXACT:
        if scale < 0:
            return EXACT, sign * (mantissa / _POWERS[-scale])
        return EXACT, sign * (mantissa * _POWERS[scale])
    state, value = _scale_long(mantissa, scale)
    return state, sign * value


@njit(nogil=True, cache=True)
def parse_integer(buffer: NDArray[np.uint8], start: int, end: int) -> tuple[bool, int]:
    """Parse bytes [start, end) as a signed 64-bit decimal: (valid, number)."""
    position = start
    negative = False
    if position < end and (buffer[position] == 43 or buffer[position] == 45):
        negative = buffer[position] == 45
        position += 1
    if position >= end or end - position > 18:
        return False, 0
    number = 0
    for index in range(position, end):
        digit = int(np.int64(buffer[index]) - 48)
        if digit < 0 or digit > 9:
            return False, 0
        number = number * 10 + digit
    return True, -number if negative else number
