"""Widths of bins from latencies and intervals that are known."""

from __future__ import annotations

import numpy as np
import pytest

from swarmscope.analysis.intelligence.errors import ModelError
from swarmscope.analysis.intelligence.telemetry.activity import SpanColumns
from swarmscope.analysis.intelligence.telemetry.bin_width import (
    activities_of_spans,
    choose_bin_width,
    hand_off_latencies_ns,
)

MS = 10**6


def _hand_offs(latencies_ms, busy_ms=40, every_ms=400):
    """A works and hands on to B, once every `every_ms`; in milliseconds."""
    n = len(latencies_ms)
    starts = np.arange(n) * every_ms * MS
    begun = starts + np.array(latencies_ms) * MS
    columns = (np.repeat([0, 1], n), np.concatenate([starts, begun]), np.concatenate([starts, begun]) + busy_ms * MS)
    parent = np.concatenate([np.full(n, -1), np.arange(n)])
    return SpanColumns(columns[0].astype(np.int32), columns[1], columns[2], parent.astype(np.int32))


def test_latencies_are_of_units_that_reach_others():
    spans = SpanColumns(
        unit=np.array([0, 1, 1, 0, -1, 0], np.int32),
        start_ns=np.array([100, 130, 140, 135, 150, 160]),
        end_ns=np.full(6, 200),
        # nobody's; of A; its own; of B, and after it began; of A, though nobody's; of nobody
        parent=np.array([-1, 0, 1, 2, 0, 4], np.int32),
    )
    assert hand_off_latencies_ns(spans).tolist() == [30]


def test_the_width_is_the_median_latency():
    latencies = [80, 90, 100, 110, 150] * 8
    width = choose_bin_width(_hand_offs(latencies), 2, 0, 16_000 * MS)
    assert (width.bin_ns, width.rule, width.n_hand_offs) == (100 * MS, "hand_offs", 40)


def test_with_hand_offs_the_width_stays_near_their_latency():
    # Both are busy 2 % of the time: wider bins would find them busy more often, and hold hand-offs inside.
    width = choose_bin_width(_hand_offs([100] * 40, busy_ms=80, every_ms=4000), 2, 0, 160_000 * MS)
    assert width.bin_ns == 100 * MS
    # A third quartile far above the median lets it grow, to where both are telling: 4 × 50 ms.
    width = choose_bin_width(_hand_offs([50, 50, 50, 900] * 10, busy_ms=80, every_ms=4000), 2, 0, 160_000 * MS)
    assert width.bin_ns == 200 * MS


def test_without_hand_offs_it_is_the_interval_of_the_middle_unit():
    starts = [np.arange(0, 100_000, every) * MS for every in (100, 250, 1000)]
    unit = np.repeat([0, 1, 2], [len(of) for of in starts]).astype(np.int32)
    begun = np.concatenate(starts)
    spans = SpanColumns(unit, begun, begun + 60 * MS, np.full(len(unit), -1, np.int32))
    # A rests 40 of every 100 ms, so that at 250, 125 and 62.5 ms it is on in every bin; at half of that all three vary.
    width = choose_bin_width(spans, 3, 0, 100_000 * MS)
    assert (width.rule, width.bin_ns) == ("intervals", 31_250_000)


def test_nothing_seen_has_a_width_of_the_window():
    nothing = SpanColumns(*(np.zeros(0, kind) for kind in (np.int32, np.int64, np.int64, np.int32)))
    assert choose_bin_width(nothing, 3, 0, 10**12)[:2] == (10**9, "window")
    with pytest.raises(ModelError, match="a window from 5 to 5 ns"):
        choose_bin_width(nothing, 3, 5, 5)


def test_activities_come_at_half_and_twice_the_width():
    spans = _hand_offs([100] * 40)
    at = activities_of_spans(spans, ("A", "B"), 0, 16_000 * MS)
    assert [of.bin_ns // MS for of in (at.halved, at.chosen, at.doubled)] == [50, 100, 200]
    assert [of.n_bins for of in (at.halved, at.chosen, at.doubled)] == [320, 160, 80]
    assert activities_of_spans(spans, ("A", "B"), 0, 16_000 * MS, 70 * MS).width[:2] == (70 * MS, "declared")
