"""Limits and defaults of trace queries."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class TraceqlSettings:
    """On the class itself they are the defaults."""

    batch_spans: int = 20_000  # that the newest slice of a search holds, about
    first_traces: int = 32  # that are fetched whole at first; four times as many each time that was not enough
    most_traces: int = 2_000  # that are fetched whole at once
    max_points: int = 11_000  # of one series: as metrics of this program have it
    max_series: int = 10_000
    max_exemplars: int = 100
    max_tag_values: int = 10_000
