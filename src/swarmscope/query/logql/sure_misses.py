"""Lines that cannot pass `| json | status="500"` are told without being parsed: they do not have the text "500".

A parsed value stands in the line byte by byte unless an escape spells it, and escapes begin with a backslash; besides,
the label may be one that the line has already. So a line is left out only if none of that holds. Where no line has
the label before it is parsed, the reader can leave such lines out itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

import numpy as np
from numba import njit
from numpy.typing import NDArray

from swarmscope.lang.logql.label_filters import LABEL_FILTERS
from swarmscope.lang.logql.nodes import BothFilters, LabelFilter, LineFilter, Stage, StringFilter
from swarmscope.model.byte_search import find_bytes
from swarmscope.model.contracts import LogReader
from swarmscope.model.logs import LineRequest
from swarmscope.model.matchers import Matcher, MatchOperator
from swarmscope.model.raw_memory import address_of
from swarmscope.model.series import ABSENT, LabelFrame
from swarmscope.query.logql.blocks import EXTRACTED, TYPED_METADATA, LineBlock, sanitised_name
from swarmscope.query.logql.label_filters import matching
from swarmscope.query.logql.label_parsing import PARSERS

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


def parsed_equalities(stages: Sequence[Stage]) -> tuple[Matcher, ...]:
    """The equalities right behind the first parser, which reads the line as it is stored; () where another may."""
    for position, stage in enumerate(stages):
        if isinstance(stage, PARSERS):
            return wanted_texts(stages[position + 1 :])
        if not isinstance(stage, (LineFilter, *LABEL_FILTERS)):
            break
    return ()


def with_values(
    request: LineRequest, equalities: tuple[Matcher, ...], labels: LabelFrame, reader: LogReader
) -> LineRequest:
    """The request with the values that lines of these streams (`labels`) can meet `parsed_equalities` by alone."""
    if not equalities:
        return request
    taken = {sanitised_name(name) for name in reader.metadata_names()}.union(TYPED_METADATA)
    taken.update(name for name, codes in zip(labels.names, labels.codes, strict=True) if (codes != ABSENT).any())
    parsed = (each for each in equalities if each.name not in taken and not each.name.endswith(EXTRACTED))
    return replace(request, values=tuple(dict.fromkeys(each.value for each in parsed)))


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
