"""Numbers out of attributes: integers, doubles, and texts that spell them."""

from __future__ import annotations

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

from swarmscope.ingest.genai.reading import NO_PAIR, Pairs
from swarmscope.model.agents import NOT_SAID
from swarmscope.model.attributes import ValueKind
from swarmscope.model.raw_memory import Int, address_of, load_u8, load_u64

_STRING, _INT, _DOUBLE = int(ValueKind.STRING), int(ValueKind.INT), int(ValueKind.DOUBLE)
_NOT_SAID = NOT_SAID
# No request has so many tokens or bytes: what says so is broken, and would spoil every sum.
_MOST = 1e13
_NUMBER_BYTES = 8
_MAX_DIGITS = 24
_ZERO, _NINE, _DOT, _SPACE = ord("0"), ord("9"), ord("."), ord(" ")


@njit(nogil=True, cache=True)
def whole_numbers(pairs: Pairs, chosen: NDArray[np.int64]) -> NDArray[np.int64]:
    """Counts [n] of the pairs [n]; NOT_SAID where there is none, and where it is no number of 0 or more."""
    found = np.full(len(chosen), _NOT_SAID, np.int64)
    for at in range(len(chosen)):
        value = _number(pairs, chosen[at])
        if value >= 0 and value < _MOST:
            found[at] = np.int64(value + 0.5)
    return found


@njit(nogil=True, cache=True)
def amounts(pairs: Pairs, chosen: NDArray[np.int64]) -> NDArray[np.float64]:
    """Amounts of money [n]; NaN where there is none, and where it is no number of 0 or more."""
    found = np.full(len(chosen), math.nan)
    for at in range(len(chosen)):
        value = _number(pairs, chosen[at])
        if value >= 0 and value < _MOST:
            found[at] = value
    return found


@njit(nogil=True, cache=True, inline="always")
def _number(pairs: Pairs, pair: Int) -> float:
    if pair == NO_PAIR:
        return math.nan
    kind, base = pairs.kind[pair], address_of(pairs.buffer)
    start, length = pairs.start[pair], pairs.length[pair]
    value = math.nan
    if kind == _INT and length == _NUMBER_BYTES:
        value = float(np.int64(load_u64(base, start)))
    elif kind == _DOUBLE and length == _NUMBER_BYTES:
        value = _double(pairs.buffer, start)
    elif kind == _STRING and length <= _MAX_DIGITS:
        value = _spelled_number(base + start, length)
    return value


@njit(nogil=True, cache=True)
def _double(buffer: NDArray[np.uint8], start: Int) -> float:
    return float(buffer[start : start + 8].copy().view(np.float64)[0])


@njit(nogil=True, cache=True)
def _spelled_number(base: Int, length: Int) -> float:
    """Digits with at most one point among them; NaN for everything else."""
    at, end = np.int64(0), np.int64(length)
    while at < end and load_u8(base, at) == _SPACE:
        at += 1
    while end > at and load_u8(base, end - 1) == _SPACE:
        end -= 1
    value, scale, points = 0.0, 1.0, 0
    if at == end:
        return math.nan
    while at < end:
        byte = np.int64(load_u8(base, at))
        if byte == _DOT and points == 0 and end > 1:
            points = 1
        elif byte >= _ZERO and byte <= _NINE:
            value = value * 10.0 + (byte - _ZERO)
            scale = scale * 10.0 if points else scale
        else:
            return math.nan
        at += 1
    return value / scale
