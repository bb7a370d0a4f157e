"""Blocks of a file as lines: found by compiled code, no Python object per line."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple, Protocol

import numpy as np
from numba import njit
from numpy.typing import NDArray

from swarmscope.model.labels import Utf8Column

# Large enough for few requests, small enough that some may be in flight and that a line a second is not kept waiting.
BLOCK_BYTES = 4 << 20
# A line without an end is sent in pieces of this size.
MAX_LINE_BYTES = 16 << 20
_NEWLINE, _RETURN, _SPACE, _TAB = 10, 13, 32, 9
_TRACEBACK = np.frombuffer(b"Traceback (most recent call last)", np.uint8).copy()
_CAUSED = np.frombuffer(b"Caused by: ", np.uint8).copy()


class Readable(Protocol):
    """Gives bytes, and none at its end."""

    def read(self, size: int, /) -> bytes:
        """`size` bytes at the most."""


class LineBlock(NamedTuple):
    """Lines of a block, empty ones left out; `end_offset` is where the next block begins in the file."""

    line: Utf8Column
    end_offset: int


@njit(nogil=True, cache=True)
def _begins_with(buffer: NDArray[np.uint8], start: int, end: int, text: NDArray[np.uint8]) -> bool:
    if end - start < len(text):
        return False
    for k in range(len(text)):  # noqa: SIM110 - compiled code has no generators
        if buffer[start + k] != text[k]:
            return False
    return True


@njit(nogil=True, cache=True)
def _find_lines(
    buffer: NDArray[np.uint8], size: int, joins: bool
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64], int]:
    """Starts, ends and the starts of what follows in a buffer of whole lines; how many there are."""
    count = 1
    for k in range(size):
        if buffer[k] == _NEWLINE:
            count += 1
    starts, ends, nexts = np.empty(count, np.int64), np.empty(count, np.int64), np.empty(count, np.int64)
    n, start = 0, 0
    in_traceback = False
    while start < size:
        end = start
        while end < size and buffer[end] != _NEWLINE:
            end += 1
        following = min(end + 1, size)
        if end > start and buffer[end - 1] == _RETURN:
            end -= 1
        if end > start:
            is_indented = buffer[start] == _SPACE or buffer[start] == _TAB
            is_trace = _begins_with(buffer, start, end, _TRACEBACK)
            # The line behind the frames of a traceback names the error.
            is_part = is_indented or is_trace or in_traceback or _begins_with(buffer, start, end, _CAUSED)
            if is_trace:
                in_traceback = True
            elif not is_indented:
                in_traceback = False
            if joins and is_part and n > 0:
                ends[n - 1], nexts[n - 1] = end, following
            else:
                starts[n], ends[n], nexts[n] = start, end, following
                n += 1
        start = following
    return starts, ends, nexts, n


def block_of(data: bytes, end_offset: int, *, joins: bool) -> LineBlock:
    """The lines of whole data."""
    buffer = np.frombuffer(data, np.uint8).copy()
    starts, ends, _, n = _find_lines(buffer, len(buffer), joins)
    return LineBlock(Utf8Column(buffer, starts[:n].copy(), (ends[:n] - starts[:n]).copy()), end_offset)


def read_blocks(
    source: Readable, offset: int, *, joins: bool, is_last: bool = True, holds_back: bool = False
) -> Iterator[LineBlock]:
    """Lines from where `source` stands, which is `offset`, to its end.

    With `is_last` what stands behind the last line end is a line too. `joins`: continuations belong to the line before;
    with `holds_back` the last line of all is left for another time, when its continuations may have come.
    """
    rest = b""
    while True:
        more = source.read(BLOCK_BYTES)
        is_end = not more
        data = rest + more if rest else more
        if not data:
            return
        cut = len(data) if (is_end and is_last) or len(data) > MAX_LINE_BYTES else data.rfind(b"\n") + 1
        if cut:
            buffer = np.frombuffer(data, np.uint8).copy()
            starts, ends, nexts, n = _find_lines(buffer, cut, joins)
            may_go_on = holds_back if is_end else n > 1
            if joins and may_go_on and n > 0 and len(data) <= MAX_LINE_BYTES:
                n -= 1
                cut = int(nexts[n - 1]) if n > 0 else 0
        if cut:
            offset += cut
            column = Utf8Column(buffer, starts[:n].copy(), (ends[:n] - starts[:n]).copy())
            yield LineBlock(column, offset)
        rest = data[cut:]
        if is_end:
            return
