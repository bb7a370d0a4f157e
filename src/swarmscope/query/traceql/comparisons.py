"""Comparing columns of typed values: what does not go together is false, whatever the operator."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from swarmscope.model.byte_ranges import bytes_equal, bytes_less
from swarmscope.model.labels import Utf8Column
from swarmscope.query.logql.regexes import matches_regex
from swarmscope.query.traceql.values import Cells, Tag, Values

_OPERATORS = {"=": 0, "!=": 1, "<": 2, "<=": 3, ">": 4, ">=": 5}
_NEGATIVE = ("!=", "!~")
_STRING = int(Tag.STRING)
_WHOLE_NUMBER = np.array([tag in (Tag.INTEGER, Tag.DURATION) for tag in Tag])
_NUMBER = np.array([tag in (Tag.INTEGER, Tag.DURATION, Tag.FLOAT) for tag in Tag])
_NAMED = np.array([tag in (Tag.BOOLEAN, Tag.STATUS, Tag.KIND) for tag in Tag])


def compare_values(op: str, left: Values, right: Values, n_spans: int) -> NDArray[np.bool_]:
    """Which spans [n_spans] fulfil `left op right`; a side of one value without owner stands for all spans.

    A span with several values fulfils it when one does; of arrays' elements all must where the operator is `!=`.
    """
    if len(right) == 1 and right.owner is None and right.index is None:
        # Once for each cell, and not for each span.
        result = _compare(left.cells, right.cells, 1, 0, _OPERATORS[op])
        held = result if left.index is None else result[left.index]
        return per_span(op, held, left, n_spans)
    if len(left) == 1 and left.owner is None and left.index is None:
        result = _compare(left.cells, right.cells, 0, 1, _OPERATORS[op])
        held = result if right.index is None else result[right.index]
        return per_span(op, held, right, n_spans)
    left, right = aligned(left, right)
    held = _compare(left.cells, right.cells, 1, 1, _OPERATORS[op])
    return per_span(op, held, left, n_spans)


def match_values(op: str, values: Values, regex: str, n_spans: int) -> NDArray[np.bool_]:
    """Which spans [n_spans] have a text that the regex matches as a whole (`=~`), or one that it does not (`!~`)."""
    texts = values.tag == Tag.STRING
    held = np.zeros(len(values.tag), np.bool_)
    positions = np.flatnonzero(texts)
    distinct, code = distinct_texts(values.text.take(positions))
    held[positions] = (matches_regex(distinct, regex) ^ (op == "!~"))[code]
    return per_span(op, held if values.index is None else held[values.index], values, n_spans)


def is_nil(values: Values, n_spans: int) -> NDArray[np.bool_]:
    """Which spans [n_spans] have no value at all."""
    there = values.tag != Tag.NIL
    return ~per_span("=", there if values.index is None else there[values.index], values, n_spans)


def per_span(op: str, held: NDArray[np.bool_], values: Values, n_spans: int) -> NDArray[np.bool_]:
    """What holds for values [n] as what holds for spans [n_spans]."""
    if values.owner is None:
        return held if len(held) == n_spans else np.full(n_spans, bool(held[0]))
    spans = np.zeros(n_spans, np.bool_)
    spans[values.owner[held]] = True
    if values.elements and op in _NEGATIVE:
        spans[values.owner[~held]] = False
    return spans


def aligned(left: Values, right: Values) -> tuple[Values, Values]:
    """Both with equal owners, so that value i of one stands beside value i of the other."""
    left, right = left.flat(), right.flat()
    if left.owner is right.owner:
        return left, right
    if left.owner is None:
        return _given(left, right), right
    if right.owner is None:
        return left, _given(right, left)
    if not left.elements and not right.elements and np.array_equal(left.owner, right.owner):
        return left, right
    lefts, rights = _all_pairs(_owners(left), _owners(right))
    pairs = left.take(lefts), right.take(rights)
    owner = _owners(left)[lefts]
    elements = left.elements or right.elements
    return with_owner(pairs[0], owner, elements), with_owner(pairs[1], owner, elements)


def with_owner(values: Values, owner: NDArray[np.int64], elements: bool) -> Values:
    """The values with owners."""
    return Values(values.tag, values.whole, values.real, values.text, owner=owner, elements=elements)


def _given(values: Values, other: Values) -> Values:
    """Values of spans beside each value that another field has of the same span; a literal stands beside all."""
    owner = _owners(other)
    positions = owner if len(values) > 1 else np.zeros(len(owner), np.int64)
    return with_owner(values.take(positions), owner, other.elements)


def _owners(values: Values) -> NDArray[np.int64]:
    if values.owner is None:
        raise ValueError("values of spans themselves have no owners")
    return values.owner


@njit(nogil=True, cache=True)
def _all_pairs(left: NDArray[np.int64], right: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Positions of all pairs that belong to one span; owners are ascending on both sides."""
    n, k = 0, 0
    for fill in range(2):
        lefts, rights = np.empty(n, np.int64), np.empty(n, np.int64)
        k, first = 0, 0
        for i in range(len(left)):
            while first < len(right) and right[first] < left[i]:
                first += 1
            j = first
            while j < len(right) and right[j] == left[i]:
                if fill == 1:
                    lefts[k], rights[k] = i, j
                k += 1
                j += 1
        n = k
    return lefts, rights


