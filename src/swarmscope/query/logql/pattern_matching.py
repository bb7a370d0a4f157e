"""Patterns (`<ip> - <_> "<method>`): captures between literal texts, for the parser `| pattern` and the filter `|>`.

Manual: https://grafana.com/docs/loki/latest/query/log_queries/#pattern
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

from swarmscope.lang.logql.patterns import Capture, Literal, PatternPart
from swarmscope.model.byte_search import find_bytes
from swarmscope.model.labels import Utf8Column
from swarmscope.model.raw_memory import address_of
from swarmscope.query.logql.extraction import ABSENT, Extracted


@dataclass(frozen=True, slots=True)
class LinePattern:
    """A pattern made ready: captures and literals alternate. `captures` are names, "" for `<_>`."""

    literals: tuple[bytes, ...]
    captures: tuple[str, ...]
    begins_with_capture: bool
    ends_with_capture: bool

    @classmethod
    def from_parts(cls, parts: Sequence[PatternPart]) -> LinePattern:
        """Of a parsed pattern, whose captures and literals alternate."""
        return cls(
            tuple(part.text.encode() for part in parts if isinstance(part, Literal)),
            tuple(part.name if part.named else "" for part in parts if isinstance(part, Capture)),
            bool(parts) and isinstance(parts[0], Capture),
            bool(parts) and isinstance(parts[-1], Capture),
        )


def capture_pattern(line: Utf8Column, pattern: LinePattern) -> Extracted:
    """Named captures of the lines [n]; no line fails.

    Where a literal is missing, the capture before it takes the rest of the line, and what follows it is absent.
    """
    joined, offsets = _joined(pattern.literals)
    starts, lengths = _capture(
        (line.buffer, line.start, line.length), joined, offsets, len(pattern.captures), pattern.begins_with_capture
    )
    columns = {
        name: Utf8Column(line.buffer, starts[number], lengths[number])
        for number, name in enumerate(pattern.captures)
        if name
    }
    return Extracted(columns, np.zeros(len(line), np.bool_))


def matches_pattern(line: Utf8Column, pattern: LinePattern) -> NDArray[np.bool_]:
    """Which lines [n] have all literals in order; where no capture stands at an end, the line ends there too."""
    joined, offsets = _joined(pattern.literals)
    return _match(
        (line.buffer, line.start, line.length), joined, offsets, pattern.begins_with_capture, pattern.ends_with_capture
    )


def _joined(literals: Sequence[bytes]) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    offsets = np.cumsum([0, *(len(literal) for literal in literals)])
    return np.frombuffer(b"".join(literals), np.uint8), offsets.astype(np.int64)


@njit(nogil=True, cache=True)
def _capture(
    line: tuple[NDArray[np.uint8], NDArray[np.int64], NDArray[np.int64]],
    literals: NDArray[np.uint8],
    offsets: NDArray[np.int64],
    n_captures: int,
    begins_with_capture: bool,
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Starts and lengths of all captures [n_captures, n_rows]; length ABSENT for none."""
    buffer, line_start, line_length = line
    n_rows, n_literals = len(line_start), len(offsets) - 1
    starts = np.zeros((n_captures, n_rows), np.int64)
    lengths = np.full((n_captures, n_rows), np.int64(ABSENT))
    base, sought = address_of(buffer), address_of(literals)
    for row in range(n_rows):
        at, end = line_start[row], line_start[row] + line_length[row]
        literal = 0
        if at == end:
            continue
        if not begins_with_capture:
            size = offsets[1]
            if find_bytes(base, at, min(at + size, end), sought, size) != at:
                continue
            at += size
            literal = 1
        for capture in range(n_captures):
            found = end
            size = np.int64(0)
            if literal < n_literals:
                size = offsets[literal + 1] - offsets[literal]
                found = find_bytes(base, at, end, sought + offsets[literal], size)
            is_last = literal >= n_literals or found < 0
            stop = end if is_last else found
            starts[capture, row], lengths[capture, row] = at, stop - at
            if is_last:
                break
            at = stop + size
            literal += 1
    return starts, lengths


@njit(nogil=True, cache=True)
def _match(
    line: tuple[NDArray[np.uint8], NDArray[np.int64], NDArray[np.int64]],
    literals: NDArray[np.uint8],
    offsets: NDArray[np.int64],
    begins_with_capture: bool,
    ends_with_capture: bool,
) -> NDArray[np.bool_]:
    buffer, line_start, line_length = line
    found = np.zeros(len(line_start), np.bool_)
    base, sought = address_of(buffer), address_of(literals)
    n_literals = len(offsets) - 1
    for row in range(len(line_start)):
        at, end = line_start[row], line_start[row] + line_length[row]
        is_match = True
        for literal in range(n_literals):
            size = offsets[literal + 1] - offsets[literal]
            if literal == n_literals - 1 and not ends_with_capture:
                # The last literal must be the line's end; where it is the first too, the whole line.
                place = max(end - size, at)
                if literal == 0 and not begins_with_capture:
                    place = at
                is_match = (
                    end - place == size and find_bytes(base, place, end, sought + offsets[literal], size) == place
                )
                break
            limit = min(at + size, end) if literal == 0 and not begins_with_capture else end
            place = find_bytes(base, at, limit, sought + offsets[literal], size)
            if place < 0:
                is_match = False
                break
            at = place + size
        found[row] = is_match
    return found
