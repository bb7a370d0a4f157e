"""Numbers and time stamps as Prometheus writes them, straight into a byte buffer.

Every writer takes the buffer and a position and gives back the position after what it wrote; callers
leave room for `MAX_NUMBER_BYTES` or `MAX_TIMESTAMP_BYTES`.

Source: Prometheus' util/jsonutil/marshal.go: the shortest decimal that reads back as the same double, with an
exponent only below 1e-6 and from 1e21 on (`1e-07`, `1e+21`: two digits at least), `NaN`, `+Inf`, `-Inf`;
time stamps in seconds with three digits of a fraction, or none.
"""

from __future__ import annotations

import math
from decimal import Decimal
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from swarmscope.api.plain_arrays import plain_array
from swarmscope.api.raw_bytes import load_word, store_word, trailing_zeros
from swarmscope.api.shortest_decimal import shortest_decimal

# The longest number has 26 bytes, the longest time stamp 21; the rest is slack for words that are written whole.
MAX_NUMBER_BYTES = 36
MAX_TIMESTAMP_BYTES = 32
_U: Any = np.uint64
_I: Any = np.int64
_EIGHT_DIGITS: Any = np.uint64(100_000_000)
_ASCII_ZEROS: Any = np.uint64(0x3030_3030_3030_3030)
_ZERO, _POINT, _MINUS, _PLUS, _E = ord("0"), ord("."), ord("-"), ord("+"), ord("e")
_NOT_A_NUMBER = np.frombuffer(b"NaN", np.uint8).copy()
_INFINITE = np.frombuffer(b"Inf", np.uint8).copy()


@njit(nogil=True, cache=True, inline="always")
def _eight_digits(number: int) -> Any:
    """A number below 10**8 as eight decimal digits, one a byte, the highest in the lowest byte, without the "0".

    Three rounds split it in halves, all parts at once: by 10,000, by 100, by 10; the divisions are multiplications.
    """
    high = number // _U(10_000)
    fours = high | (number - high * _U(10_000)) << _U(32)
    hundreds = ((fours * _U(10_486)) >> _U(20)) & _U(0x0000_007F_0000_007F)
    twos = hundreds | (fours - hundreds * _U(100)) << _U(16)
    tens = ((twos * _U(103)) >> _U(10)) & _U(0x000F_000F_000F_000F)
    return tens | (twos - tens * _U(10)) << _U(8)


@njit(nogil=True, cache=True, inline="always")
def _write_first_digits(out: NDArray[np.uint8], at: int, number: int) -> Any:
    """A number below 10**8 without leading zeros."""
    digits = _eight_digits(number)
    # The lowest byte that is not zero holds the first digit; zero itself keeps its last digit.
    skipped = min(trailing_zeros(digits) >> 3, 7)
    store_word(out, at, (digits | _ASCII_ZEROS) >> _U(skipped * 8))
    return at + 8 - skipped


@njit(nogil=True, cache=True)
def write_unsigned(out: NDArray[np.uint8], at: int, number: int) -> int:
    """An unsigned integer without leading zeros."""
    if number < _EIGHT_DIGITS:
        end: int = _write_first_digits(out, at, number)
        return end
    upper = number // _EIGHT_DIGITS
    at = _write_first_digits(out, at, upper) if upper < _EIGHT_DIGITS else write_unsigned(out, at, upper)
    store_word(out, at, _eight_digits(number - upper * _EIGHT_DIGITS) | _ASCII_ZEROS)
    return at + 8


@njit(nogil=True, cache=True)
def _fill_zeros(out: NDArray[np.uint8], at: int, count: int) -> int:
    for offset in range(count):
        out[at + offset] = _ZERO
    return at + count


@njit(nogil=True, cache=True)
def _write_plain(out: NDArray[np.uint8], at: int, digits: int, power: int) -> int:
    """digits × 10**power without an exponent."""
    if power >= 0:
        return _fill_zeros(out, write_unsigned(out, at, digits), power)
    # Written one place to the right; then the whole part moves back and leaves room for the point.
    end = write_unsigned(out, at + 1, digits)
    whole = end - at - 1 + power
    if whole <= 0:
        return _write_fraction(out, at, digits, -whole)
    if whole < 8:
        word = load_word(out, at + 1)
        kept = (_U(1) << _U(whole * 8)) - _U(1)
        store_word(out, at, (word & kept) | (_U(_POINT) << _U(whole * 8)) | ((word & ~kept) << _U(8)))
        return end
    for position in range(at, at + whole):
        out[position] = out[position + 1]
    out[at + whole] = _POINT
    return end


