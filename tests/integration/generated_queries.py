"""Queries from a fixed seed, over the grammar of PromQL and the series of `peer_data`.

Left out are the places where 2.42 and 3.x are known to answer otherwise; they stand in `listed_differences`. Subqueries
are 250 ms longer than their step's grid, so that no step falls on a window's left end.
"""

from __future__ import annotations

import random
import re
from typing import NamedTuple

from tests.integration.peer_data import END_S, START_S

AT = START_S + 3000
# Samples that need no arithmetic, so that comparing, rounding and counting values are exact.
EXACT = (
    "queue_length", 'queue_length{queue!="a"}', 'queue_length{queue=~"日.*|Ω|A"}',
    'queue_length{queue!~"a|quote\\"d"}', "gappy", 'gappy{i=~"0|2"}', "late_total", 'late_total{i!~"1|3"}',
    "build_info", "dup_a", "constant", 'queue_length{queue="back\\\\slash"}', "queue_length{queue=`🙂 x`}",
    'latency_bucket{le=~"0.1|5"}',
    "unsteady_bucket", "gappy offset 7m", "queue_length @ {at}", "late_total @ end()", "gappy @ start() offset -2m",
    "queue_length offset -90s",
    '{{__name__=~"gappy|late_total"}}', '{{__name__=~"dup_[ab]",job="api"}}', "nothing", 'gappy{{i="7"}}',
)  # fmt: skip
SMOOTH = (
    "http_requests_total", 'http_requests_total{{job="api"}}', 'http_requests_total{{code=~"2..|5.."}}',
    'http_requests_total{{code!~"5..",instance!="1"}}', "temperature", 'temperature{{room!="r1"}}', "stale",
    'stale{{i!=""}}', 'temperature{{nothing=""}}', "latency_bucket", "latency_sum", "unix_time", "tiny",
    "http_requests_total offset 3m", "temperature offset -1m30s", "temperature @ {at}.5", "stale @ end()",
    "http_requests_total @ start()", "stale offset 1h", '{{__name__="temperature",job=~"web|db"}}', "odd",
    'odd{{kind=~"z.*|n.*"}}', 'http_requests_total{{instance=~"[01]",job="web",code="200"}}',
)  # fmt: skip
RANGES = ("45s", "1m", "2m30s", "5m", "11m", "1h")
SUBQUERIES = ("2m0s250ms:13s", "5m0s250ms:30s", "10m0s250ms:1m", "7m0s250ms:", "31m0s250ms:5m", "50s250ms:7s")
# High from their first sample on: extrapolation down to zero, which 3.x limits otherwise, never acts.
COUNTERS = (
    "http_requests_total", 'http_requests_total{job="api"}', 'http_requests_total{code=~"2..|5.."}', "latency_bucket",
    "latency_sum", "http_requests_total offset 3m", 'late_total{{i=~"0|2"}}', 'late_total{{i="0"}} @ end()',
    "latency_count", 'http_requests_total{{instance=~"[01]",job="web"}} offset -1m', "http_requests_total @ {at}.5",
)  # fmt: skip
RANGE_FUNCTIONS = (
    "delta", "irate", "idelta", "avg_over_time", "sum_over_time", "min_over_time", "max_over_time",
    "count_over_time", "last_over_time", "stddev_over_time", "stdvar_over_time", "present_over_time", "changes",
    "resets", "deriv", "absent_over_time",
)  # fmt: skip
CONTINUOUS = (
    "abs", "exp", "ln", "log2", "log10", "sqrt", "sin", "cos", "tan", "asin", "acos", "atan", "sinh", "cosh", "tanh",
    "asinh", "acosh", "atanh", "deg", "rad", "sort", "sort_desc",
)  # fmt: skip
JUMPING = (
    "ceil", "floor", "sgn", "day_of_month", "day_of_week", "day_of_year", "days_in_month", "hour", "minute", "month",
    "year", "timestamp", "absent", "sort", "sort_desc",
)  # fmt: skip
AGGREGATES = ("sum", "avg", "min", "max", "count", "group")
GROUPINGS = (
    "", "", " by (job)", " by (job, code)", " without (i)", " by (room)", " without (job, code)", " by (le)",
    " by (queue)", " without (instance, queue, le)", " by (nothing)", " by ()", " without ()",
)  # fmt: skip
MATCHINGS = ("", "", " on (job)", " ignoring (i)", " on ()", " ignoring (queue, i, n, le)", " on (i, job)")
STEPS_MS = (5_000, 7_000, 15_000, 40_000, 60_000, 90_500, 300_000, 300_000, 600_000, 3_600_000)
ARITHMETIC = ("+", "-", "*", "/", "%", "^")
COMPARISONS = ("==", "!=", ">", "<", ">=", "<=")

