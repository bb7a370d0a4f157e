"""What histogram kernels have to say beside their results: flags inside, Prometheus' words outside.

The wording follows Prometheus 3 (util/annotations), because people filter and test on these strings.
"""

from __future__ import annotations

from enum import IntFlag


class HistogramNote(IntFlag):
    """Annotations as bits, so that kernels can return them in an integer per series, cell or group."""

    MIXED_FLOATS = 1 << 0
    MIXED_SCHEMAS = 1 << 1
    NOT_COUNTER = 1 << 2
    NOT_GAUGE = 1 << 3
    RECONCILED_ADDITION = 1 << 4
    RECONCILED_SUBTRACTION = 1 << 5
    RECONCILED_AGGREGATION = 1 << 6
    COLLISION_ADDITION = 1 << 7
    COLLISION_SUBTRACTION = 1 << 8
    COLLISION_AGGREGATION = 1 << 9
    QUANTILE_NAN = 1 << 10
    QUANTILE_SKEWED = 1 << 11
    FRACTION_NAN = 1 << 12
    FORCED_MONOTONIC = 1 << 13
    MIXED_FLOATS_AGGREGATION = 1 << 14
    IGNORED_IN_MIXED_RANGE = 1 << 15
    INCOMPATIBLE_LAYOUT = 1 << 16


# What a kernel sets is a plain integer: Numba knows nothing of IntFlag.
MIXED_FLOATS = int(HistogramNote.MIXED_FLOATS)
MIXED_SCHEMAS = int(HistogramNote.MIXED_SCHEMAS)
NOT_COUNTER = int(HistogramNote.NOT_COUNTER)
NOT_GAUGE = int(HistogramNote.NOT_GAUGE)
RECONCILED_ADDITION = int(HistogramNote.RECONCILED_ADDITION)
RECONCILED_SUBTRACTION = int(HistogramNote.RECONCILED_SUBTRACTION)
RECONCILED_AGGREGATION = int(HistogramNote.RECONCILED_AGGREGATION)
COLLISION_ADDITION = int(HistogramNote.COLLISION_ADDITION)
COLLISION_SUBTRACTION = int(HistogramNote.COLLISION_SUBTRACTION)
COLLISION_AGGREGATION = int(HistogramNote.COLLISION_AGGREGATION)
QUANTILE_NAN = int(HistogramNote.QUANTILE_NAN)
QUANTILE_SKEWED = int(HistogramNote.QUANTILE_SKEWED)
FRACTION_NAN = int(HistogramNote.FRACTION_NAN)
FORCED_MONOTONIC = int(HistogramNote.FORCED_MONOTONIC)
INCOMPATIBLE_LAYOUT = int(HistogramNote.INCOMPATIBLE_LAYOUT)

_MONOTONICITY_HELP = "https://prometheus.io/docs/prometheus/latest/querying/functions/#histogram_quantile"

# {name} is the quoted metric name, {for_name} is ` for metric name "…"` or nothing, {operator} a binary operator.
_WARNINGS: dict[HistogramNote, str] = {
    HistogramNote.MIXED_FLOATS: "encountered a mix of histograms and floats for metric name {name}",
    HistogramNote.MIXED_FLOATS_AGGREGATION: "encountered a mix of histograms and floats for aggregation",
    HistogramNote.MIXED_SCHEMAS: (
        "vector contains a mix of histograms with exponential and custom buckets schemas for metric name {name}"
    ),
    HistogramNote.NOT_COUNTER: "this native histogram metric is not a counter: {name}",
    HistogramNote.NOT_GAUGE: "this native histogram metric is not a gauge: {name}",
    HistogramNote.COLLISION_ADDITION: "conflicting counter resets during histogram addition",
    HistogramNote.COLLISION_SUBTRACTION: "conflicting counter resets during histogram subtraction",
    HistogramNote.COLLISION_AGGREGATION: "conflicting counter resets during histogram aggregation",
    HistogramNote.INCOMPATIBLE_LAYOUT: "incompatible bucket layout encountered for binary operator {operator}",
}
_INFOS: dict[HistogramNote, str] = {
    HistogramNote.RECONCILED_ADDITION: "mismatched custom buckets were reconciled during addition",
    HistogramNote.RECONCILED_SUBTRACTION: "mismatched custom buckets were reconciled during subtraction",
    HistogramNote.RECONCILED_AGGREGATION: "mismatched custom buckets were reconciled during aggregation",
    HistogramNote.QUANTILE_NAN: "input to histogram_quantile has NaN observations, result is NaN{for_name}",
    HistogramNote.QUANTILE_SKEWED: (
        "input to histogram_quantile has NaN observations, result is skewed higher{for_name}"
    ),
    HistogramNote.FRACTION_NAN: (
        "input to histogram_fraction has NaN observations, which are excluded from all fractions{for_name}"
    ),
    HistogramNote.FORCED_MONOTONIC: (
        f"input to histogram_quantile needed to be fixed for monotonicity (see {_MONOTONICITY_HELP}){{for_name}}"
    ),
    HistogramNote.IGNORED_IN_MIXED_RANGE: (
        "ignored histograms in a range containing both floats and histograms for metric name {name}"
    ),
}


def note_messages(flags: int, metric_name: str = "", operator: str = "") -> tuple[list[str], list[str]]:
    """`(warnings, infos)` for the bits of `flags`, each beginning with "PromQL warning: " or "PromQL info: "."""
    quoted = '"' + metric_name.replace("\\", "\\\\").replace('"', '\\"') + '"'
    fields = {
        "name": quoted,
        "for_name": f" for metric name {quoted}" if metric_name else "",
        "operator": operator,
    }
    warnings = [f"PromQL warning: {text.format(**fields)}" for note, text in _WARNINGS.items() if flags & note]
    infos = [f"PromQL info: {text.format(**fields)}" for note, text in _INFOS.items() if flags & note]
    return warnings, infos
