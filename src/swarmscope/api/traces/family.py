"""Who is whose parent in one trace, and what is odd about it: traces arrive in pieces, from clocks that differ."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from swarmscope.model.spans import SpanKind, SpanRows

NO_ROW = -1


class Oddity(StrEnum):
    """What is odd about a span, in words for whoever looks at it."""

    MISSING_PARENT = "the parent span is not here: it was not sent, has not arrived yet or was not kept"
    PARENT_CYCLE = "the span is its own ancestor: the parent that it names is ignored"
    REPEATED_ID = "another span of the trace has the same id"
    CLOCK_SKEW = "the span begins before its parent or ends before it begins: the clocks differ"


@dataclass(frozen=True, slots=True)
class Family:
    """The spans of one trace as a forest; every row is reached from a root."""

    parent: NDArray[np.int64]  # [n] row of the parent, NO_ROW for a root
    children: list[list[int]]  # [n] rows, by start
    roots: list[int]  # rows, by start
    oddities: list[list[Oddity]] = field(default_factory=list)  # [n]

    def walk(self) -> list[tuple[int, int]]:
        """(row, depth) of every span, parents before their children."""
        found = []
        waiting = [(row, 0) for row in reversed(self.roots)]
        while waiting:
            row, depth = waiting.pop()
            found.append((row, depth))
            waiting.extend((child, depth + 1) for child in reversed(self.children[row]))
        return found


def to_family(rows: SpanRows) -> Family:
    """The forest of the spans [n] of one trace, which need their ids, kinds and durations."""
    order = np.lexsort((np.arange(len(rows)), rows.start_ns)).tolist()
    by_id: dict[bytes, list[int]] = {}
    for row in order:
        by_id.setdefault(rows.span_id[row].tobytes(), []).append(row)
    parent = np.full(len(rows), NO_ROW, np.int64)
    oddities: list[list[Oddity]] = [[] for _ in range(len(rows))]
    for row in order:
        namesakes = by_id[rows.span_id[row].tobytes()]
        # Zipkin's two halves of a call share an id; the server's half is the child of the client's.
        client = _half(rows, namesakes, SpanKind.CLIENT) if rows.kind[row] == SpanKind.SERVER else NO_ROW
        if client not in (NO_ROW, row) and len(namesakes) == 2:
            parent[row] = client
        elif rows.parent_id[row].any():
            candidates = by_id.get(rows.parent_id[row].tobytes(), [])
            # Children of a call that two spans share are the server's work.
            server = _half(rows, candidates, SpanKind.SERVER)
            parent[row] = server if server not in (NO_ROW, row) else next(iter(candidates), NO_ROW)
            if parent[row] == NO_ROW:
                oddities[row].append(Oddity.MISSING_PARENT)
        if len(namesakes) > 2 or (len(namesakes) == 2 and not _are_halves(rows, namesakes)):
            oddities[row].append(Oddity.REPEATED_ID)
    _break_cycles(parent, oddities, order)
    children: list[list[int]] = [[] for _ in range(len(rows))]
    for row in order:
        above = int(parent[row])
        if above != NO_ROW:
            children[above].append(row)
        if rows.duration_ns[row] < 0 or (above != NO_ROW and rows.start_ns[row] < rows.start_ns[above]):
            oddities[row].append(Oddity.CLOCK_SKEW)
    return Family(parent, children, [row for row in order if parent[row] == NO_ROW], oddities)


def _half(rows: SpanRows, candidates: list[int], kind: SpanKind) -> int:
    """The first of the candidates that has the kind, or NO_ROW."""
    return next((row for row in candidates if rows.kind[row] == kind), NO_ROW)


def _are_halves(rows: SpanRows, namesakes: list[int]) -> bool:
    return {int(rows.kind[row]) for row in namesakes} == {SpanKind.CLIENT, SpanKind.SERVER}


def _break_cycles(parent: NDArray[np.int64], oddities: list[list[Oddity]], order: list[int]) -> None:
    """Make a root of the earliest span of each cycle of parents."""
    rank = {row: position for position, row in enumerate(order)}
    state = np.zeros(len(parent), np.int8)  # 1: on the path that is walked, 2: known to end at a root
    for first in order:
        path = []
        row = first
        while row != NO_ROW and state[row] == 0:
            state[row] = 1
            path.append(row)
            row = int(parent[row])
        if row != NO_ROW and state[row] == 1:
            cycle = path[path.index(row) :]
            root = min(cycle, key=rank.__getitem__)
            parent[root] = NO_ROW
            oddities[root].append(Oddity.PARENT_CYCLE)
        state[path] = 2
