"""Histograms as people and the HTTP API see them: explicit buckets with their bounds, no schema and no spans.

JSON form: "Instant and range queries" of Prometheus' native histogram specification and its HTTP API manual.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

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


def _special(value: float) -> str | None:
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    return None


def json_number(value: float) -> str:
    """A float as Prometheus' JSON has it: shortest digits, an exponent only below 1e-6 and from 1e21 on."""
    special = _special(value)
    if special is not None:
        return special
    size = abs(value)
    if size != 0 and (size < 1e-6 or size >= 1e21):
        return _with_exponent(value, min_digits=1)
    return _plain(value)


def text_number(value: float) -> str:
    """A float as Go's `%g` has it: shortest digits, an exponent below 1e-4 and from 1e6 on (`1e+06`)."""
    special = _special(value)
    if special is not None:
        return special
    size = abs(value)
    if size != 0 and (size < 1e-4 or size >= 1e6):
        return _with_exponent(value, min_digits=2)
    return _plain(value)


def _digits(value: float) -> tuple[str, str, int]:
    """Sign, shortest significant digits, and the decimal exponent of the first digit."""
    sign = "-" if math.copysign(1.0, value) < 0 else ""
    mantissa, _, exponent = f"{abs(value)!r}".partition("e")
    whole, _, fraction = mantissa.partition(".")
    joined = (whole + fraction).lstrip("0")
    point = len(whole) + int(exponent or 0)
    leading = len(whole + fraction) - len(joined)
    return sign, joined.rstrip("0") or "0", point - leading - 1


def _plain(value: float) -> str:
    if value == 0:
        return "-0" if math.copysign(1.0, value) < 0 else "0"
    sign, digits, exponent = _digits(value)
    if exponent < 0:
        return f"{sign}0.{'0' * (-exponent - 1)}{digits}"
    whole = digits[: exponent + 1].ljust(exponent + 1, "0")
    fraction = digits[exponent + 1 :]
    return f"{sign}{whole}.{fraction}" if fraction else sign + whole


def _with_exponent(value: float, *, min_digits: int) -> str:
    sign, digits, exponent = _digits(value)
    mantissa = digits[0] + (f".{digits[1:]}" if len(digits) > 1 else "")
    return f"{sign}{mantissa}e{'-' if exponent < 0 else '+'}{abs(exponent):0{min_digits}d}"
