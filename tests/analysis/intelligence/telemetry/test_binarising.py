"""When units are on."""

from __future__ import annotations

import numpy as np
import pytest

from swarmscope.analysis.intelligence.telemetry.activity import Activity
from swarmscope.analysis.intelligence.telemetry.binarising import to_states


def _activity(busy, events, bin_ns=10**9):
    names = tuple("ABCDEF"[: np.shape(busy)[1]])
    return Activity(names, np.array(busy, float), np.array(events, float), bin_ns)


def test_a_unit_is_on_when_busy_in_a_tenth_of_the_bin():
    busy = np.tile([[0.1], [0.099], [0.5], [0.0]], (5, 1))
    states = to_states(_activity(busy, np.zeros((20, 1))))
    assert states.on[:4, 0].tolist() == [True, False, True, False]
    assert states.by_events == ()


def test_a_unit_that_is_always_busy_is_on_when_it_does_more_than_before():
    events = np.array([3, 5, 2, 4, 4, 9, 1, 4, 5, 5, 2, 6, 1])
    states = to_states(_activity(np.ones((13, 1)), events[:, None]))
    medians = [3] + [np.median(events[:at]) for at in range(1, 13)]
    assert states.on[:, 0].tolist() == [bool(count > median) for count, median in zip(events, medians, strict=True)]
    assert states.by_events == ("A",)


def test_the_median_is_of_the_last_hour_alone():
    minute_ns = 60 * 10**9
    events = np.random.default_rng(0).integers(0, 30, 400)
    states = to_states(_activity(np.ones((400, 1)), events[:, None], minute_ns))
    medians = [events[0]] + [np.median(events[max(0, at - 60) : at]) for at in range(1, 400)]
    assert np.array_equal(states.on[:, 0], events > np.array(medians))


def test_units_that_do_not_vary_are_dropped_by_name():
    busy = np.zeros((100, 4))
    busy[::2, 1] = 1.0
    busy[:4, 2] = 1.0  # too few changes to learn from
    busy[:, 3] = 1.0
    states = to_states(_activity(busy, np.zeros((100, 4))))
    assert states.names == ("B",)
    assert states.dropped == ("A", "C", "D")
    assert states.on.shape == (100, 1)


@pytest.mark.parametrize("n_bins", [0, 1])
def test_no_bins_have_no_states(n_bins):
    states = to_states(_activity(np.zeros((n_bins, 2)), np.zeros((n_bins, 2))))
    assert states.on.shape == (n_bins, 0)
