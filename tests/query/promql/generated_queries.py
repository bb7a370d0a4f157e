"""Queries from a fixed seed, over the series of `peer_data`."""

from __future__ import annotations

import random

RANGES = ("1m", "2m30s", "5m", "10m")
SELECTORS = (
    "reqs_total", 'reqs_total{job="a"}', 'reqs_total{code=~"2..|5.."}', "temp", 'temp{room!="r1"}', "lat_bucket",
    "gappy", 'gappy{i=~"0|2"}', "reqs_total offset 2m", "temp offset -1m", "temp @ 1600000500", "reqs_total @ end()",
    '{__name__=~"temp|gappy"}', "build_info", "nothing",
)  # fmt: skip
RANGE_FUNCTIONS = (
    "rate", "increase", "delta", "irate", "idelta", "avg_over_time", "sum_over_time", "min_over_time",
    "max_over_time", "count_over_time", "last_over_time", "stddev_over_time", "stdvar_over_time",
    "present_over_time", "changes", "resets", "deriv", "absent_over_time",
)  # fmt: skip
PLAIN = (
    "abs", "ceil", "floor", "exp", "ln", "log2", "log10", "sqrt", "sgn", "sin", "cos", "tan", "asin", "acos", "atan",
    "sinh", "cosh", "tanh", "asinh", "acosh", "atanh", "deg", "rad", "timestamp", "absent", "day_of_month",
    "day_of_week", "day_of_year", "days_in_month", "hour", "minute", "month", "year", "scalar", "sort", "sort_desc",
)  # fmt: skip
AGGREGATES = ("sum", "avg", "min", "max", "count", "group", "stddev", "stdvar")
GROUPINGS = ("", " by (job)", " by (job, code)", " without (i)", " by (room)", " without (job, code)", " by (le)")
OPERATORS = ("+", "-", "*", "/", "%", "^", "atan2", "==", "!=", ">", "<", ">=", "<=")


class Generator:
    """Random queries; the same seed gives the same queries."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)

    def query(self) -> str:
        return self._vector(self._random.randint(1, 3))

    def _pick(self, options: tuple[str, ...]) -> str:
        return self._random.choice(options)

    def _ranged(self) -> str:
        selector = self._pick(SELECTORS[:9])
        base, _, rest = selector.partition(" ")
        if self._random.random() < 0.2:
            return f"{selector}[{self._pick(RANGES)}:{self._pick(('13s', '30s', '1m', ''))}]"
        return f"{base}[{self._pick(RANGES)}]{' ' + rest if rest else ''}"

    def _vector(self, depth: int) -> str:
        if depth == 0:
            return self._pick(SELECTORS)
        makers = (self._ranged_call, self._plain_call, self._aggregate, self._aggregate, self._binary, self._set,
                  self._matched, self._with_scalar, self._other)  # fmt: skip
        return self._random.choice(makers)(depth)

    def _ranged_call(self, depth: int) -> str:
        del depth
        choice = self._random.random()
        if choice < 0.1:
            return f"quantile_over_time({self._pick(('0.5', '0.9', '-1', '2'))}, {self._ranged()})"
        if choice < 0.2:
            return f"predict_linear({self._ranged()}, {self._pick(('60', '-30', '3600'))})"
        return f"{self._pick(RANGE_FUNCTIONS)}({self._ranged()})"

    def _plain_call(self, depth: int) -> str:
        name = self._pick(PLAIN)
        inner = f"{name}({self._vector(depth - 1)})"
        return f"vector({inner})" if name == "scalar" else inner

    def _aggregate(self, depth: int) -> str:
        grouping = self._pick(GROUPINGS)
        inner = self._vector(depth - 1)
        choice = self._random.random()
        if choice < 0.12:
            return f"quantile{grouping} ({self._pick(('0', '0.3', '0.95', '1'))}, {inner})"
        if choice < 0.2:
            return f"{self._pick(('topk', 'bottomk'))}{grouping} ({self._pick(('1', '2', '50'))}, {inner})"
        if choice < 0.25:
            return f'count_values{grouping} ("v", {inner})'
        return f"{self._pick(AGGREGATES)}{grouping} ({inner})"

    def _binary(self, depth: int) -> str:
        op = self._pick(OPERATORS)
        bool_word = " bool" if op in ("==", "!=", ">", "<", ">=", "<=") and self._random.random() < 0.5 else ""
        side = self._vector(depth - 1)
        return f"({side}) {op}{bool_word} ({self._pick((side, side, self._vector(depth - 1)))})"

    def _set(self, depth: int) -> str:
        op = self._pick(("and", "or", "unless"))
        on = self._pick(("", "", " on (job)", " ignoring (i)", " on ()"))
        return f"({self._vector(depth - 1)}) {op}{on} ({self._vector(depth - 1)})"

    def _matched(self, depth: int) -> str:
        del depth
        op = self._pick(OPERATORS[:6])
        left = self._pick(("reqs_total", "rate(reqs_total[5m])", "temp"))
        how = self._pick(("on (job) group_left (version)", "on (job) group_left ()", "on (job)", "ignoring (i, code)"))
        if self._random.random() < 0.3:
            return f"build_info {op} on (job) group_right (version) {left}"
        return f"{left} {op} {how} build_info"

    def _with_scalar(self, depth: int) -> str:
        op = self._pick(OPERATORS)
        number = self._pick(("2", "0", "-1.5", "NaN", "1e3", "time()", "scalar(build_info)"))
        pair = (self._vector(depth - 1), number)
        left, right = pair if self._random.random() < 0.6 else pair[::-1]
        bool_word = " bool" if op in ("==", "!=", ">", "<", ">=", "<=") and self._random.random() < 0.5 else ""
        return f"({left}) {op}{bool_word} ({right})"

    def _other(self, depth: int) -> str:
        inner = self._vector(depth - 1)
        return self._pick(
            (
                f"histogram_quantile({self._pick(('0.5', '0.9', '0.99', '-1', '3'))}, rate(lat_bucket[5m]))",
                "histogram_quantile(0.9, sum by (le) (increase(lat_bucket[10m])))",
                f"clamp({inner}, 1, 50)", f"clamp_min({inner}, 3)", f"clamp_max({inner}, 3)",
                f"round({inner}, 0.5)", f"round({inner})", f"-({inner})",
                f'label_replace({inner}, "x", "$1-${{2}}", "job", "(.)(.*)")',
                f'label_join({inner}, "y", "/", "job", "i", "code")',
                "vector(time())", "minute()", f"sum({inner}) or vector(0)", f"max_over_time(({inner})[3m:40s])",
                f"count_over_time(({inner})[2m:13s] offset 1m)",
            )
        )  # fmt: skip
