"""When down-sampled buckets give the same answer as samples, and sooner.

Each rule either lets a lookup pass ("") or says why samples are read; the rules are asked in order.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from swarmscope.model.series import Selection
from swarmscope.query.promql.lookups import INSTANT, Lookup
from swarmscope.query.settings import RollupUse

# Functions whose value on a range made of whole buckets follows from the buckets.
EXACT_FUNCTIONS = frozenset(
    {
        INSTANT, "absent_over_time", "avg_over_time", "count_over_time", "delta", "first_over_time", "increase",
        "last_over_time", "max_over_time", "min_over_time", "present_over_time", "rate", "sum_over_time",
        "ts_of_first_over_time", "ts_of_last_over_time",
    }
)  # fmt: skip

# Samples that make a detour over buckets worth its fixed cost (some 10 ms); at one sample each 15 s.
MIN_SPAN_MS = 6 * 3_600_000
MIN_SAMPLES = 800_000
_USUAL_INTERVAL_MS = 15_000


@dataclass(frozen=True, slots=True)
class Candidate:
    """A lookup, the buckets that it might be answered from, and what else is known."""

    lookup: Lookup
    resolution_ms: int
    use: RollupUse
    samples_ms: tuple[int, int] | None  # the range that the query reads samples of the same selector in, whatever
    selection: Callable[[], Selection]  # the selector's series; asked for late, as it costs something


Rule = Callable[[Candidate], str]


def _is_wanted(candidate: Candidate) -> str:
    return "rollups are switched off" if candidate.use is RollupUse.NEVER else ""


def _function_is_exact(candidate: Candidate) -> str:
    function = candidate.lookup.function
    return "" if function in EXACT_FUNCTIONS else f"{function} needs every sample"


def _windows_are_whole_buckets(candidate: Candidate) -> str:
    lookup, width = candidate.lookup, candidate.resolution_ms
    if lookup.window_ms < width or lookup.last_end_ms < lookup.first_end_ms:
        return "windows are shorter than a bucket"
    parts = (lookup.window_ms, lookup.first_end_ms, lookup.step_ms)
    return "" if all(part % width == 0 for part in parts) else "windows are not made of whole buckets"


def _samples_are_not_read_anyway(candidate: Candidate) -> str:
    start, end = candidate.lookup.range_ms
    read = candidate.samples_ms
    return "samples are read anyway" if read is not None and read[0] <= start + 1 and end <= read[1] else ""


def _span_is_long(candidate: Candidate) -> str:
    start, end = candidate.lookup.range_ms
    short = candidate.use is RollupUse.AUTO and end - start < MIN_SPAN_MS
    return "the time range is short" if short else ""


def _holds_floats_alone(candidate: Candidate) -> str:
    return "there may be native histograms" if candidate.selection().has_histograms else ""


def _samples_are_many(candidate: Candidate) -> str:
    start, end = candidate.lookup.range_ms
    samples = len(candidate.selection().refs) * (end - start) // _USUAL_INTERVAL_MS
    few = candidate.use is RollupUse.AUTO and samples < MIN_SAMPLES
    return "samples are few" if few else ""


RULES: tuple[Rule, ...] = (
    _is_wanted,
    _function_is_exact,
    _windows_are_whole_buckets,
    _samples_are_not_read_anyway,
    _span_is_long,
    _holds_floats_alone,
    _samples_are_many,
)


def reason_for_samples(candidate: Candidate, rules: Sequence[Rule] = RULES) -> str:
    """Why a lookup reads samples and not these buckets; "" where buckets will do."""
    for rule in rules:
        reason = rule(candidate)
        if reason:
            return reason
    return ""
