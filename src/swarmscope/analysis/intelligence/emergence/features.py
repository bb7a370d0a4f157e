"""Macro features: what all units together do in a bin, of which emergence is asked. Declared by name or function."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from swarmscope.analysis.intelligence.errors import ModelError

Counts = NDArray[np.int64]
Feature = Callable[[Counts, Counts], Counts]
"""(states [T, n], events [T, n]) → [T] or [T, k] whole numbers; what it makes of a bin may depend on all bins."""

DEFAULT_FEATURE = "throughput_and_active"
N_LEVELS = 3  # of throughput: terciles


def active_units(states: Counts, events: Counts) -> Counts:
    """How many units are on."""
    return np.asarray((states > 0).sum(axis=1))


def parity(states: Counts, events: Counts) -> Counts:
    """Whether an odd number of units is on."""
    return active_units(states, events) % 2


def majority(states: Counts, events: Counts) -> Counts:
    """Whether more than half of the units are on."""
    return np.asarray(2 * active_units(states, events) > states.shape[1], np.int64)


def throughput(states: Counts, events: Counts) -> Counts:
    """The tercile that the number of events lies in, of all bins of the window."""
    total = events.sum(axis=1)
    edges = np.quantile(total, np.arange(1, N_LEVELS) / N_LEVELS)
    return np.asarray(np.searchsorted(edges, total, side="left"), np.int64)


def throughput_and_active(states: Counts, events: Counts) -> Counts:
    """Both: [T, 2]."""
    return np.stack([throughput(states, events), active_units(states, events)], axis=1)


FEATURES: Mapping[str, Feature] = MappingProxyType(
    {each.__name__: each for each in (throughput_and_active, throughput, active_units, majority, parity)}
)


def find_feature(name: str) -> Feature:
    """Return the feature of that name. Raises ModelError, which tells the names, for others."""
    if name not in FEATURES:
        raise ModelError(f"feature: {name!r} is none of {', '.join(FEATURES)}")
    return FEATURES[name]
