"""Where Debian's Prometheus 2.42 and Prometheus 3.x answer otherwise: the reason, a query that shows it, 3.x's answer.

Times are seconds after `START_S`. Expected are values worked out by hand from `SPECIAL_SERIES` (`on_the_minute` is k²
at minute k) and the documentation and change log of 3.x. What is listed here is kept out of the generated queries.
"""

from __future__ import annotations

from typing import NamedTuple

from tests.integration.generated_queries import Question
from tests.integration.peer_data import START_S


class Difference(NamedTuple):
    """`expected` are (labels but `job`, values with blanks between) of every row, a scalar's value, or an error."""

    reason: str
    query: str
    expected: list[tuple[dict[str, str], str]] | str
    at_s: int = 600
    ranged: tuple[int, int, int] | None = None  # start, end, step

    def question(self) -> Question:
        if self.ranged is None:
            return Question(self.query, 0, (START_S + self.at_s) * 1000, 0)
        start_s, end_s, step_s = self.ranged
        return Question(self.query, (START_S + start_s) * 1000, (START_S + end_s) * 1000, step_s * 1000)


def _one(value: str, **labels: str) -> list[tuple[dict[str, str], str]]:
    return [(labels, value)]


def _named(value: str, name: str = "constant") -> list[tuple[dict[str, str], str]]:
    return _one(value, __name__=name)


def _of_three(function: str, middle: str) -> str:
    """An aggregation over 1e100, `middle` and -1e100."""
    parts = [f'label_replace(vector({value}), "a", "{value}", "", "")' for value in ("1e100", middle, "-1e100")]
    return f"{function}({' or '.join(parts)})"


_WINDOW = "ranges are open on the left: a sample exactly at their start is not in them"
_LOOKBACK = "the lookback is open on the left: a sample exactly five minutes old is too old"
_NEWLINE = "a dot of a regular expression matches a line break"
_NEW = "the function is not in 2.42"
_UTF8 = "names may hold any UTF-8"
_NUMBERS = "durations are numbers and numbers are durations"
_KAHAN = "sums over series are compensated, means are made from them"
_NAN_COUNT = "a count that is not a number is refused in other words"
_VARIANCE = "the variance of what is not finite is not a number"
_FILL = "fill modifiers are not in 2.42"
_OVERFLOW = "means over time are compensated sums, divided once, while nothing overflows"
_PREDICT = "2.42 moves the window of predict_linear although it is pinned with @"
_TIMESTAMP = "Prometheus (3.x too) forgets the offset in timestamp(x @ t offset d); the documentation counts it"
_FORMS = "2.42 does not say which parameter of a range query is wrong"

