"""Limits and defaults of trace queries."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class TraceqlSettings:
    """On the class itself they are the defaults."""

    batch_spans: int = 20_000  # that the newest slice of a search holds, about
    first_traces: int = 32  # that are fetched whole at first; four times as many each time that was not enough
    most_traces: int = 2_000  # that are fetched whole at once
    # Metrics of more traces than this read all spans of the range instead, and of this much before and behind it.
    many_traces: int = 10_000
    trace_margin_ns: int = 600 * 10**9
    max_points: int = 11_000  # of one series: as metrics of this program have it
    max_series: int = 10_000
    max_cells: int = 20_000_000  # points of all series of one query
    max_compared_values: int = 10_000  # of one attribute in compare()
    max_exemplars: int = 100
    max_tag_values: int = 10_000
