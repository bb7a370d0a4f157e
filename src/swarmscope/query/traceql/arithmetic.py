"""Arithmetic of columns: integers stay exact under + - * %, all else is done in floats."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from swarmscope.query.traceql.comparisons import aligned
from swarmscope.query.traceql.values import Tag, Values

_NUMBERS = (Tag.INTEGER, Tag.FLOAT, Tag.DURATION)
_EXACT = ("+", "-", "*")


def calculate(op: str, left: Values, right: Values) -> Values:
    """`left op right` where both are numbers, nil elsewhere. With a duration the result is one, in nanoseconds."""
    left, right = _side_by_side(left, right)
    numbers = np.isin(left.tag, _NUMBERS) & np.isin(right.tag, _NUMBERS)
    floats = (left.tag == Tag.FLOAT) | (right.tag == Tag.FLOAT)
    durations = (left.tag == Tag.DURATION) | (right.tag == Tag.DURATION)
    with np.errstate(all="ignore"):
        real = _in_floats(op, left, right)
        whole = np.zeros(len(left), np.int64)
        exact = np.zeros(len(left), np.bool_)
        if op in _EXACT or op == "%":
            whole = _in_integers(op, left, right)
            # Where 64 bits overflow the float tells it.
            exact = ~floats & np.isfinite(real) & (np.abs(real) < 2.0**63)
        fits = np.isfinite(real) & (np.abs(real) < 2.0**63)
        whole = np.where(exact, whole, np.where(fits, real, 0).astype(np.int64))
    integral = durations & fits
    tag = np.where(integral, np.uint8(Tag.DURATION), np.where(exact, np.uint8(Tag.INTEGER), np.uint8(Tag.FLOAT)))
    tag = np.where(numbers & ~np.isnan(real), tag, np.uint8(Tag.NIL))
    real = np.where(exact, whole.astype(np.float64), real)
    return replace(left, tag=tag, whole=whole, real=real)


def negative(values: Values) -> Values:
    """Numbers with the other sign, nil for all else."""
    tag = np.where(np.isin(values.tag, _NUMBERS), values.tag, np.uint8(Tag.NIL))
    with np.errstate(over="ignore"):
        return replace(values, tag=tag, whole=-values.whole, real=-values.real)


def _side_by_side(left: Values, right: Values) -> tuple[Values, Values]:
    """Literals are repeated, so that both have the same number of values."""
    if len(left) != len(right):
        if len(right) == 1 and right.owner is None:
            right = replace(right.flat().take(np.zeros(len(left), np.int64)), owner=left.owner, elements=left.elements)
            return left.flat(), right
        if len(left) == 1 and left.owner is None:
            left = replace(left.flat().take(np.zeros(len(right), np.int64)), owner=right.owner, elements=right.elements)
            return left, right.flat()
    return aligned(left, right)


def _in_floats(op: str, left: Values, right: Values) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    a, b = left.real, right.real
    match op:
        case "+":
            return a + b
        case "-":
            return a - b
        case "*":
            return a * b
        case "/":
            return a / b
        case "%":
            return np.fmod(a, b)
        case _:
            return np.power(a, b)


def _in_integers(op: str, left: Values, right: Values) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    a, b = left.whole, right.whole
    match op:
        case "+":
            return a + b
        case "-":
            return a - b
        case "*":
            return a * b
        case _:
            return np.fmod(a, np.where(b == 0, 1, b))
