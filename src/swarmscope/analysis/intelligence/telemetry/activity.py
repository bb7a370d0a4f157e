"""What each unit of a fleet did in each bin of time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from swarmscope.analysis.intelligence.errors import ModelError

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


class SpanColumns(NamedTuple):
    """Spans of a window, one row each, in any order; all arrays [n_spans]."""

    unit: NDArray[np.int32]
    """Whose the span is: a position in the names of units; -1 for nobody's."""
    start_ns: Integers
    end_ns: Integers
    parent: NDArray[np.int32]
    """The row of the span that caused it (its parent, or what it links to), or -1."""


@dataclass(frozen=True)
class Activity:
    """Bins of time in rows, units in columns."""

    names: tuple[str, ...]
    busy: Floats
    """[n_bins, n_units]: which part of the bin the unit had a span open in, 0 to 1."""
    events: Floats
    """[n_bins, n_units]: how many spans of the unit began in the bin (or any other count or level)."""
    bin_ns: int
    start_ns: int = 0

    def __post_init__(self) -> None:
        shape = (self.n_bins, self.n_units)
        for name, values in (("busy", self.busy), ("events", self.events)):
            if values.shape != shape or values.ndim != 2:
                raise ModelError(f"{name} has shape {values.shape}, where bins and {len(self.names)} names are {shape}")
            wrong = np.argwhere(~np.isfinite(values))
            if len(wrong):
                row, unit = wrong[0]
                raise ModelError(f"{name} of unit {self.names[unit]!r} in bin {row} is {values[row, unit]}")
        if self.bin_ns <= 0:
            raise ModelError(f"bins of {self.bin_ns} ns")

    @property
    def n_bins(self) -> int:
        """How many bins there are."""
        return len(self.busy)

    @property
    def n_units(self) -> int:
        """How many units there are."""
        return len(self.names)

    def of_units(self, units: Sequence[int]) -> Activity:
        """Return the activity of some units, in the order given."""
        columns = list(units)
        names = tuple(self.names[unit] for unit in columns)
        return Activity(names, self.busy[:, columns], self.events[:, columns], self.bin_ns, self.start_ns)

    def last_bins(self, n_bins: int) -> Activity:
        """Return the newest `n_bins` bins, or all if there are fewer."""
        first = max(self.n_bins - n_bins, 0)
        start_ns = self.start_ns + first * self.bin_ns
        return Activity(self.names, self.busy[first:], self.events[first:], self.bin_ns, start_ns)

    def merged(self, n_bins: int = 2) -> Activity:
        """Return the activity in bins `n_bins` times as wide; bins that fill no wider one are left out at the front."""
        skipped = self.n_bins % n_bins
        wide = (self.n_bins // n_bins, n_bins, self.n_units)
        busy = self.busy[skipped:].reshape(wide).mean(axis=1)
        events = self.events[skipped:].reshape(wide).sum(axis=1)
        return Activity(self.names, busy, events, self.bin_ns * n_bins, self.start_ns + skipped * self.bin_ns)


def activity_of_spans(spans: SpanColumns, names: Sequence[str], start_ns: int, end_ns: int, bin_ns: int) -> Activity:
    """Return what `names` did from `start_ns` on, in whole bins up to `end_ns`.

    Spans of one unit that overlap count once, so `busy` never exceeds 1. Spans that end before they start have no
    length. Raises ModelError where a span is of a unit that has no name.
    """
    if bin_ns <= 0:
        raise ModelError(f"bins of {bin_ns} ns")
    n_bins = max((end_ns - start_ns) // bin_ns, 0)
    busy = np.zeros((n_bins, len(names)))
    events = np.zeros((n_bins, len(names)))
    unit = np.ascontiguousarray(spans.unit, np.int32)
    if len(unit) and unit.max() >= len(names):
        row = int(unit.argmax())
        raise ModelError(f"span {row} is of unit {unit[row]}, and {len(names)} have names")
    starts_ns = np.ascontiguousarray(spans.start_ns, np.int64)
    ends_ns = np.ascontiguousarray(spans.end_ns, np.int64)
    order = np.lexsort((starts_ns, unit))
    _fill_bins(unit[order], starts_ns[order] - start_ns, ends_ns[order] - start_ns, bin_ns, busy, events)
    return Activity(tuple(names), busy, events, bin_ns, start_ns)


def activity_of_states(states: NDArray[np.generic], names: Sequence[str] = (), bin_ns: int = 1) -> Activity:
    """Return the activity of units whose states (on or off, or levels) were seen as such.

    `states` is [n_bins, n_units]; units without names are called A, B, C …. Raises ModelError for other shapes and for
    states that are not numbers.
    """
    try:
        levels = np.array(states, np.float64)
    except (TypeError, ValueError) as error:
        raise ModelError(f"states are not numbers: {error}") from error
    if levels.ndim != 2:
        raise ModelError(f"states have {levels.ndim} dimensions instead of bins and units")
    named = tuple(names) or tuple(_letter(unit) for unit in range(levels.shape[1]))
    return Activity(named, np.clip(levels, 0.0, 1.0), levels, bin_ns)


def _letter(unit: int) -> str:
    return chr(ord("A") + unit) if unit < 26 else f"unit {unit}"


@njit(nogil=True, cache=True)
def _fill_bins(
    unit: NDArray[np.int32], starts_ns: Integers, ends_ns: Integers, bin_ns: int, busy: Floats, events: Floats
) -> None:
    """Add the spans, in order of unit and start, to bins that begin at 0: each instant of a unit once."""
    end_of_bins_ns = len(busy) * bin_ns
    covered_ns = np.int64(0)  # up to where the unit's time is counted
    for row in range(len(unit)):
        of = unit[row]
        if of < 0:
            continue
        if row == 0 or unit[row - 1] != of:
            covered_ns = np.int64(0)
        if 0 <= starts_ns[row] < end_of_bins_ns:
            events[starts_ns[row] // bin_ns, of] += 1.0
        first_ns = max(starts_ns[row], covered_ns)
        last_ns = min(ends_ns[row], end_of_bins_ns)
        while first_ns < last_ns:
            at = first_ns // bin_ns
            until_ns = min(last_ns, (at + 1) * bin_ns)
            busy[at, of] += (until_ns - first_ns) / bin_ns
            first_ns = until_ns
        covered_ns = max(covered_ns, last_ns)
