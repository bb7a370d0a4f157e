"""Every PromQL function and aggregation, registered once: the type check, docs and completion derive from this.

What computes a function stands in `query.promql` under the same name; a test holds the two lists equal.
Reference: https://prometheus.io/docs/prometheus/latest/querying/functions/
"""

from __future__ import annotations

from dataclasses import dataclass

from swarmscope.lang.promql.nodes import ValueType

_V, _M, _S, _T = ValueType.VECTOR, ValueType.MATRIX, ValueType.SCALAR, ValueType.STRING


@dataclass(frozen=True, slots=True)
class Function:
    """A function's signature. `variadic` counts optional trailing arguments; -1: any number of the last type."""

    name: str
    arg_types: tuple[ValueType, ...]
    return_type: ValueType
    doc: str
    variadic: int = 0
    experimental: bool = False

    @property
    def min_args(self) -> int:
        """How few arguments a call may have."""
        return len(self.arg_types) if self.variadic == 0 else len(self.arg_types) - 1

    def arg_type(self, index: int) -> ValueType:
        """The type of argument `index`, repeated ones included."""
        return self.arg_types[min(index, len(self.arg_types) - 1)]


def _over_time(name: str, doc: str, *, experimental: bool = False) -> Function:
    return Function(name, (_M,), _V, doc, experimental=experimental)


def _elementwise(name: str, doc: str) -> Function:
    return Function(name, (_V,), _V, doc)


_RANGE = (
    _over_time("absent_over_time", "1 with the selector's labels where the range holds no sample at all."),
    _over_time("avg_over_time", "Mean of the samples in the range."),
    _over_time("changes", "How often the value changed in the range."),
    _over_time("count_over_time", "How many samples the range holds."),
    _over_time("delta", "Difference between the ends of the range, extrapolated to the whole range; for gauges."),
    _over_time("deriv", "Per-second slope of the least-squares line through the range; for gauges."),
    Function(
        "double_exponential_smoothing",
        (_M, _S, _S),
        _V,
        "Holt's linear smoothing with a smoothing and a trend factor, each between 0 and 1.",
        experimental=True,
    ),
    _over_time("first_over_time", "The oldest sample in the range."),
    _over_time("idelta", "Difference between the last two samples of the range."),
    _over_time("increase", "How much a counter grew over the range, resets accounted for, extrapolated."),
    _over_time("irate", "Per-second growth of a counter between the last two samples of the range."),
    _over_time("last_over_time", "The newest sample in the range."),
    _over_time("mad_over_time", "Median absolute deviation of the samples in the range.", experimental=True),
    _over_time("max_over_time", "Largest sample in the range."),
    _over_time("min_over_time", "Smallest sample in the range."),
    Function("predict_linear", (_M, _S), _V, "Value expected in so many seconds, by least-squares line."),
    _over_time("present_over_time", "1 where the range holds a sample."),
    Function("quantile_over_time", (_S, _M), _V, "Quantile of the samples in the range."),
    _over_time("rate", "Per-second growth of a counter over the range, resets accounted for, extrapolated."),
    _over_time("resets", "How often a counter was reset in the range."),
    _over_time("stddev_over_time", "Population standard deviation of the samples in the range."),
    _over_time("stdvar_over_time", "Population variance of the samples in the range."),
    _over_time("sum_over_time", "Sum of the samples in the range."),
    _over_time("ts_of_first_over_time", "Unix time of the oldest sample in the range.", experimental=True),
    _over_time("ts_of_last_over_time", "Unix time of the newest sample in the range.", experimental=True),
    _over_time("ts_of_max_over_time", "Unix time of the last largest sample in the range.", experimental=True),
    _over_time("ts_of_min_over_time", "Unix time of the last smallest sample in the range.", experimental=True),
)

_ELEMENTWISE = (
    _elementwise("abs", "Absolute value."),
    _elementwise("acos", "Arc cosine."),
    _elementwise("acosh", "Inverse hyperbolic cosine."),
    _elementwise("asin", "Arc sine."),
    _elementwise("asinh", "Inverse hyperbolic sine."),
    _elementwise("atan", "Arc tangent."),
    _elementwise("atanh", "Inverse hyperbolic tangent."),
    _elementwise("ceil", "Rounded up to an integer."),
    Function("clamp", (_V, _S, _S), _V, "Limited to between a minimum and a maximum."),
    Function("clamp_max", (_V, _S), _V, "Limited from above."),
    Function("clamp_min", (_V, _S), _V, "Limited from below."),
    _elementwise("cos", "Cosine of radians."),
    _elementwise("cosh", "Hyperbolic cosine."),
    _elementwise("deg", "Radians to degrees."),
    _elementwise("exp", "e to the power of the value."),
    _elementwise("floor", "Rounded down to an integer."),
    _elementwise("ln", "Natural logarithm."),
    _elementwise("log10", "Decimal logarithm."),
    _elementwise("log2", "Binary logarithm."),
    _elementwise("rad", "Degrees to radians."),
    Function("round", (_V, _S), _V, "Rounded to the nearest multiple (1 unless given), ties up.", variadic=1),
    _elementwise("sgn", "1, -1 or 0 by the sign."),
    _elementwise("sin", "Sine of radians."),
    _elementwise("sinh", "Hyperbolic sine."),
    _elementwise("sqrt", "Square root."),
    _elementwise("tan", "Tangent of radians."),
    _elementwise("tanh", "Hyperbolic tangent."),
)

