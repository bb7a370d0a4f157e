"""Who is whose parent in one trace, and what is odd about it: traces arrive in pieces, from clocks that differ.

Plain Python: the command line works without NumPy, and traces are small. # Slow path: one trace at a time
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

NO_ROW = -1


class Oddity(StrEnum):
    """What is odd about a span, in words for whoever looks at it."""

    MISSING_PARENT = "the parent span is not here: it was not sent, has not arrived yet or was not kept"
    PARENT_CYCLE = "the span is its own ancestor: the parent that it names is ignored"
    REPEATED_ID = "another span of the trace has the same id"
    CLOCK_SKEW = "the span begins before its parent or ends before it begins: the clocks differ"


class Member(NamedTuple):
    """What has to be known of one span. `parent_id` is empty for a root."""

    span_id: bytes
    parent_id: bytes
    start_ns: int
    duration_ns: int
    is_client: bool
    is_server: bool


@dataclass(frozen=True, slots=True)
class Family:
    """The spans of one trace as a forest; every row is reached from a root."""

    parent: list[int]  # [n] row of the parent, NO_ROW for a root
    children: list[list[int]]  # [n] rows, by start
    roots: list[int]  # rows, by start
    oddities: list[list[Oddity]]  # [n]

    def walk(self) -> list[tuple[int, int]]:
        """(row, depth) of every span, parents before their children."""
        found = []
        waiting = [(row, 0) for row in reversed(self.roots)]
        while waiting:
            row, depth = waiting.pop()
            found.append((row, depth))
            waiting.extend((child, depth + 1) for child in reversed(self.children[row]))
        return found


def family_of(members: Sequence[Member]) -> Family:
    """The forest of the spans [n] of one trace."""
    order = sorted(range(len(members)), key=lambda row: (members[row].start_ns, row))
    by_id: dict[bytes, list[int]] = {}
    for row in order:
        by_id.setdefault(members[row].span_id, []).append(row)
    parent = [NO_ROW] * len(members)
    oddities: list[list[Oddity]] = [[] for _ in members]
    for row in order:
        member = members[row]
        namesakes = by_id[member.span_id]
        # Zipkin's two halves of a call share an id; the server's half is the child of the client's.
        client = _client_half(members, namesakes) if member.is_server else NO_ROW
        if client not in (NO_ROW, row) and len(namesakes) == 2:
            parent[row] = client
        elif member.parent_id:
            candidates = by_id.get(member.parent_id, [])
            # Children of a call that two spans share are the server's work.
            server = _server_half(members, candidates)
            parent[row] = server if server not in (NO_ROW, row) else next(iter(candidates), NO_ROW)
            if parent[row] == NO_ROW:
                oddities[row].append(Oddity.MISSING_PARENT)
        if len(namesakes) > 2 or (len(namesakes) == 2 and not _are_halves(members, namesakes)):
            oddities[row].append(Oddity.REPEATED_ID)
    _break_cycles(parent, oddities, order)
    children: list[list[int]] = [[] for _ in members]
    for row in order:
        above = parent[row]
        if above != NO_ROW:
            children[above].append(row)
        if members[row].duration_ns < 0 or (above != NO_ROW and members[row].start_ns < members[above].start_ns):
            oddities[row].append(Oddity.CLOCK_SKEW)
    return Family(parent, children, [row for row in order if parent[row] == NO_ROW], oddities)


def _client_half(members: Sequence[Member], candidates: list[int]) -> int:
    return next((row for row in candidates if members[row].is_client), NO_ROW)


def _server_half(members: Sequence[Member], candidates: list[int]) -> int:
    return next((row for row in candidates if members[row].is_server), NO_ROW)


def _are_halves(members: Sequence[Member], namesakes: list[int]) -> bool:
    return {(members[row].is_client, members[row].is_server) for row in namesakes} == {(True, False), (False, True)}


def _break_cycles(parent: list[int], oddities: list[list[Oddity]], order: list[int]) -> None:
    """Make a root of the earliest span of each cycle of parents."""
    rank = {row: position for position, row in enumerate(order)}
    is_walked, is_settled = set[int](), set[int]()
    for first in order:
        path = []
        row = first
        while row != NO_ROW and row not in is_walked and row not in is_settled:
            is_walked.add(row)
            path.append(row)
            row = parent[row]
        if row in is_walked:
            cycle = path[path.index(row) :]
            root = min(cycle, key=rank.__getitem__)
            parent[root] = NO_ROW
            oddities[root].append(Oddity.PARENT_CYCLE)
        is_settled.update(path)
        is_walked.clear()