# Found in `listed_differences`, with the reason.
LISTED = (re.compile(r"predict_linear\([^(]*@"), re.compile(r"timestamp\(\(*[^(]*@ (start|end)\(\) offset"))


class Question(NamedTuple):
    """One request; `step_ms` 0 for an instant query at `end_ms`."""

    text: str
    start_ms: int
    end_ms: int
    step_ms: int

    @property
    def is_range(self) -> bool:
        return self.step_ms > 0

    def parameters(self) -> dict[str, str]:
        if self.is_range:
            return {
                "query": self.text, "start": f"{self.start_ms / 1000:.3f}", "end": f"{self.end_ms / 1000:.3f}",
                "step": f"{self.step_ms / 1000:.3f}",
            }  # fmt: skip
        return {"query": self.text, "time": f"{self.end_ms / 1000:.3f}"}


class Generator:
    """Random questions; the same seed gives the same ones."""

    def __init__(self, seed: int) -> None:
        self._dice = random.Random(seed)

    def question(self) -> Question:
        text = self._top()
        residue_ms = self._dice.choice((0, 0, 500, 37))
        if self._dice.random() < 0.45:
            # Some before the first sample and some after the last.
            return Question(text, 0, (self._dice.randrange(START_S - 400, END_S + 900)) * 1000 + residue_ms, 0)
        step_ms = self._dice.choice(
            (5_000, 7_000, 15_000, 40_000, 60_000, 90_500, 300_000, 300_000, 600_000, 3_600_000)
        )
        n_steps = self._dice.randint(1, 40)
        first_s = self._dice.randrange(START_S - 600, END_S)
        if step_ms % 300_000 == 0:
            first_s, residue_ms = first_s // 300 * 300, 0
        start_ms = first_s * 1000 + residue_ms
        return Question(text, start_ms, start_ms + n_steps * step_ms + self._dice.choice((0, 0, 1, 3_000)), step_ms)

    def _pick(self, options: tuple[str, ...]) -> str:
        return self._dice.choice(options)

    def _top(self) -> str:
        chance = self._dice.random()
        if chance < 0.03:
            return self._scalar(2)
        if chance < 0.10:
            return self._exact(self._dice.randint(0, 2))
        return self._vector(self._dice.choice((0, 1, 1, 1, 2, 2, 2, 2, 3, 3)))

    def _selector(self, options: tuple[str, ...]) -> str:
        return self._pick(options).replace("{{", "{").replace("}}", "}").replace("{at}", str(AT))

    def _ranged(self, options: tuple[str, ...] = EXACT + SMOOTH) -> str:
        selector = self._selector(options)
        if self._dice.random() < 0.25:
            how = self._pick(("", "", " offset 90s", f" @ {AT}", " @ end() offset 1m", " offset -2m"))
            return f"{selector}[{self._pick(SUBQUERIES)}]{how}"
        base, modifier, rest = _split_modifier(selector)
        return f"{base}[{self._pick(RANGES)}]{modifier}{rest}"

    def _exact(self, depth: int) -> str:
        """A vector of values that both sides know to the last bit."""
        if depth == 0:
            return self._selector(EXACT)
        inner = self._exact(depth - 1)
        grouping = self._pick(GROUPINGS)
        options = (
            f"{self._pick(JUMPING)}({inner})",
            f"{self._pick(('min', 'max', 'count', 'group', 'sum'))}{grouping} ({inner})",
            f'count_values{grouping} ("v", {inner})',
            f"round({inner}, {self._pick(('2', '0.5', '-3', '0'))})",
            f"round({inner})",
            f"{self._pick(('changes', 'resets', 'count_over_time', 'max_over_time'))}({self._ranged(EXACT)})",
            f"({inner}) {self._pick(COMPARISONS)}{self._bool()} {self._pick(('2', '-1', '0', 'NaN', 'Inf', '5e5'))}",
            f"{self._pick(('2', '0'))} {self._pick(COMPARISONS)}{self._bool()} ({inner})",
            f"({inner}) {self._pick(COMPARISONS)}{self._bool()} ({self._pick((inner, self._exact(depth - 1)))})",
            f"({inner}) {self._pick(('and', 'or', 'unless'))}{self._on()} ({self._exact(depth - 1)})",
            f"{self._pick(('min_over_time', 'last_over_time'))}(({inner})[{self._pick(SUBQUERIES)}])",
            f"vector(scalar({inner}) {self._pick(COMPARISONS)} bool 3)",
        )
        return self._pick(options)

    def _bool(self) -> str:
        return self._pick(("", " bool"))

    def _on(self) -> str:
        return self._pick(
            ("", "", " on (job)", " ignoring (i)", " on ()", " ignoring (queue, i, n, le)", " on (i, job)")
        )

    def _vector(self, depth: int) -> str:
        if depth == 0:
            return self._selector(EXACT + SMOOTH)
        makers = (
            self._range_call, self._range_call, self._aggregate, self._aggregate, self._binary, self._set,
            self._matched, self._with_scalar, self._other, self._function, self._histogram, self._ordered, self._exact,
        )  # fmt: skip
        return self._dice.choice(makers)(depth)

    def _range_call(self, depth: int) -> str:
        chance = self._dice.random()
        if chance < 0.1:
            return f"quantile_over_time({self._pick(('0.5', '0.9', '0', '1', '-1', '2', 'NaN'))}, {self._ranged()})"
        if chance < 0.18:
            return f"predict_linear({self._ranged()}, {self._pick(('60', '-30', '3600'))})"
        if chance < 0.24:
            factors = self._pick(("0.5, 0.5", "0.1, 0.9", "0.99, 0.01"))
            return f"double_exponential_smoothing({self._ranged()}, {factors})"
        if chance < 0.34 and depth > 1:
            name = self._pick(("avg_over_time", "max_over_time", "sum_over_time", "count_over_time", "deriv", "delta"))
            how = self._pick(("", "", " offset 1m", " offset -45s", f" @ {AT}"))
            return f"{name}(({self._vector(depth - 1)})[{self._pick(SUBQUERIES)}]{how})"
        if chance < 0.55:
            return f"{self._pick(('rate', 'increase'))}({self._ranged(COUNTERS)})"
        return f"{self._pick(RANGE_FUNCTIONS)}({self._ranged()})"

    def _function(self, depth: int) -> str:
        inner = self._vector(depth - 1)
        return self._pick(
            (
                f"{self._pick(CONTINUOUS)}({inner})", f"{self._pick(CONTINUOUS)}({inner})",
                f"clamp({inner}, {self._pick(('1, 50', '-5, 5', '7, 2', 'NaN, 1'))})",
                f"clamp_min({inner}, {self._pick(('3', '-Inf', 'NaN'))})", f"clamp_max({inner}, 3)", f"-({inner})",
                f'label_replace({inner}, "x", "$1-${{2}}", "job", "(.)(.*)")',
                f'label_replace({inner}, "job", "ü$1", "queue", "(.+)")',
                f'label_replace({inner}, "i", "", "i", ".*")',
                f'label_join({inner}, "y", "/", "job", "i", "code")',
                f'label_join({inner}, "job", "-", "nothing")', f"+({inner})", f"absent({inner})",
            )
        )  # fmt: skip

    def _aggregate(self, depth: int) -> str:
        grouping = self._pick(GROUPINGS)
        inner = self._vector(depth - 1)
        chance = self._dice.random()
        if chance < 0.12:
            return f"quantile{grouping} ({self._pick(('0', '0.3', '0.95', '1', '-1', '1.5'))}, {inner})"
        if chance < 0.24:
            # Neither NaN nor an infinity: the variance of one such value is 0 in 2.42 and NaN in 3.x. Nothing large
            # either: of means far above the spread few digits are left.
            return f"{self._pick(('stddev', 'stdvar'))}{grouping} (({inner}) > -1e4 < 1e4)"
        if chance < 0.5:
            return f"{self._pick(AGGREGATES)} ({inner}){grouping}"
        return f"{self._pick(AGGREGATES)}{grouping} ({inner})"

    def _ordered(self, depth: int) -> str:
        """Over values that are all different: which of equal ones are kept is nobody's promise."""
        del depth
        inner = self._pick(
            ("http_requests_total", "temperature", "rate(http_requests_total[5m])", "stale", "-temperature", "nothing",
             "http_requests_total offset 10m", "avg_over_time(temperature[10m])")
        )  # fmt: skip
        count = self._pick(("1", "2", "3", "50", "0", "-1", "scalar(vector(2))", "2.7"))
        return f"{self._pick(('topk', 'bottomk'))}{self._pick(GROUPINGS)} ({count}, {inner})"

    def _binary(self, depth: int) -> str:
        side = self._vector(depth - 1)
        other = self._pick((side, side, self._vector(depth - 1)))
        if self._dice.random() < 0.1:
            # Under abs, since 2.42 leaves the metric's name on.
            return f"abs(({side}) atan2 ({other}))"
        return f"({side}) {self._pick(ARITHMETIC)} ({other})"

    def _set(self, depth: int) -> str:
        op = self._pick(("and", "or", "unless"))
        return f"({self._vector(depth - 1)}) {op}{self._on()} ({self._vector(depth - 1)})"

    def _matched(self, depth: int) -> str:
        del depth
        op = self._pick(ARITHMETIC)
        left = self._pick(
            ("http_requests_total", "rate(http_requests_total[5m])", "temperature", "queue_length", "gappy")
        )
        how = self._pick(
            ("on (job) group_left (version)", "on (job) group_left ()", "on (job)", "ignoring (instance, code)",
             "ignoring (version, room, queue, i, instance, code) group_left", "on (job) group_left (version, nothing)",
             "on () group_left", "on (job, nothing) group_left")
        )  # fmt: skip
        if self._dice.random() < 0.3:
            return f"build_info {op} on (job) group_right (version) {left}"
        if self._dice.random() < 0.2:
            return f"{left} {self._pick(COMPARISONS)}{self._bool()} on (job) group_left (version) build_info"
        return f"{left} {op} {how} build_info"

    def _scalar(self, depth: int) -> str:
        simple = self._pick(("2", "0", "-1.5", "NaN", "1e3", "0x1F", "Inf", "-Inf", "time()", "pi()"))
        if depth == 0:
            return simple
        return self._pick(
            (
                simple, f"scalar({self._vector(depth - 1)})", f"scalar({self._selector(('build_info', 'constant'))})",
                f"({self._scalar(depth - 1)}) {self._pick(ARITHMETIC)} ({self._scalar(depth - 1)})",
                f"({simple}) {self._pick(COMPARISONS)} bool (time())", f"-({self._scalar(depth - 1)})",
            )
        )  # fmt: skip

    def _with_scalar(self, depth: int) -> str:
        pair = (self._vector(depth - 1), self._scalar(1))
        left, right = pair if self._dice.random() < 0.6 else pair[::-1]
        return f"({left}) {self._pick(ARITHMETIC)} ({right})"

    def _histogram(self, depth: int) -> str:
        del depth
        quantile = self._pick(("0.5", "0.9", "0.99", "0", "1", "-1", "3", "NaN", "scalar(constant) / 50"))
        return f"histogram_quantile({quantile}, " + self._pick(
            ("rate(latency_bucket[5m])", "sum by (le) (increase(latency_bucket[10m]))", "latency_bucket", "odd",
             "sum by (job, le) (rate(latency_bucket[2m30s]))", "unsteady_bucket", "open_bucket", "signed_bucket",
             "doubled_bucket", "sum without (job) (signed_bucket)", 'latency_bucket{le!="+Inf"}', "temperature",
             'label_replace(unsteady_bucket, "le", "junk", "le", "2")', "-unsteady_bucket", "latency_bucket * 0",
             "sum_over_time(signed_bucket[10m])")
        ) + ")"  # fmt: skip

    def _other(self, depth: int) -> str:
        inner = self._vector(depth - 1)
        return self._pick(
            (
                "vector(time())", f"vector({self._scalar(1)})", f"{self._pick(('minute', 'hour', 'day_of_week'))}()",
                f"sum({inner}) or vector(0)", f"(({inner}))", f"absent({self._selector(EXACT)})",
                f"absent_over_time({self._ranged()})", f"timestamp({self._selector(EXACT + SMOOTH)})",
                'absent(nothing{job="a",job="b",x=~"y",z!="w",i="3"})', f"count({inner}) without (nothing)",
                f"max_over_time(({inner})[{self._pick(SUBQUERIES)}])",
                f"count_over_time(({inner})[{self._pick(SUBQUERIES)}] offset 1m)",
            )
        )  # fmt: skip


def _split_modifier(selector: str) -> tuple[str, str, str]:
    """A selector as (what stands before `offset` or `@`, that word with a space before it, the rest)."""
    for word in (" offset ", " @ "):
        if word in selector:
            base, _, rest = selector.partition(word)
            if " @ " in base:
                base, _, before = base.partition(" @ ")
                return base, " @ ", f"{before}{word}{rest}"
            return base, word, rest
    return selector, "", ""


def generated_questions(seed: int, count: int) -> list[Question]:
    """`count` different questions."""
    generator = Generator(seed)
    found: dict[Question, None] = {}
    while len(found) < count:
        question = generator.question()
        if not any(listed.search(question.text) for listed in LISTED):
            found[question] = None
    return list(found)
