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

from swarmscope.api.shortest_decimal import shortest_decimal

MAX_NUMBER_BYTES = 32
MAX_TIMESTAMP_BYTES = 24
_U: Any = np.uint64
_I: Any = np.int64
_PAIRS = np.frombuffer(b"".join(b"%02d" % n for n in range(100)), np.uint8).copy()
_ZERO, _POINT, _MINUS, _PLUS, _E = ord("0"), ord("."), ord("-"), ord("+"), ord("e")
_NOT_A_NUMBER = np.frombuffer(b"NaN", np.uint8).copy()
_INFINITE = np.frombuffer(b"Inf", np.uint8).copy()


@njit(nogil=True, cache=True)
def count_digits(number: int) -> int:
    """Decimal digits of an unsigned integer; 1 for zero."""
    digits = 1
    while number >= _U(10000):
        number = number // _U(10000)
        digits += 4
    if number >= _U(1000):
        return digits + 3
    if number >= _U(100):
        return digits + 2
    if number >= _U(10):
        return digits + 1
    return digits


@njit(nogil=True, cache=True)
def write_unsigned(out: NDArray[np.uint8], at: int, number: int, width: int) -> int:
    """Write `width` digits, with leading zeros where the number has fewer."""
    end = at + width
    position = end
    while position - at >= 2:
        rest = number // _U(100)
        pair = _I(number - rest * _U(100)) * 2
        number = rest
        position -= 2
        out[position] = _PAIRS[pair]
        out[position + 1] = _PAIRS[pair + 1]
    if position > at:
        out[at] = _ZERO + np.uint8(number % _U(10))
    return end


@njit(nogil=True, cache=True)
def _fill_zeros(out: NDArray[np.uint8], at: int, count: int) -> int:
    for offset in range(count):
        out[at + offset] = _ZERO
    return at + count


@njit(nogil=True, cache=True)
def _write_plain(out: NDArray[np.uint8], at: int, digits: int, power: int) -> int:
    """digits × 10**power without an exponent."""
    width = count_digits(digits)
    if power >= 0:
        return _fill_zeros(out, write_unsigned(out, at, digits, width), power)
    if -power >= width:
        out[at] = _ZERO
        out[at + 1] = _POINT
        return write_unsigned(out, _fill_zeros(out, at + 2, -power - width), digits, width)
    # Written as one integer; then the fraction moves one place to the right to make room for the point.
    end = write_unsigned(out, at, digits, width)
    for position in range(end, end + power, -1):
        out[position] = out[position - 1]
    out[end + power] = _POINT
    return end + 1


@njit(nogil=True, cache=True)
def _write_exponent(out: NDArray[np.uint8], at: int, digits: int, power: int) -> int:
    """digits × 10**power as `d.ddde±xx`."""
    width = count_digits(digits)
    exponent = power + width - 1
    end = write_unsigned(out, at + 1, digits, width)
    out[at] = out[at + 1]
    if width > 1:
        out[at + 1] = _POINT
    else:
        end = at + 1
    out[end] = _E
    out[end + 1] = _MINUS if exponent < 0 else _PLUS
    size = _U(abs(exponent))
    return write_unsigned(out, end + 2, size, 3 if size >= _U(100) else 2)


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
            return write_unsigned(out, at, whole, count_digits(whole))
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
    at = write_unsigned(out, at, seconds, count_digits(seconds))
    if millis:
        out[at] = _POINT
        at = write_unsigned(out, at + 1, millis, 3)
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
    values = np.ascontiguousarray(values, np.float64)
    out = np.empty(len(values) * (MAX_NUMBER_BYTES + 1), np.uint8)
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
