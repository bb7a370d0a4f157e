"""What LogQL can call, said once: the grammar, the checks, the documentation and completion derive from here.

Sources: https://grafana.com/docs/loki/latest/query/metric_queries/ and …/log_queries/.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True, slots=True)
class RangeOperator:
    """A function of the lines in a range. `over_lines`: without unwrap; `over_values`: with it."""

    name: str
    summary: str
    over_lines: bool = False
    over_values: bool = True
    grouping: bool = True
    parameter: bool = False


@dataclass(frozen=True, slots=True)
class VectorOperator:
    """An aggregation over series. `parameter`: it takes how many series to keep."""

    name: str
    summary: str
    parameter: bool = False
    grouping: bool = True


@dataclass(frozen=True, slots=True)
class StageWord:
    """A stage's word behind the pipe."""

    name: str
    summary: str


_RANGE = (
    RangeOperator("rate", "entries a second, or with unwrap the sum a second", over_lines=True, grouping=False),
    RangeOperator("rate_counter", "rate of unwrapped values that are a counter", grouping=False),
    RangeOperator("count_over_time", "entries", over_lines=True, over_values=False, grouping=False),
    RangeOperator("bytes_rate", "bytes a second", over_lines=True, over_values=False, grouping=False),
    RangeOperator("bytes_over_time", "bytes", over_lines=True, over_values=False, grouping=False),
    RangeOperator("absent_over_time", "1 where there is nothing", over_lines=True, grouping=False),
    RangeOperator("sum_over_time", "sum of the values", grouping=False),
    RangeOperator("avg_over_time", "mean of the values"),
    RangeOperator("max_over_time", "largest value"),
    RangeOperator("min_over_time", "smallest value"),
    RangeOperator("first_over_time", "first value"),
    RangeOperator("last_over_time", "last value"),
    RangeOperator("stdvar_over_time", "population variance of the values"),
    RangeOperator("stddev_over_time", "population standard deviation of the values"),
    RangeOperator("quantile_over_time", "quantile of the values", parameter=True),
)
_VECTOR = (
    VectorOperator("sum", "sum of the series"),
    VectorOperator("avg", "mean of the series"),
    VectorOperator("min", "smallest of the series"),
    VectorOperator("max", "largest of the series"),
    VectorOperator("count", "number of series"),
    VectorOperator("stddev", "population standard deviation"),
    VectorOperator("stdvar", "population variance"),
    VectorOperator("topk", "the k largest series", parameter=True),
    VectorOperator("bottomk", "the k smallest series", parameter=True),
    VectorOperator("approx_topk", "about the k largest series", parameter=True, grouping=False),
    VectorOperator("sort", "the series by value, smallest first", grouping=False),
    VectorOperator("sort_desc", "the series by value, largest first", grouping=False),
)
_STAGES = (
    StageWord("json", "labels from a JSON line"),
    StageWord("logfmt", "labels from key=value pairs"),
    StageWord("regexp", "labels from the named groups of a regex"),
    StageWord("pattern", "labels from the captures of a pattern"),
    StageWord("unpack", "labels and line of a packed JSON line"),
    StageWord("line_format", "a new line from a template"),
    StageWord("label_format", "labels renamed or made from templates"),
    StageWord("decolorize", "the line without colour codes"),
    StageWord("drop", "without these labels"),
    StageWord("keep", "these labels alone"),
    StageWord("unwrap", "a label's value as the sample"),
)

RANGE_AGGREGATIONS = MappingProxyType({each.name: each for each in _RANGE})
VECTOR_AGGREGATIONS = MappingProxyType({each.name: each for each in _VECTOR})
STAGES = MappingProxyType({each.name: each for each in _STAGES})
# What `unwrap name(label)` may be called with, and what comes of the text.
CONVERSIONS = MappingProxyType({
    "duration": "seconds of a duration",
    "duration_seconds": "seconds of a duration",
    "bytes": "bytes of a size with a unit",
})  # fmt: skip
COMPARISON_OPERATORS = frozenset({"==", "!=", ">", ">=", "<", "<="})
SET_OPERATORS = frozenset({"and", "or", "unless"})
ARITHMETIC_OPERATORS = frozenset({"+", "-", "*", "/", "%", "^"})
BINARY_OPERATORS = COMPARISON_OPERATORS | SET_OPERATORS | ARITHMETIC_OPERATORS
# Valid in some Loki, and not done here: named in the refusal.
UNSUPPORTED = MappingProxyType({"variants": "variants(…) of (…)"})
