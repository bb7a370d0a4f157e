"""Slices of time for reading lines in order: as long as they hold about as many lines as are wanted."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from swarmscope.schema.log_tables import COUNT_GRAIN_NS

# How many lines lie in each bucket of (start, end]: ends of buckets, ascending, and lines.
CountBuckets = Callable[[int, int], tuple[NDArray[np.int64], NDArray[np.int64]]]

_FIRST_WINDOW = 64 * COUNT_GRAIN_NS
_WINDOW_GROWTH = 8
_LINES_GROWTH = 2
_MAX_LINES = 100_000
# A text that is rare makes slices longer; by no more than this from one to the next, as it may be rare here alone.
_RARE_GROWTH = 64


@dataclass(slots=True)
class Appetite:
    """How many stored lines the next slice is to hold; told how many of the last ones came back."""

    batch_lines: int
    returned_share: float = 1.0
    _stored: float = field(init=False)

    def __post_init__(self) -> None:
        # Somewhat more than is wanted: a second slice for the last few costs as much as the first.
        self._stored = 1.5 * self.batch_lines

    @property
    def lines(self) -> int:
        """Stored lines that the next slice is to hold."""
        return int(self._stored)

    def learn(self, stored: int, returned: int) -> None:
        """Of `stored` lines in a slice, `returned` were not left out."""
        self.returned_share = (returned + 1) / (max(stored, returned) + 1)
        self.batch_lines = min(_LINES_GROWTH * self.batch_lines, max(self.batch_lines, _MAX_LINES))
        self._stored = min(self.batch_lines / self.returned_share, _RARE_GROWTH * max(self._stored, 1.0))


@dataclass(frozen=True, slots=True)
class Slice:
    """start_ns <= ts < end_ns, with about so many stored lines."""

    start_ns: int
    end_ns: int
    lines: int


def walk_slices(
    count: CountBuckets, range_ns: tuple[int, int], appetite: Appetite, *, backward: bool
) -> Iterator[Slice]:
    """Slices that cover every line of start <= ts < end, one behind (`backward`: before) the other."""
    start_ns, end_ns = range_ns
    window = _FIRST_WINDOW
    while start_ns < end_ns:
        lowest, highest = _aligned(start_ns - 1, up=False), _aligned(end_ns - 1, up=True)
        if backward:
            lowest = max(lowest, highest - window)
        else:
            highest = min(highest, lowest + window)
        is_last = lowest < start_ns if backward else highest >= end_ns - 1
        buckets, lines = count(lowest, highest)
        if len(buckets) == 0:
            if is_last:
                return
            # Nothing here: no need to look again.
            start_ns, end_ns = (start_ns, lowest + 1) if backward else (highest + 1, end_ns)
        used = False
        while taken := _first_enough(lines[::-1] if backward else lines, appetite.lines) or is_last * len(buckets):
            used = True
            mine = slice(len(buckets) - taken, None) if backward else slice(0, taken)
            begin = max(start_ns, int(buckets[mine][0]) - COUNT_GRAIN_NS + 1)
            end = min(end_ns, int(buckets[mine][-1]) + 1)
            yield from _parts(begin, end, int(lines[mine].sum()), appetite, backward=backward)
            start_ns, end_ns = (start_ns, begin) if backward else (end, end_ns)
            rest = slice(0, len(buckets) - taken) if backward else slice(taken, None)
            buckets, lines = buckets[rest], lines[rest]
        if used and is_last:
            return
        if not used:
            window *= _WINDOW_GROWTH


def _aligned(ts_ns: int, *, up: bool) -> int:
    return (-(-ts_ns // COUNT_GRAIN_NS) if up else ts_ns // COUNT_GRAIN_NS) * COUNT_GRAIN_NS


def _first_enough(lines: NDArray[np.int64], wanted: int) -> int:
    """How many buckets, in walking order, make a slice; 0 where all are too few."""
    total = np.cumsum(lines)
    taken = int(np.searchsorted(total, wanted)) + 1
    if taken > len(lines):
        return 0
    # A bucket that is much too large is a slice of its own, to be cut up.
    return taken - 1 if taken > 1 and total[taken - 1] > 4 * wanted else taken


def _parts(begin: int, end: int, lines: int, appetite: Appetite, *, backward: bool) -> Iterator[Slice]:
    """A range cut up evenly where it holds much more than wanted, as often as the appetite still asks for it."""
    while begin < end:
        n = min(max(1, lines // max(appetite.lines, 1)), end - begin)
        share, width = -(-lines // n), -(-(end - begin) // n)
        if backward:
            yield Slice(end - width, end, share)
            end -= width
        else:
            yield Slice(begin, begin + width, share)
            begin += width
        lines -= share
