"""How wide bins are: a hand-off from one unit to another should cross the edge of exactly one.

Wider bins hold cause and effect together, and what is left is coupling within a bin that a model of transitions cannot
hold; in narrower ones an effect comes several bins after its cause. So the width is the median latency of hand-offs, or
where too few are seen the median interval between events of the unit of middle rate. It is then halved or doubled, as
little as possible, until as many units as can be are active in 5 to 95 % of bins; with hand-offs it stays between half
their median latency and its third quartile.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from swarmscope.analysis.intelligence.errors import ModelError
from swarmscope.analysis.intelligence.telemetry.activity import Activity, Integers, SpanColumns, activity_of_spans
from swarmscope.analysis.intelligence.telemetry.binarising import BUSY_SHARE, DUTY

MIN_HAND_OFFS = 20
"""Fewer tell no latency to rely on."""
_MAX_DOUBLINGS = 6
_MAX_BINS = 100_000  # of a window, while widths are tried
_MIN_NS = 1000  # clocks of different machines agree no better


class BinWidth(NamedTuple):
    """A width and where it comes from."""

    bin_ns: int
    rule: str
    """`hand_offs`, `intervals`, or `window` where nothing was seen; `declared` where it was given."""
    n_hand_offs: int = 0
    hand_off_ns: int = 0
    """Their median latency, 0 without any."""


class Activities(NamedTuple):
    """What units did, at the chosen width, half and twice it; a Φ is published with its spread over the three."""

    chosen: Activity
    halved: Activity
    doubled: Activity
    width: BinWidth


def hand_off_latencies_ns(spans: SpanColumns) -> Integers:
    """Return how long after the causing span's start each span of another unit began, where it began later."""
    rows = np.flatnonzero((spans.unit >= 0) & (spans.parent >= 0))
    causes = spans.parent[rows]
    rows, causes = (
        side[(spans.unit[causes] >= 0) & (spans.unit[causes] != spans.unit[rows])] for side in (rows, causes)
    )
    latencies_ns = spans.start_ns[rows] - spans.start_ns[causes]
    return np.asarray(latencies_ns[latencies_ns > 0], np.int64)


def choose_bin_width(spans: SpanColumns, n_units: int, start_ns: int, end_ns: int) -> BinWidth:
    """Return the width for a window of spans. Raises ModelError where the window is empty."""
    if end_ns <= start_ns:
        raise ModelError(f"a window from {start_ns} to {end_ns} ns")
    latencies_ns = hand_off_latencies_ns(spans)
    lowest_ns = max(_MIN_NS, (end_ns - start_ns) // _MAX_BINS)
    median_ns = int(np.median(latencies_ns)) if len(latencies_ns) else 0
    if len(latencies_ns) >= MIN_HAND_OFFS:
        start, rule = median_ns, "hand_offs"
        bounds_ns = (max(median_ns // 2, lowest_ns), max(int(np.quantile(latencies_ns, 0.75)), lowest_ns))
    else:
        start, rule = _median_interval_ns(spans, n_units), "intervals"
        bounds_ns = (lowest_ns, end_ns - start_ns)
    if start == 0:
        return BinWidth(max((end_ns - start_ns) // 1000, _MIN_NS), "window", len(latencies_ns), median_ns)
    tried = [int(np.clip(start * 2.0**k, *bounds_ns)) for k in range(-_MAX_DOUBLINGS, _MAX_DOUBLINGS + 1)]
    tried = sorted(dict.fromkeys(tried), key=lambda width_ns: abs(np.log2(width_ns / start)))
    best_ns, best = tried[0], -1
    for width_ns in tried:
        telling = _n_telling(spans, n_units, (start_ns, end_ns), width_ns)
        if telling > best:
            best_ns, best = width_ns, telling
    return BinWidth(best_ns, rule, len(latencies_ns), median_ns)


def activities_of_spans(
    spans: SpanColumns, names: tuple[str, ...], start_ns: int, end_ns: int, bin_ns: int = 0
) -> Activities:
    """Return what `names` did at the rule's width (or a declared `bin_ns`), at half and at twice the width.

    Raises ModelError as `choose_bin_width` and `activity_of_spans` do.
    """
    width = BinWidth(bin_ns, "declared") if bin_ns else choose_bin_width(spans, len(names), start_ns, end_ns)
    half_ns = max(width.bin_ns // 2, 1)
    return Activities(
        activity_of_spans(spans, names, start_ns, end_ns, width.bin_ns),
        activity_of_spans(spans, names, start_ns, end_ns, half_ns),
        activity_of_spans(spans, names, start_ns, end_ns, 2 * width.bin_ns),
        width,
    )


def _median_interval_ns(spans: SpanColumns, n_units: int) -> int:
    """Return the median interval between starts of the unit of middle rate, of units with two starts or more."""
    counts = np.bincount(spans.unit[spans.unit >= 0], minlength=n_units)
    active = [unit for unit in np.argsort(counts, kind="stable") if counts[unit] >= 2]
    if not active:
        return 0
    starts_ns = np.sort(spans.start_ns[spans.unit == active[len(active) // 2]])
    intervals_ns = np.diff(starts_ns)
    intervals_ns = intervals_ns[intervals_ns > 0]
    return int(np.median(intervals_ns)) if len(intervals_ns) else 0


def _n_telling(spans: SpanColumns, n_units: int, window_ns: tuple[int, int], bin_ns: int) -> int:
    """Return how many units are active in 5 to 95 % of bins."""
    names = tuple(str(unit) for unit in range(n_units))
    activity = activity_of_spans(spans, names, *window_ns, bin_ns)
    if activity.n_bins == 0:
        return 0
    duty = (activity.busy >= BUSY_SHARE).mean(axis=0)
    return int(((duty >= DUTY[0]) & (duty <= DUTY[1])).sum())