@njit(nogil=True, cache=True)
def _write_fraction(out: NDArray[np.uint8], at: int, digits: int, zeros: int) -> int:
    """`0.`, zeros, digits."""
    out[at] = _ZERO
    out[at + 1] = _POINT
    return write_unsigned(out, _fill_zeros(out, at + 2, zeros), digits)


@njit(nogil=True, cache=True)
def _write_exponent(out: NDArray[np.uint8], at: int, digits: int, power: int) -> int:
    """digits × 10**power as `d.ddde±xx`."""
    end = write_unsigned(out, at + 1, digits)
    width = end - at - 1
    exponent = power + width - 1
    out[at] = out[at + 1]
    if width > 1:
        out[at + 1] = _POINT
    else:
        end = at + 1
    out[end] = _E
    out[end + 1] = _MINUS if exponent < 0 else _PLUS
    end += 2
    size = _U(abs(exponent))
    if size < _U(10):
        out[end] = _ZERO
        end += 1
    return write_unsigned(out, end, size)


@njit(nogil=True, cache=True)
def _write_special(out: NDArray[np.uint8], at: int, value: float) -> int:
    if value != value:
        word = _NOT_A_NUMBER
    else:
        out[at] = _PLUS if value > 0 else _MINUS
        at += 1
        word = _INFINITE
    for offset in range(3):
        out[at + offset] = word[offset]
    return at + 3


@njit(nogil=True, cache=True)
def write_double(out: NDArray[np.uint8], at: int, value: float, bits: int) -> int:
    """Write a double, whose bits are handed in beside it, as Prometheus' JSON does (without quotes)."""
    if not np.isfinite(value):
        return _write_special(out, at, value)
    if bits >> _U(63):
        out[at] = _MINUS
        at += 1
        value = -value
    # Fast path: whole numbers that a double holds exactly.
    if value < 9007199254740992.0:
        whole = _U(value)
        if np.float64(whole) == value:
            return write_unsigned(out, at, whole)
    digits, power = shortest_decimal(bits)
    if value < 1e-6 or value >= 1e21:
        return _write_exponent(out, at, digits, power)
    return _write_plain(out, at, digits, power)


@njit(nogil=True, cache=True)
def write_timestamp(out: NDArray[np.uint8], at: int, ts_ms: int) -> int:
    """Write a time stamp in seconds: `1435781430.781`, `1435781430`."""
    if ts_ms < 0:
        out[at] = _MINUS
        at += 1
        ts_ms = -ts_ms
    seconds = _U(ts_ms // 1000)
    millis = _U(ts_ms % 1000)
    at = write_unsigned(out, at, seconds)
    if millis:
        # Written as 1000 + millis, whose first digit then becomes the point.
        end = write_unsigned(out, at, millis + _U(1000))
        out[at] = _POINT
        return end
    return at


@njit(nogil=True, cache=True)
def _write_lines(values: NDArray[np.float64], bits: NDArray[np.uint64], out: NDArray[np.uint8]) -> int:
    at = 0
    for i in range(len(values)):
        at = write_double(out, at, values[i], bits[i])
        out[at] = 10
        at += 1
    return at


def double_texts(values: NDArray[np.float64]) -> list[str]:
    """Each double as text. # Slow path: for scalars, exemplars and other small answers."""
    values = plain_array(values, np.float64)
    out = np.empty(len(values) * (MAX_NUMBER_BYTES + 1) + 8, np.uint8)
    size = _write_lines(values, values.view(np.uint64), out)
    return out[:size].tobytes().decode("ascii").split("\n")[:-1]


def double_text(value: float) -> str:
    """One double as text."""
    return double_texts(np.array([value], np.float64))[0]


def plain_text(value: float) -> str:
    """One double without an exponent, however large or small: Prometheus' form of scalar results."""
    if not math.isfinite(value):
        return double_text(value)
    text = format(Decimal(repr(value)), "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def timestamp_text(ts_ms: int) -> str:
    """A time stamp in seconds as JSON number text."""
    sign = "-" if ts_ms < 0 else ""
    seconds, millis = divmod(abs(ts_ms), 1000)
    return f"{sign}{seconds}.{millis:03d}" if millis else f"{sign}{seconds}"


def scalar_time_text(ts_ms: int) -> str:
    """A time stamp of a scalar or string: Prometheus writes those as any JSON number, so `1.5` and not `1.500`."""
    text = timestamp_text(ts_ms)
    return text.rstrip("0") if "." in text else text
