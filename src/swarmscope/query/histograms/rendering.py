"""Histograms as people and the HTTP API see them: explicit buckets with their bounds, no schema and no spans.

JSON form: "Instant and range queries" of Prometheus' native histogram specification and its HTTP API manual.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from swarmscope.lang.promql.go_numbers import json_number, text_number
from swarmscope.model.metrics import CUSTOM_BUCKETS_SCHEMA
from swarmscope.query.histograms.bounds import bucket_capacity, fill_buckets
from swarmscope.query.histograms.rows import HistogramRows

_OPEN_LEFT, _OPEN_RIGHT, _OPEN_BOTH, _CLOSED_BOTH = 0, 1, 2, 3
_BRACKETS = {_OPEN_LEFT: "(]", _OPEN_RIGHT: "[)", _OPEN_BOTH: "()", _CLOSED_BOTH: "[]"}


def histogram_json(rows: HistogramRows, row: int) -> dict[str, Any]:
    """One histogram as the API's object; "buckets" is left out when none is populated."""
    answer: dict[str, Any] = {"count": json_number(float(rows.count[row])), "sum": json_number(float(rows.sum[row]))}
    buckets = [
        [rule, json_number(lower), json_number(upper), json_number(count)]
        for rule, lower, upper, count in _buckets(rows, row)
    ]
    if buckets:
        answer["buckets"] = buckets
    return answer


def histogram_text(rows: HistogramRows, row: int) -> str:
    """One histogram in Prometheus' text form: `{count:3, sum:4.5, (1,2]:3}`."""
    parts = [f"count:{text_number(float(rows.count[row]))}", f"sum:{text_number(float(rows.sum[row]))}"]
    for rule, lower, upper, count in _buckets(rows, row):
        brackets = _BRACKETS[rule]
        bounds = f"{brackets[0]}{text_number(lower)},{text_number(upper)}{brackets[1]}"
        parts.append(f"{bounds}:{text_number(count)}")
    return "{" + ", ".join(parts) + "}"


def _buckets(rows: HistogramRows, row: int) -> list[tuple[int, float, float, float]]:
    out: NDArray[np.float64] = np.empty((int(bucket_capacity(rows)), 3), np.float64)
    n = int(fill_buckets(rows, row, out))
    custom = rows.schema[row] == CUSTOM_BUCKETS_SCHEMA
    has_zero_bucket = rows.zero_count[row] > 0 and not custom
    zero_at = int(rows.neg_offsets[row + 1] - rows.neg_offsets[row]) if has_zero_bucket else -1
    return [
        (_boundary_rule(lower, upper, custom, k == zero_at), lower, upper, count)
        for k, (lower, upper, count) in enumerate(out[:n].tolist())
    ]


def _boundary_rule(lower: float, upper: float, custom: bool, zero: bool) -> int:
    if zero:
        return _CLOSED_BOTH
    if custom:
        return _CLOSED_BOTH if lower == -math.inf else _OPEN_LEFT
    return _OPEN_RIGHT if lower < 0 else _OPEN_LEFT