_CALENDAR = tuple(
    Function(name, (_V,), _V, doc, variadic=1)
    for name, doc in (
        ("day_of_month", "Day of the month, 1 to 31, of Unix times in UTC (now unless given)."),
        ("day_of_week", "Day of the week, 0 (Sunday) to 6, of Unix times in UTC (now unless given)."),
        ("day_of_year", "Day of the year, 1 to 366, of Unix times in UTC (now unless given)."),
        ("days_in_month", "Length of the month in days, of Unix times in UTC (now unless given)."),
        ("hour", "Hour, 0 to 23, of Unix times in UTC (now unless given)."),
        ("minute", "Minute, 0 to 59, of Unix times in UTC (now unless given)."),
        ("month", "Month, 1 to 12, of Unix times in UTC (now unless given)."),
        ("year", "Year of Unix times in UTC (now unless given)."),
    )
)

_HISTOGRAM = (
    _elementwise("histogram_avg", "Mean of the observations in a native histogram."),
    _elementwise("histogram_count", "Count of the observations in a native histogram."),
    Function("histogram_fraction", (_S, _S, _V), _V, "Estimated share of observations between two values."),
    Function("histogram_quantile", (_S, _V), _V, "Estimated quantile of classic buckets or native histograms."),
    Function(
        "histogram_quantiles",
        (_V, _T, _S, _S),
        _V,
        "Several quantiles at once; each is named by the given label.",
        variadic=9,
        experimental=True,
    ),
    _elementwise("histogram_stddev", "Estimated standard deviation of the observations in a native histogram."),
    _elementwise("histogram_stdvar", "Estimated variance of the observations in a native histogram."),
    _elementwise("histogram_sum", "Sum of the observations in a native histogram."),
)

_OTHER = (
    _elementwise("absent", "1 with the selector's labels where the vector is empty."),
    Function("end", (), _S, "Unix time of the query's end.", experimental=True),
    Function(
        "info", (_V, _V), _V, "Adds labels of matching info series (target_info unless chosen).", 1, experimental=True
    ),
    Function("label_join", (_V, _T, _T, _T), _V, "Joins label values into a label.", variadic=-1),
    Function("label_replace", (_V, _T, _T, _T, _T), _V, "Sets a label from a regex match on another."),
    Function("max_of", (_S, _S), _S, "The larger of two scalars.", experimental=True),
    Function("min_of", (_S, _S), _S, "The smaller of two scalars.", experimental=True),
    Function("pi", (), _S, "The number π."),
    Function("range", (), _S, "Length of the query's range in seconds.", experimental=True),
    Function("scalar", (_V,), _S, "The value of a one-element vector, else NaN."),
    _elementwise("sort", "Sorted by value, ascending; instant queries only."),
    Function("sort_by_label", (_V, _T), _V, "Sorted by label values, natural order.", -1, experimental=True),
    Function(
        "sort_by_label_desc", (_V, _T), _V, "Sorted by label values, natural order, descending.", -1, experimental=True
    ),
    _elementwise("sort_desc", "Sorted by value, descending; instant queries only."),
    Function("start", (), _S, "Unix time of the query's start.", experimental=True),
    Function("step", (), _S, "The query's step in seconds.", experimental=True),
    Function("time", (), _S, "Unix time of the evaluation, in seconds."),
    _elementwise("timestamp", "Unix time of each sample, in seconds."),
    Function("vector", (_S,), _V, "A scalar as a vector without labels."),
)

FUNCTIONS: dict[str, Function] = {
    entry.name: entry for entry in sorted(_RANGE + _ELEMENTWISE + _CALENDAR + _HISTOGRAM + _OTHER, key=lambda f: f.name)
}

# Functions whose value depends on the evaluation time even when every selector in them is pinned with `@`.
TIME_DEPENDENT = frozenset({entry.name for entry in _CALENDAR} | {"time", "timestamp", "predict_linear"})


@dataclass(frozen=True, slots=True)
class Aggregation:
    """An aggregation operator; `param` is the type of its parameter, if it takes one."""

    name: str
    doc: str
    param: ValueType | None = None
    experimental: bool = False


AGGREGATIONS: dict[str, Aggregation] = {
    entry.name: entry
    for entry in (
        Aggregation("avg", "Mean over the series of a group."),
        Aggregation("bottomk", "The k series with the smallest values.", _S),
        Aggregation("count", "How many series a group has."),
        Aggregation("count_values", "How many series have each value, named by a label.", _T),
        Aggregation("group", "1 for each group."),
        Aggregation("limit_ratio", "A reproducible share of the series.", _S, experimental=True),
        Aggregation("limitk", "Any k series.", _S, experimental=True),
        Aggregation("max", "Largest value of a group."),
        Aggregation("min", "Smallest value of a group."),
        Aggregation("quantile", "Quantile over the series of a group.", _S),
        Aggregation("stddev", "Population standard deviation over the series of a group."),
        Aggregation("stdvar", "Population variance over the series of a group."),
        Aggregation("sum", "Sum over the series of a group."),
        Aggregation("topk", "The k series with the largest values.", _S),
    )
}