DIFFERENCES = (
    Difference(_WINDOW, "count_over_time(on_the_minute[5m])", _one("5")),
    Difference(_WINDOW, "sum_over_time(on_the_minute[2m])", _one("181")),  # 81 + 100
    Difference(_WINDOW, "rate(on_the_minute[1m])", []),
    Difference(_WINDOW, "increase(on_the_minute[2m])", _one("38")),  # 19 in one minute, 38 in two
    Difference(_WINDOW, "on_the_minute[1m]", _named("100", "on_the_minute")),  # 2.42: 81 too
    Difference(_WINDOW, "changes(on_the_minute[5m] offset 1m)", _one("4")),
    Difference(_WINDOW, "count_over_time(constant[5m:1m])", _one("5")),
    Difference(_WINDOW, "count_over_time(on_the_minute[5m])", _one("5 5 5 5 5 5"), ranged=(600, 900, 60)),
    Difference(_LOOKBACK, "on_the_minute", [], at_s=99 * 60 + 300),
    Difference(_LOOKBACK, "on_the_minute", _named("9801", "on_the_minute"), ranged=(99 * 60, 99 * 60 + 600, 300)),
    Difference(_NEWLINE, 'count(lines{text=~"one.two"})', _one("1")),
    Difference(_NEWLINE, 'count(lines{text!~"o.*"})', []),
    Difference(
        _NEWLINE, 'label_replace(vector(1), "x", "$1", "", "(.*)") and on () lines{text=~".+"}', _one("1")
    ),
    Difference("holt_winters has a new name", "holt_winters(on_the_minute[5m], 0.5, 0.5)",
               'invalid parameter "query": 1:1: parse error: unknown function with name "holt_winters"'),
    # Minutes 6 to 10 hold 36, 49, 64, 81, 100; deviations from 64 are 28, 15, 0, 17, 36.
    Difference(_NEW, "mad_over_time(on_the_minute[5m])", _one("17")),
    Difference(_NEW, "first_over_time(on_the_minute[5m])", _named("36", "on_the_minute")),
    Difference(_NEW, "ts_of_max_over_time(on_the_minute[5m])", _one(str(START_S + 600))),
    Difference(_NEW, "ts_of_min_over_time(on_the_minute[5m])", _one(str(START_S + 360))),
    Difference(_NEW, "ts_of_first_over_time(on_the_minute[5m])", _one(str(START_S + 360))),
    Difference(_NEW, "ts_of_last_over_time(on_the_minute[5m])", _one(str(START_S + 600))),
    # Level 49, trend 13; then (56.5+..)…: s = 63 t = 13.5, s = 78.75 t = 14.625, s = 96.6875.
    Difference(_NEW, "double_exponential_smoothing(on_the_minute[5m], 0.5, 0.5)", _one("96.6875")),
    Difference(_NEW, 'sort_by_label_desc(count by (version) (build_info), "version")',
               [({"version": "v2"}, "1"), ({"version": "v1"}, "1")]),
    Difference(_NEW, 'sort_by_label(count by (version) (build_info), "version")',
               [({"version": "v1"}, "1"), ({"version": "v2"}, "1")]),
    Difference(_NEW, "limitk(1, constant)", _named("42")),
    Difference(_NEW, "limitk(0, constant)", []),
    Difference(_NEW, "limit_ratio(1, constant)", _named("42")),
    Difference(_NEW, "start()", _one(f"{START_S + 600} {START_S + 600}"), ranged=(600, 660, 60)),
    Difference(_NEW, "end()", _one(f"{START_S + 660} {START_S + 660}"), ranged=(600, 660, 60)),
    Difference(_NEW, "step()", _one("60 60 60 60 60 60"), ranged=(600, 900, 60)),
    Difference(_NEW, "range()", _one("300 300 300 300 300 300"), ranged=(600, 900, 60)),
    Difference(_NEW, "min_of(1, 2)", "1"),
    Difference(_NEW, "max_of(1, 2)", "2"),
    Difference(_NEW, "histogram_avg(constant)", []),
    Difference(_NEW, "histogram_stddev(constant)", []),
    Difference(_NEW, "histogram_stdvar(constant)", []),
    Difference(_NEW, 'info(constant, {__name__="build_info"})', _one("42", __name__="constant", version="v1")),
    Difference(_UTF8, '{"constant"}', _named("42")),
    Difference(_UTF8, 'label_replace(constant, "a-b", "x", "", "")', [({"__name__": "constant", "a-b": "x"}, "42")]),
    Difference(_UTF8, 'count_values("a-b", constant)', [({"a-b": "42"}, "1")]),
    Difference(_NUMBERS, "1h", "3600"),
    Difference(_NUMBERS, "5m * 2", "600"),
    Difference(_NUMBERS, "sum_over_time(on_the_minute[60])", _one("100")),
    Difference(_NUMBERS, "on_the_minute offset 60", _named("81", "on_the_minute")),
    Difference(_NAN_COUNT, "topk(NaN, constant)", "Parameter value is NaN"),
    Difference(_NAN_COUNT, "bottomk(scalar(nothing), constant)", "Parameter value is NaN"),
    Difference("atan2 drops the metric's name", "constant atan2 constant", _one("0.7853981633974483")),  # π/4
    Difference(_VARIANCE, "stdvar(vector(NaN))", _one("NaN")),
    Difference(_VARIANCE, "stddev(vector(Inf))", _one("NaN")),
    Difference(_KAHAN, _of_three("sum", "1"), _one("1")),
    Difference(_KAHAN, _of_three("avg", "3"), _one("1")),
    Difference(_FILL, "constant + fill(1) nothing", _one("43")),
    Difference(_FILL, "nothing + fill_left(1) constant", _one("43")),
    # -1e308, 1.5, 1e308, 1.5: the sum is 3.
    Difference(_OVERFLOW, "avg_over_time(enormous[1m])", _one("0.75"), at_s=61),
    # 81 and 100, so 19 a minute from 100 at the tenth minute on.
    Difference(_PREDICT, "predict_linear(on_the_minute[1m30s] @ start(), 0)", _one("100 119 138 157"),
               ranged=(600, 780, 60)),
    Difference(_TIMESTAMP, "timestamp(on_the_minute @ start() offset -2m)", _one(f"{START_S + 720} {START_S + 720}"),
               ranged=(600, 660, 60)),
    Difference(_FORMS, "sum(", 'invalid parameter "query": 1:5: parse error: unclosed left parenthesis',
               ranged=(600, 900, 60)),
)  # fmt: skip
