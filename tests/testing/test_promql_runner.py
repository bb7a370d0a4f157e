"""The script runner must be able to fail: every kind of wrong answer is reported, and right ones are not."""

import math
from dataclasses import dataclass, field

import pytest

from swarmscope.lang.series_notation.series import parse_series
from swarmscope.lang.series_notation.values import parse_histogram
from swarmscope.model.errors import QueryFailedError
from swarmscope.model.staleness import STALE_NAN
from swarmscope.testing.classic_conversion import custom_bucket_series
from swarmscope.testing.promql_runner import run_script
from swarmscope.testing.script_target import Answer

A, B = {"__name__": "m", "job": "a"}, {"__name__": "m", "job": "b"}
AT = 60_000


@dataclass
class FixedTarget:
    """Answers what it was given, whatever the query."""

    instant: Answer | Exception
    ranged: Answer | Exception = field(default_factory=lambda: QueryFailedError("not asked for"))
    loaded: list = field(default_factory=list)

    def load(self, series, interval_ms):
        self.loaded.append((interval_ms, list(series)))

    def clear(self):
        self.loaded.clear()

    def query_instant(self, query, time_ms):
        return self._answer(self.instant)

    def query_range(self, query, grid):
        return self._answer(self.ranged)

    @staticmethod
    def _answer(answer):
        if isinstance(answer, Exception):
            raise answer
        return answer


def vector(*series, warnings=(), infos=()):
    points = [(labels, [(AT, value)]) for labels, value in series]
    return Answer("vector", points, warnings=tuple(warnings), infos=tuple(infos))


def problems(expectation, answer, ranged=None):
    target = FixedTarget(answer, ranged or QueryFailedError("not asked for"))
    return [failure.message for failure in run_script(f"eval instant at 1m m\n{expectation}", target)]


RIGHT = '  m{job="a"} 1\n  m{job="b"} 2\n'


def test_the_right_answer_passes_in_any_order():
    assert problems(RIGHT, vector((A, 1.0), (B, 2.0))) == []
    assert problems(RIGHT, vector((B, 2.0), (A, 1.0))) == []


@pytest.mark.parametrize(
    ("answer", "reported"),
    [
        (vector((A, 1.0), (B, 2.1)), "expected 2.0, got 2.1"),
        (vector((A, 1.0)), "is missing"),
        (vector((A, 1.0), (B, 2.0), ({"__name__": "n"}, 3.0)), "was not expected"),
        (vector((A, 1.0), ({**B, "x": "y"}, 2.0)), "is missing"),
        (vector((A, 1.0), (A, 1.0), (B, 2.0)), "stands twice"),
        (vector((A, 1.0), (B, math.nan)), "got nan"),
        (vector((A, 1.0), (B, parse_histogram("{{count:2}}"))), "got {{schema:0"),
        (Answer("matrix", [(A, [(AT, 1.0)]), (B, [(AT, 2.0)])]), "the answer is a matrix"),
        (Answer("scalar", [({}, [(AT, 1.0)])]), "got the scalar"),
        (Answer("string", [], "m"), "expected no string"),
        (QueryFailedError("boom"), "the query failed: boom"),
    ],
)
def test_a_wrong_answer_is_reported(answer, reported):
    assert any(reported in problem for problem in problems(RIGHT, answer))


def test_an_empty_expectation_refuses_any_series():
    assert problems("", vector()) == []
    assert problems("", vector((A, 1.0))) != []


def test_order_counts_only_where_it_is_asked_for():
    assert problems("  expect ordered\n" + RIGHT, vector((A, 1.0), (B, 2.0))) == []
    assert "the order is" in problems("  expect ordered\n" + RIGHT, vector((B, 2.0), (A, 1.0)))[0]


def test_stale_markers_and_nan_differ():
    assert problems('  m{job="a"} NaN\n', vector((A, math.nan))) == []
    assert problems('  m{job="a"} NaN\n', vector((A, float(STALE_NAN)))) != []
    assert problems('  m{job="a"} stale\n', vector((A, math.nan))) != []


ANSWERED = vector((A, 1.0), warnings=["PromQL warning: odd (1:3)"], infos=["PromQL info: one (1:1)"])
ONE = '  m{job="a"} 1\n'


@pytest.mark.parametrize(
    "expectation",
    [
        "",
        "  expect warn\n",
        "  expect info\n",
        "  expect warn msg:PromQL warning: odd\n",
        "  expect warn msg: PromQL warning: odd (1:3)\n",
        '  expect warn msg: "PromQL warning: odd"\n',
        '  expect warn regex: "warning: o.d"\n',
        "  expect warn regex:warning: o.d\n",
        "  expect info regex:one\n  expect warn regex:odd\n",
    ],
)
def test_met_annotations(expectation):
    assert problems(expectation + ONE, ANSWERED) == []