@njit(nogil=True, cache=True)
def _compare(left: Cells, right: Cells, left_stride: int, right_stride: int, op: int) -> NDArray[np.bool_]:
    """`left op right` for each pair; a stride of 0 keeps the first cell."""
    n = len(left.tag) if left_stride else len(right.tag)
    held = np.zeros(n, np.bool_)
    for row in range(n):
        i, j = row * left_stride, row * right_stride
        a, b = left.tag[i], right.tag[j]
        if a == _STRING and b == _STRING:
            held[row] = _text_holds(left, right, i, j, op)
        elif _WHOLE_NUMBER[a] and _WHOLE_NUMBER[b]:
            held[row] = _holds(left.whole[i] == right.whole[j], left.whole[i] < right.whole[j], op)
        elif _NUMBER[a] and _NUMBER[b]:
            x, y = left.real[i], right.real[j]
            # NaN is unequal to all, and neither less nor greater.
            held[row] = op == 1 if x != x or y != y else _holds(x == y, x < y, op)
        elif a == b and _NAMED[a] and op <= 1:
            held[row] = (left.whole[i] == right.whole[j]) == (op == 0)
    return held


@njit(nogil=True, cache=True)
def _holds(equal: bool, less: bool, op: int) -> bool:
    if op == 0:
        return equal
    if op == 1:
        return not equal
    if op == 2:
        return less
    if op == 3:
        return less or equal
    return not less and (op == 5 or not equal)


@njit(nogil=True, cache=True)
def _text_holds(left: Cells, right: Cells, i: int, j: int, op: int) -> bool:
    a, b = left.base + left.start[i], right.base + right.start[j]
    equal = left.length[i] == right.length[j] and bytes_equal(a, b, left.length[i])
    if op <= 1:
        return equal == (op == 0)
    return _holds(equal, not equal and bytes_less(a, left.length[i], b, right.length[j]), op)


def distinct_texts(column: Utf8Column) -> tuple[Utf8Column, NDArray[np.int64]]:
    """The distinct texts, and which one each of the n is."""
    if not len(column):
        return column, np.zeros(0, np.int64)
    encoded = column.to_arrow().dictionary_encode()
    code = encoded.indices.to_numpy(zero_copy_only=False).astype(np.int64)
    first = np.zeros(len(encoded.dictionary), np.int64)
    first[code[::-1]] = np.arange(len(code))[::-1]
    return column.take(first), code
