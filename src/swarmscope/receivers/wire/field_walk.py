"""Protobuf fields, for walks that are compiled for one message: lengths, and values of no interest.

Source of the format: https://protobuf.dev/programming-guides/encoding/
"""

from __future__ import annotations

import numpy as np
from numba import njit, uint64

from swarmscope.model.raw_memory import Int
from swarmscope.receivers.wire.scan_kernel import BAD_TAG, BEYOND_PARENT, GROUP, OVERLONG, TRUNCATED
from swarmscope.receivers.wire.varint import OVERLONG_VARINT, read_varint

VARINT, FIXED64, DELIMITED, FIXED32 = 0, 1, 2, 5  # wire types


@njit(nogil=True, cache=True, forceinline=True)
def varint_fault(position: Int) -> Int:
    """The fault behind a negative position of `read_varint`."""
    return OVERLONG if position == OVERLONG_VARINT else TRUNCATED


@njit(nogil=True, cache=True, forceinline=True)
def take_length(base: Int, position: Int, end: Int) -> tuple[Int, Int, Int]:
    """Start and end of a length-delimited value at `position`, and a fault (0: none)."""
    length, start = read_varint(base, position, end)
    if start < 0:
        return 0, 0, varint_fault(start)
    if length > uint64(end - start):
        return 0, 0, BEYOND_PARENT
    return start, start + np.int64(length), 0


@njit(nogil=True, cache=True)
def skip_value(base: Int, tag: Int, position: Int, end: Int) -> tuple[Int, Int]:
    """The position behind a value of no interest, and a fault (0: none)."""
    wire = tag & 7
    if wire == 3 or wire == 4:
        return 0, GROUP
    if tag < 8 or tag >= 1 << 32 or wire > 5:
        return 0, BAD_TAG
    if wire == VARINT:
        _, after = read_varint(base, position, end)
        return after, varint_fault(after) if after < 0 else 0
    if wire == DELIMITED:
        _, after, fault = take_length(base, position, end)
        return after, fault
    after = position + (8 if wire == FIXED64 else 4)
    return after, TRUNCATED if after > end else 0
