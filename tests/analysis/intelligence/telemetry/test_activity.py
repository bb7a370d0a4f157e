"""Bins of spans, by hand."""

from __future__ import annotations

import numpy as np
import pytest

from swarmscope.analysis.intelligence.errors import ModelError
from swarmscope.analysis.intelligence.telemetry.activity import (
    Activity,
    SpanColumns,
    activity_of_spans,
    activity_of_states,
)


def _spans(*rows):
    columns = np.array(rows, np.int64).reshape(-1, 3)
    parent = np.full(len(columns), -1, np.int32)
    return SpanColumns(columns[:, 0].astype(np.int32), columns[:, 1], columns[:, 2], parent)


def test_time_that_spans_share_counts_once():
    # A: 5..25 with 10..15 inside, and 22..32 over its end; B: 0..10. Bins of 10 from 0 to 40.
    spans = _spans((1, 0, 10), (0, 22, 32), (0, 5, 25), (0, 10, 15))
    activity = activity_of_spans(spans, ("A", "B"), 0, 40, 10)
    np.testing.assert_allclose(activity.busy.T, [[0.5, 1.0, 1.0, 0.2], [1.0, 0, 0, 0]])
    assert activity.events.T.tolist() == [[1, 1, 1, 0], [1, 0, 0, 0]]


def test_spans_over_the_ends_of_the_window_count_inside_it():
    spans = _spans((0, -50, 105), (0, 128, 500), (-1, 100, 130), (0, 500, 600), (0, 118, 112))
    activity = activity_of_spans(spans, ("A",), 100, 139, 10)  # the last 9 are no whole bin
    assert activity.n_bins == 3
    assert activity.busy[:, 0] == pytest.approx([0.5, 0.0, 0.2])
    assert activity.events[:, 0].tolist() == [0, 1, 1]
    assert activity.start_ns == 100


def test_busy_time_is_the_length_of_the_union():
    rng = np.random.default_rng(7)
    starts = rng.integers(0, 900, 60)
    rows = [
        (int(unit), int(start), int(start + length))
        for unit, start, length in zip(rng.integers(0, 3, 60), starts, rng.integers(0, 100, 60), strict=True)
    ]
    activity = activity_of_spans(_spans(*rows), ("A", "B", "C"), 0, 1000, 8)
    for unit in range(3):
        instants = {at for of, start, end in rows if of == unit for at in range(start, min(end, 1000))}
        assert activity.busy[:, unit].sum() * 8 == pytest.approx(len(instants))


def test_no_spans_are_no_activity():
    activity = activity_of_spans(_spans(), ("A",), 0, 30, 10)
    assert activity.busy.tolist() == [[0], [0], [0]]


def test_wider_bins_are_means_and_sums_of_the_newest():
    states = np.array([[1, 0], [1, 0], [0, 0], [0, 1], [1, 1]])
    wider = activity_of_states(states, ("A", "B"), 10).merged()
    assert wider.busy.tolist() == [[0.5, 0.0], [0.5, 1.0]]
    assert wider.events.tolist() == [[1, 0], [1, 2]]
    assert (wider.bin_ns, wider.start_ns) == (20, 10)


def test_what_is_wrong_is_named():
    with pytest.raises(ModelError, match="span 1 is of unit 2, and 1 have names"):
        activity_of_spans(_spans((0, 0, 1), (2, 0, 1)), ("A",), 0, 10, 1)
    with pytest.raises(ModelError, match="busy of unit 'B' in bin 1 is nan"):
        activity_of_states(np.array([[0, 1], [0, np.nan]]))
    with pytest.raises(ModelError, match="1 dimensions"):
        activity_of_states(np.zeros(3))
    with pytest.raises(ModelError, match="not numbers"):
        activity_of_states(np.array([["on", "off"]]))
    with pytest.raises(ModelError, match=r"events has shape \(2, 1\)"):
        Activity(("A",), np.zeros((3, 1)), np.zeros((2, 1)), 10)
