"""Lines that cannot pass `| json | status="500"` are told without being parsed: they do not have the text "500".

A parsed value stands in the line byte by byte unless an escape spells it, and escapes begin with a backslash; besides,
the label may be one that the line has already. So a line is left out only if none of that holds.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
from numba import njit
from numpy.typing import NDArray

from swarmscope.lang.logql.label_filters import LABEL_FILTERS
from swarmscope.lang.logql.nodes import BothFilters, LabelFilter, Stage, StringFilter
from swarmscope.model.matchers import Matcher, MatchOperator
from swarmscope.model.raw_memory import address_of
from swarmscope.query.logql.blocks import LineBlock
from swarmscope.query.logql.label_filters import matching
from swarmscope.query.logql.text_search import find_bytes

_BACKSLASH = np.frombuffer(b"\\", np.uint8)


def wanted_texts(behind: Iterable[Stage]) -> tuple[Matcher, ...]:
    """The equalities that lines must meet right behind a parser, `behind` being the stages that follow it."""
    found: list[Matcher] = []
    for stage in behind:
        if not isinstance(stage, LABEL_FILTERS):
            break
        found.extend(_equalities(stage))
    return tuple(found)


def _equalities(condition: LabelFilter) -> Iterator[Matcher]:
    match condition:
        case BothFilters(left=left, right=right):
            yield from _equalities(left)
            yield from _equalities(right)
        case StringFilter(matcher=matcher) if matcher.operator is MatchOperator.EQUAL and matcher.value:
            if not matcher.name.startswith("__error"):
                yield matcher


def leave_out_misses(block: LineBlock, wanted: tuple[Matcher, ...]) -> None:
    """Drop lines that cannot meet the equalities once they are parsed."""
    for matcher in wanted:
        chosen = _may_hold(
            block.line.buffer, block.line.start, block.line.length, np.frombuffer(matcher.value.encode(), np.uint8),
            _BACKSLASH,
        )  # fmt: skip
        if not chosen.all():
            chosen |= matching(block.label(matcher.name), matcher)
            block.keep(chosen)


@njit(nogil=True, cache=True)
def _may_hold(
    buffer: NDArray[np.uint8],
    start: NDArray[np.int64],
    length: NDArray[np.int64],
    needle: NDArray[np.uint8],
    escape: NDArray[np.uint8],
) -> NDArray[np.bool_]:
    found = np.zeros(len(start), np.bool_)
    base, sought, size, backslash = address_of(buffer), address_of(needle), len(needle), address_of(escape)
    for row in range(len(start)):
        at, end = start[row], start[row] + max(length[row], 0)
        found[row] = find_bytes(base, at, end, sought, size) >= 0 or find_bytes(base, at, end, backslash, 1) >= 0
    return found
