"""Protobuf's base-128 numbers. Source: https://protobuf.dev/programming-guides/encoding/#varints"""

from __future__ import annotations

import numpy as np
from numba import njit

from swarmscope.model.raw_memory import Int, load_u8

TRUNCATED_VARINT = -1
OVERLONG_VARINT = -2


@njit(nogil=True, cache=True, forceinline=True)
def read_varint(base: Int, position: Int, end: Int) -> tuple[Int, Int]:
    """A number and the position behind it, relative to address `base`.

    On a fault the position is TRUNCATED_VARINT or OVERLONG_VARINT (more than 64 bits).
    """
    value = np.uint64(0)
    shift = np.uint64(0)
    while position < end:
        byte = load_u8(base, position)
        position += 1
        value |= (byte & np.uint64(0x7F)) << shift
        if byte < np.uint64(0x80):
            if shift == np.uint64(63) and byte > np.uint64(1):
                return value, OVERLONG_VARINT
            return value, position
        shift += np.uint64(7)
        if shift > np.uint64(63):
            return value, OVERLONG_VARINT
    return value, TRUNCATED_VARINT
