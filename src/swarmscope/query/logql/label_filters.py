"""`| label op value`: which lines a condition lets through, and which get an error for it.

As in Loki, a number that cannot be read leaves the line in with `__error__`, a line that has an error already passes,
and a line without the label goes.
"""

from __future__ import annotations

import operator
from collections.abc import Callable

import numpy as np
from numba import njit
from numpy.typing import NDArray

from swarmscope.lang.logql.nodes import (
    BothFilters,
    BytesFilter,
    Comparison,
    DurationFilter,
    EitherFilter,
    IpFilter,
    LabelFilter,
    NumberFilter,
    StringFilter,
)
from swarmscope.model.byte_search import find_bytes
from swarmscope.model.labels import Utf8Column
from swarmscope.model.matchers import Matcher, MatchOperator
from swarmscope.model.raw_memory import address_of
from swarmscope.query.logql.addresses import AddressRange, values_are_addresses
from swarmscope.query.logql.blocks import ERROR, LineBlock, without
from swarmscope.query.logql.number_texts import NumberReader, read_durations, read_numbers, read_sizes
from swarmscope.query.logql.regexes import matches_regex
from swarmscope.query.logql.text_joining import joined_texts

LABEL_FILTER_ERROR = "LabelFilterErr"
_NS_PER_S = 1e9
_COMPARISONS: dict[Comparison, Callable[[NDArray[np.float64], float], NDArray[np.bool_]]] = {
    Comparison.EQUAL: operator.eq,
    Comparison.NOT_EQUAL: operator.ne,
    Comparison.GREATER: operator.gt,
    Comparison.GREATER_EQUAL: operator.ge,
    Comparison.LESS: operator.lt,
    Comparison.LESS_EQUAL: operator.le,
}


def passing(condition: LabelFilter, block: LineBlock) -> NDArray[np.bool_]:
    """Which lines [n] the condition lets through; errors are noted in the block."""
    match condition:
        case BothFilters(left=left, right=right):
            first = passing(left, block)
            return first & passing(right, block) if first.any() else first
        case EitherFilter(left=left, right=right):
            first = passing(left, block)
            return first if first.all() else first | passing(right, block)
        case StringFilter(matcher=matcher):
            return matching(block.label(matcher.name), matcher)
        case IpFilter(label=label):
            return _ip_passing(condition, block.label(label), block)
        case NumberFilter(value=value):
            return _number_passing(
                condition, value, read_numbers, ('strconv.ParseFloat: parsing "', '": invalid syntax'), block
            )
        case DurationFilter(value_ns=value_ns):
            return _number_passing(
                condition, value_ns / _NS_PER_S, read_durations, ('time: invalid duration "', '"'), block
            )
        case BytesFilter(value_bytes=value_bytes):
            return _number_passing(condition, float(value_bytes), read_sizes, ("unhandled size name: ", ""), block)


def matching(column: Utf8Column, matcher: Matcher) -> NDArray[np.bool_]:
    """Which values [n] the matcher wants; an absent one is ""."""
    match matcher.operator:
        case MatchOperator.EQUAL:
            return equal_texts(column, matcher.value)
        case MatchOperator.NOT_EQUAL:
            return ~equal_texts(column, matcher.value)
        case MatchOperator.REGEX:
            return matches_regex(column, matcher.value)
        case MatchOperator.NOT_REGEX:
            return ~matches_regex(column, matcher.value)


def equal_texts(column: Utf8Column, text: str) -> NDArray[np.bool_]:
    """Which values [n] are the text; an absent one is ""."""
    return _equal(column.buffer, column.start, column.length, np.frombuffer(text.encode(), np.uint8))


@njit(nogil=True, cache=True)
def _equal(
    buffer: NDArray[np.uint8], start: NDArray[np.int64], length: NDArray[np.int64], text: NDArray[np.uint8]
) -> NDArray[np.bool_]:
    same = np.zeros(len(start), np.bool_)
    base, sought, size = address_of(buffer), address_of(text), len(text)
    for row in range(len(start)):
        if max(length[row], 0) == size:
            same[row] = find_bytes(base, start[row], start[row] + size, sought, size) == start[row]
    return same


def _number_passing(
    condition: NumberFilter | DurationFilter | BytesFilter,
    value: float,
    read: NumberReader,
    complaint: tuple[str, str],
    block: LineBlock,
) -> NDArray[np.bool_]:
    column = block.label(condition.label)
    numbers, bad = read(column)
    passes = _COMPARISONS[condition.comparison](numbers, value)
    return _with_errors(block, column, passes, bad, complaint)


def _ip_passing(condition: IpFilter, column: Utf8Column, block: LineBlock) -> NDArray[np.bool_]:
    inside, bad = values_are_addresses(column, AddressRange.from_text(condition.pattern))
    passes = inside if condition.operator is MatchOperator.EQUAL else ~inside
    return _with_errors(block, column, passes, bad, ('ParseAddr("', '"): unable to parse IP'))


def _with_errors(
    block: LineBlock,
    column: Utf8Column,
    passes: NDArray[np.bool_],
    bad: NDArray[np.bool_],
    complaint: tuple[str, str],
) -> NDArray[np.bool_]:
    """Let lines with errors through, old and new ones, and keep out those without the label.

    `complaint` is what the error says around the value.
    """
    failed_before = block.label(ERROR).length > 0
    present = column.length >= 0
    failed_now = bad & present & ~failed_before
    if failed_now.any():
        shown = without(column, ~failed_now)
        details = joined_texts([complaint[0], shown, complaint[1]], len(block))
        block.note_error(failed_now, LABEL_FILTER_ERROR, details)
    return failed_before | failed_now | (passes & present & ~bad)
