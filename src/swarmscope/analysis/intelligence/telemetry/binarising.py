"""When a unit is on: from what it did in a bin to a state of one bit, without looking ahead."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from swarmscope.analysis.intelligence.telemetry.activity import Activity, Floats

BUSY_SHARE = 0.1
"""Of a bin: a unit with spans open for this part of it is on."""
DUTY = (0.05, 0.95)
"""In which part of bins a unit may be on for being busy to tell anything."""
MEDIAN_WINDOW_NS = 3600 * 10**9
_MIN_CHANGES = 5  # a unit that is in its rarer state in fewer bins is constant: nothing can be fitted to it


class States(NamedTuple):
    """Binary states of the units that vary."""

    names: tuple[str, ...]
    on: NDArray[np.bool_]
    """[n_bins, n_units]"""
    dropped: tuple[str, ...]
    """Units that (nearly) never changed: they would make every model reducible, and Φ 0."""
    by_events: tuple[str, ...]
    """Units that are busy too rarely or too often, whose counts above their running median are taken instead."""


def to_states(activity: Activity) -> States:
    """Return when each unit was on: busy in 10 % of the bin, or else more events than the median of its last hour."""
    busy = activity.busy >= BUSY_SHARE
    duty = busy.mean(axis=0) if activity.n_bins else np.zeros(activity.n_units)
    is_telling = (duty >= DUTY[0]) & (duty <= DUTY[1])
    on = busy.copy()
    window = int(np.clip(MEDIAN_WINDOW_NS // activity.bin_ns, 1, max(activity.n_bins, 1)))
    for unit in np.flatnonzero(~is_telling):
        counts = np.ascontiguousarray(activity.events[:, unit])
        on[:, unit] = counts > _running_median(counts, window)
    n_on = on.sum(axis=0)
    varies = np.minimum(n_on, activity.n_bins - n_on) >= _MIN_CHANGES
    named = np.array(activity.names, object)
    return States(
        names=tuple(named[varies]),
        on=np.ascontiguousarray(on[:, varies]),
        dropped=tuple(named[~varies]),
        by_events=tuple(named[varies & ~is_telling]),
    )


@njit(nogil=True, cache=True)
def _running_median(counts: Floats, window: int) -> Floats:
    """Return the median of the (at most) `window` values before each; of none it is the value itself."""
    medians = np.empty(len(counts))
    held = np.empty(window + 1)  # sorted
    n_held = 0
    for at in range(len(counts)):
        if n_held == 0:
            medians[at] = counts[at]
        elif n_held % 2:
            medians[at] = held[n_held // 2]
        else:
            medians[at] = (held[n_held // 2 - 1] + held[n_held // 2]) / 2.0
        if at >= window:
            gone = _place(held, n_held, counts[at - window])
            for later in range(gone, n_held - 1):
                held[later] = held[later + 1]
            n_held -= 1
        place = _place(held, n_held, counts[at])
        for later in range(n_held, place, -1):
            held[later] = held[later - 1]
        held[place] = counts[at]
        n_held += 1
    return medians


@njit(nogil=True, cache=True)
def _place(held: Floats, n_held: int, value: float) -> int:
    """Return the first of the sorted values that is not below `value`."""
    low, high = 0, n_held
    while low < high:
        middle = (low + high) // 2
        if held[middle] < value:
            low = middle + 1
        else:
            high = middle
    return low
