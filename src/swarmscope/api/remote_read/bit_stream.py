"""Bits, most significant first, into a zeroed byte buffer; positions count bits.

Source of the variable-width forms: Prometheus' tsdb/docs/format/chunks.md and the code that it points at
(tsdb/chunkenc/xor.go, varbit.go). Each width is announced by a prefix of ones closed by a zero.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

_U: Any = np.uint64
# Payload widths of <varbit_int> and <varbit_uint>; prefix i + 1 ones and a zero. The last one is eight ones.
_WIDTHS = np.array([3, 6, 9, 12, 18, 25, 56], np.int64)
# Payload widths of the XOR chunk's delta of deltas.
_TIME_WIDTHS = np.array([14, 17, 20], np.int64)
NO_LEADING = 0xFF


@njit(nogil=True, cache=True)
def write_bits(out: NDArray[np.uint8], at: int, value: int, width: int) -> int:
    """The `width` lowest bits of an unsigned value."""
    left = width
    while left > 0:
        free = 8 - (at & 7)
        take = min(free, left)
        piece = (value >> _U(left - take)) & ((_U(1) << _U(take)) - _U(1))
        out[at >> 3] |= np.uint8(piece << _U(free - take))
        at += take
        left -= take
    return at


@njit(nogil=True, cache=True)
def write_uvarint(out: NDArray[np.uint8], at: int, value: int) -> int:
    """Unsigned LEB128."""
    while value >= _U(0x80):
        at = write_bits(out, at, (value & _U(0x7F)) | _U(0x80), 8)
        value >>= _U(7)
    return write_bits(out, at, value, 8)


@njit(nogil=True, cache=True)
def write_varint(out: NDArray[np.uint8], at: int, value: int) -> int:
    """Signed LEB128, zigzag."""
    zigzag = _U(value) << _U(1)
    return write_uvarint(out, at, ~zigzag if value < 0 else zigzag)


@njit(nogil=True, cache=True)
def _write_prefixed(out: NDArray[np.uint8], at: int, ones: int, value: int, width: int) -> int:
    at = write_bits(out, at, (_U(1) << _U(ones + 1)) - _U(2), ones + 1)
    return write_bits(out, at, value, width)


@njit(nogil=True, cache=True)
def _fits(value: int, width: int) -> bool:
    """Prometheus' signed ranges lean to the positive side: -(2**(w-1) - 1) … 2**(w-1)."""
    return -((1 << (width - 1)) - 1) <= value <= 1 << (width - 1)


@njit(nogil=True, cache=True)
def write_varbit_int(out: NDArray[np.uint8], at: int, value: int) -> int:
    """<varbit_int>."""
    if value == 0:
        return write_bits(out, at, _U(0), 1)
    for step in range(len(_WIDTHS)):
        if _fits(value, _WIDTHS[step]):
            return _write_prefixed(out, at, step + 1, _U(value), _WIDTHS[step])
    return write_bits(out, write_bits(out, at, _U(0xFF), 8), _U(value), 64)


@njit(nogil=True, cache=True)
def write_varbit_uint(out: NDArray[np.uint8], at: int, value: int) -> int:
    """<varbit_uint>."""
    if value == _U(0):
        return write_bits(out, at, _U(0), 1)
    for step in range(len(_WIDTHS)):
        if value < _U(1) << _U(_WIDTHS[step]):
            return _write_prefixed(out, at, step + 1, value, _WIDTHS[step])
    return write_bits(out, write_bits(out, at, _U(0xFF), 8), value, 64)


@njit(nogil=True, cache=True)
def write_time_varbit(out: NDArray[np.uint8], at: int, value: int) -> int:
    """<varbit_ts>: the XOR chunk's delta of deltas."""
    if value == 0:
        return write_bits(out, at, _U(0), 1)
    for step in range(len(_TIME_WIDTHS)):
        if _fits(value, _TIME_WIDTHS[step]):
            return _write_prefixed(out, at, step + 1, _U(value), _TIME_WIDTHS[step])
    return write_bits(out, write_bits(out, at, _U(0b1111), 4), _U(value), 64)


@njit(nogil=True, cache=True)
def _zeros_before(value: int) -> int:
    count = 0
    for shift in (32, 16, 8, 4, 2, 1):
        if value >> _U(64 - shift) == _U(0):
            count += shift
            value <<= _U(shift)
    return count


@njit(nogil=True, cache=True)
def _zeros_after(value: int) -> int:
    count = 0
    for shift in (32, 16, 8, 4, 2, 1):
        if value & ((_U(1) << _U(shift)) - _U(1)) == _U(0):
            count += shift
            value >>= _U(shift)
    return count


@njit(nogil=True, cache=True)
def write_xor(out: NDArray[np.uint8], at: int, difference: int, leading: int, trailing: int) -> tuple[int, int, int]:
    """<varbit_xor> of two doubles' bits XORed, and the window of meaningful bits to hand in next time.

    The window starts as (NO_LEADING, 0).
    """
    if difference == _U(0):
        return write_bits(out, at, _U(0), 1), leading, trailing
    at = write_bits(out, at, _U(1), 1)
    own_leading = min(_zeros_before(difference), 31)
    own_trailing = _zeros_after(difference)
    if leading != NO_LEADING and own_leading >= leading and own_trailing >= trailing:
        at = write_bits(out, at, _U(0), 1)
        return write_bits(out, at, difference >> _U(trailing), 64 - leading - trailing), leading, trailing
    width = 64 - own_leading - own_trailing
    at = write_bits(out, at, _U(1), 1)
    at = write_bits(out, at, _U(own_leading), 5)
    # 64 does not fit into six bits and stands as 0, which no difference needs.
    at = write_bits(out, at, _U(width & 63), 6)
    return write_bits(out, at, difference >> _U(own_trailing), width), own_leading, own_trailing