@pytest.mark.parametrize(
    ("expectation", "reported"),
    [
        ("  expect no_warn\n", "expected no warn"),
        ("  expect no_info\n", "expected no info"),
        ("  expect warn msg:PromQL warning: other\n", "expected the warn annotation"),
        ("  expect warn regex:od{2}d\n", "expected the warn annotation"),
        ("  expect info msg:PromQL info: on\n", "expected the info annotation"),
        ("  expect fail\n", "expected the query to fail"),
    ],
)
def test_unmet_annotations(expectation, reported):
    assert any(reported in problem for problem in problems(expectation + ONE, ANSWERED))


def test_missing_and_further_annotations():
    assert problems("  expect warn\n" + ONE, vector((A, 1.0))) != []
    two = vector((A, 1.0), warnings=["PromQL warning: odd", "PromQL warning: even"])
    assert problems("  expect warn msg:PromQL warning: odd\n" + ONE, two) == [
        "the warn annotation 'PromQL warning: even' was not expected"
    ]


@pytest.mark.parametrize(
    ("expectation", "passes"),
    [
        ("  expect fail\n", True),
        ("  expect fail msg:boom at 3\n", True),
        ("  expect fail msg:boom\n", False),
        ("  expect fail regex:bo+m\n", True),
        ("  expect fail regex:^m\n", False),
    ],
)
def test_failures(expectation, passes):
    assert (problems(expectation, QueryFailedError("boom at 3")) == []) is passes


def test_scalars_and_strings():
    scalar = Answer("scalar", [({}, [(AT, 5.0)])])
    assert problems("  5\n", scalar) == []
    assert problems("  6\n", scalar) != []
    assert problems("  5\n", vector(({}, 5.0))) != []
    text = Answer("string", [], "Foo")
    assert problems('  expect string "Foo"\n', text) == []
    assert problems('  expect string "Bar"\n', text) != []
    assert problems('  expect string "Foo"\n', vector()) != []


def test_an_instant_answer_is_rechecked_inside_a_range():
    good = Answer("matrix", [(A, [(0, 7.0), (AT, 1.0), (2 * AT, 9.0)])])
    bad = Answer("matrix", [(A, [(0, 1.0), (AT, 3.0)])])
    assert problems(ONE, vector((A, 1.0)), good) == []
    assert problems(ONE, vector((A, 1.0)), bad)[0].startswith("as part of a range")
    assert problems(ONE, vector((A, 1.0)), Answer("matrix", [])) != []


RANGE = "eval range from 0 to 2m step 1m m\n"


@pytest.mark.parametrize(
    ("points", "passes"),
    [
        ([(0, 1.0), (120_000, 3.0)], True),
        ([(0, 1.0), (60_000, 2.0), (120_000, 3.0)], False),
        ([(0, 1.0)], False),
        ([(0, 1.0), (120_000, 4.0)], False),
        ([(0, 1.0), (120_001, 3.0)], False),
    ],
)
def test_ranges_are_compared_point_by_point(points, passes):
    target = FixedTarget(QueryFailedError("unused"), Answer("matrix", [(A, points)]))
    assert (run_script(RANGE + '  m{job="a"} 1 _ 3\n', target) == []) is passes


def test_a_range_vector_is_compared_on_its_own_grid():
    script = "eval instant at 1m m[30s]\n  expect range vector from 40s to 60s step 10s\n" + '  m{job="a"} 1 2 3\n'
    points = [(40_000, 1.0), (50_000, 2.0), (60_000, 3.0)]
    assert run_script(script, FixedTarget(Answer("matrix", [(A, points)]))) == []
    assert run_script(script, FixedTarget(Answer("matrix", [(A, points[:2])]))) != []


def test_load_and_clear_reach_the_target():
    target = FixedTarget(vector())
    run_script("load 5m\n  m 1\n", target)
    assert [interval for interval, _ in target.loaded] == [300_000]
    run_script("clear\n", target)
    assert target.loaded == []


def test_a_failure_names_line_and_query():
    (failure,) = run_script(
        "load 1m\n  m 1\n\neval instant at 1m m\n  m 2\n", FixedTarget(vector(({"__name__": "m"}, 1)))
    )
    assert failure.line == 4
    assert str(failure).startswith("line 4: m\n")


def test_classic_histograms_become_custom_buckets():
    series = [
        parse_series(line)
        for line in (
            'h_bucket{le="1",job="a"} 2 _',
            'h_bucket{le="5",job="a"} 3 6',
            'h_bucket{le="+Inf",job="a"} 7 8',
            'h_count{job="a"} 7 8',
            'h_sum{job="a"} 20 30',
            "other_count 5",
        )
    ]
    (native,) = custom_bucket_series(series)
    assert dict(native.labels) == {"__name__": "h", "job": "a"}
    assert native.values == (
        parse_histogram("{{schema:-53 count:7 sum:20 custom_values:[1 5] buckets:[2 1 4]}}"),
        parse_histogram("{{schema:-53 count:8 sum:30 custom_values:[5] buckets:[6 2]}}"),
    )


def test_a_message_may_end_with_a_quoted_name():
    odd = vector((A, 1.0), warnings=['PromQL warning: odd metric "m" (1:3)'])
    assert problems('  expect warn msg:PromQL warning: odd metric "m"\n' + ONE, odd) == []
