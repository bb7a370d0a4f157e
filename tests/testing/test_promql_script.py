"""The parser of test scripts: what it reads, and what it refuses."""

import math

import pytest

from swarmscope.lang.series_notation.series import parse_metric, parse_series, parse_values
from swarmscope.lang.series_notation.values import (
    ScriptHistogram,
    is_stale_value,
    nearly_equal,
    parse_histogram,
    same_value,
)
from swarmscope.testing.promql_script import (
    Clear,
    Evaluation,
    Expected,
    Grid,
    Load,
    ScriptSyntaxError,
    Subject,
    parse_duration_ms,
    parse_script,
)


def test_a_load_block_ends_at_the_blank_line():
    load, clear = parse_script('# a comment\nload 90s\n  a{b="c"} 1 2\n  # inside\n  d 3\n\nclear\n')
    assert isinstance(load, Load)
    assert load.interval_ms == 90_000
    assert [dict(one.labels) for one in load.series] == [{"__name__": "a", "b": "c"}, {"__name__": "d"}]
    assert [one.values for one in load.series] == [(1.0, 2.0), (3.0,)]
    assert not load.with_custom_buckets
    assert isinstance(clear, Clear)
    assert clear.line == 7


def test_commands_may_follow_clear_at_once():
    assert [type(command) for command in parse_script("clear\nload_with_nhcb 1m\n  a 1")] == [Clear, Load]


@pytest.mark.parametrize(
    ("text", "expected_ms"),
    [("5m", 300_000), ("1h30m", 5_400_000), ("0", 0), ("90", 90_000), ("1.5", 1500), ("-5m", -300_000), ("10ms", 10)],
)
def test_durations(text, expected_ms):
    assert parse_duration_ms(text) == expected_ms


@pytest.mark.parametrize("text", ["5x", "m", "5m3", "", "1_0"])
def test_malformed_durations(text):
    with pytest.raises(ValueError):  # noqa: PT011 - float() has many messages
        parse_duration_ms(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1 2 3", [1, 2, 3]),
        ("1x2", [1, 1, 1]),
        ("1+2x3", [1, 3, 5, 7]),
        ("10-2.5x2", [10, 7.5, 5]),
        ("-2+4x3", [-2, 2, 6, 10]),
        ("1e3+1e-1x1", [1000, 1000.1]),
        ("_ 1 _x3 2", [None, 1, None, None, None, 2]),
        ("Inf -Inf +Inf", [math.inf, -math.inf, math.inf]),
        ("0x2", [0, 0, 0]),
        ("5+Infx1", [5, math.inf]),
    ],
)
def test_expanding_notation(text, expected):
    assert list(parse_values(text)) == expected


def test_stale_and_nan_are_told_apart():
    stale, nan = parse_values("stale NaN")
    assert is_stale_value(stale)
    assert math.isnan(nan)
    assert not is_stale_value(nan)


@pytest.mark.parametrize("text", ["1+x3", "abc", "1++2x3", "1+2", "{{schema:0", "1 x3", "_x"])
def test_malformed_values(text):
    with pytest.raises(ValueError, match=r"malformed|no end"):
        parse_values(text)


def test_histogram_literal():
    literal = (
        "{{schema:1 sum:-0.3 count:3.1 z_bucket:7.1 z_bucket_w:0.05 buckets:[5.1 0 7] offset:-3 n_buckets:[4.1 5] "
        "n_offset:-5 counter_reset_hint:gauge}}"
    )
    histogram = parse_histogram(literal)
    assert (histogram.schema, histogram.sum, histogram.count) == (1, -0.3, 3.1)
    assert (histogram.zero_count, histogram.zero_threshold) == (7.1, 0.05)
    assert histogram.positive == ((-3, 5.1), (-1, 7.0))
    assert histogram.negative == ((-5, 4.1), (-4, 5.0))
    assert histogram.hint is not None
    assert histogram.hint.name == "GAUGE"
    custom = parse_histogram("{{schema:-53 custom_values:[5 10] buckets:[1 2 3]}}")
    assert custom.custom == (5, 10)
    assert custom.positive == ((0, 1), (1, 2), (2, 3))
    assert parse_histogram("{{}}") == ScriptHistogram()


@pytest.mark.parametrize("literal", ["{{sum}}", "{{sum:1 sum:2}}", "{{color:1}}", "{{buckets:3}}", "{{sum:[1]}}"])
def test_malformed_histograms(literal):
    with pytest.raises(ValueError, match="histogram"):
        parse_histogram(literal)


def test_histograms_expand_with_arithmetic():
    values = parse_values("{{count:1 sum:2 buckets:[1]}}+{{count:2 sum:1 buckets:[1 1]}}x2 {{count:4}}x1")
    assert [value.count for value in values] == [1, 3, 5, 4, 4]
    assert [value.positive for value in values[:3]] == [((0, 1),), ((0, 2), (1, 1)), ((0, 3), (1, 2))]
    falling = parse_values("{{count:5}}-{{count:2}}x2")
    assert [value.count for value in falling] == [5, 3, 1]


@pytest.mark.parametrize(
    ("text", "labels", "rest"),
    [
        ('a{b="c", d="e"} 1', {"__name__": "a", "b": "c", "d": "e"}, " 1"),
        ("a:b 1", {"__name__": "a:b"}, " 1"),
        ("{} 5", {}, " 5"),
        ('{"gen.ai tokens", "l.n"="x"} 1', {"__name__": "gen.ai tokens", "l.n": "x"}, " 1"),
        ('a{b="q\\"\\\\\\n",} 1', {"__name__": "a", "b": 'q"\\\n'}, " 1"),
        ("a{b='x',c=`y\\n`} 1", {"__name__": "a", "b": "x", "c": "y\\n"}, " 1"),
        ('a{b=""} 1', {"__name__": "a"}, " 1"),
        ("m {{count:1}}", {"__name__": "m"}, " {{count:1}}"),
    ],
)
def test_series_labels(text, labels, rest):
    parsed, following = parse_metric(text)
    assert dict(parsed) == labels
    assert following == rest


@pytest.mark.parametrize("text", ['a{b="c" 1', "a{b} 1", 'a{b="c"}1', "7 1", 'a{b="c",b="d"} 1', "a{b=c} 1"])
def test_malformed_series(text):
    with pytest.raises(ValueError, match=r"malformed|label|string|series"):
        parse_series(text)


def test_instant_evaluation():
    (command,) = parse_script(
        'eval instant at 5m sum(a) by (b)\n  expect warn\n  expect info regex:fixed .* x\n  {b="c"} 5\n'
    )
    assert isinstance(command, Evaluation)
    assert command.query == "sum(a) by (b)"
    assert command.instant_ms == 300_000
    assert command.expected == [Expected(Subject.WARN), Expected(Subject.INFO, regex="fixed .* x")]
    assert [one.values for one in command.series] == [(5.0,)]


def test_range_evaluation_and_expectations():
    (command,) = parse_script("eval range from 0 to 10m step 1m a + 1\n  expect no_warn\n  expect no_info\n  a 1 2 _ 4")
    assert command.grid == Grid(0, 600_000, 60_000)
    assert command.query == "a + 1"
    assert command.forbidden == {Subject.WARN, Subject.INFO}
    (scalar,) = parse_script("eval instant at 1m 1 + 1\n  2")
    assert scalar.scalar == 2
    (text,) = parse_script('eval instant at 1m ("Foo")\n  expect string "Foo"')
    assert text.text == "Foo"
    (vector,) = parse_script("eval instant at 1m a[1m]\n  expect range vector from 10s to 60s step 10s\n  a 1 2 3")
    assert vector.vector_grid == Grid(10_000, 60_000, 10_000)
    assert vector.instant_ms == 60_000


def test_deprecated_forms():
    fail, warn, ordered = parse_script(
        "eval_fail instant at 1m a\n  expected_fail_message gone\n\neval_warn range from 0 to 1m step 1m a\n\n"
        "eval_ordered instant at 1m sort(a)\n  a 1"
    )
    assert fail.expected == [Expected(Subject.FAIL, message="gone")]
    assert warn.expected == [Expected(Subject.WARN)]
    assert ordered.ordered
    (regexp,) = parse_script("eval_fail instant at 1m a\n  expected_fail_regexp go+ne")
    assert regexp.expected == [Expected(Subject.FAIL, regex="go+ne")]


@pytest.mark.parametrize(
    "script",
    [
        "lod 5m\n  a 1",
        "load\n  a 1",
        "load 0\n  a 1",
        "eval instant at x a",
        "eval range from 5m to 0 step 1m a",
        "eval range from 0 to 1m step 0 a",
        "eval instant at 1m a\n  expect wrn",
        "eval instant at 1m a\n  expect warn\n  expect no_warn",
        "eval instant at 1m a\n  expect fail\n  expect fail",
        "eval instant at 1m a\n  expect ordered msg:x",
        "eval instant at 1m a\n  expect warn regex:(",
        "eval instant at 1m a\n  a 1 2",
        "eval instant at 1m a\n  a 1\n  a 2",
        "eval instant at 1m a\n  expect string Foo",
        "eval instant at 1m a\n  expected_fail_message x",
        "eval range from 0 to 1m step 1m a\n  expect ordered",
        'eval range from 0 to 1m step 1m a\n  expect string "x"',
    ],
)
def test_refused_scripts(script):
    with pytest.raises(ScriptSyntaxError, match="line"):
        parse_script(script)


def test_an_error_names_its_line():
    with pytest.raises(ScriptSyntaxError) as caught:
        parse_script("load 5m\n  a 1\n  b oops\n")
    assert caught.value.line == 3


@pytest.mark.parametrize(
    ("expected", "actual", "equal"),
    [
        (1.0, 1.0 + 1e-7, True),
        (1.0, 1.0 + 1e-5, False),
        (0.0, 1e-300, False),
        (0.0, -0.0, True),
        (math.nan, math.nan, True),
        (math.nan, 1.0, False),
        (math.inf, math.inf, True),
        (math.inf, -math.inf, False),
        (math.inf, 1.7e308, False),
    ],
)
def test_float_tolerance(expected, actual, equal):
    assert nearly_equal(expected, actual) is equal


def test_histogram_equality_looks_at_everything_but_an_ungiven_hint():
    base = parse_histogram("{{schema:0 sum:5 count:4 z_bucket:1 z_bucket_w:0.1 buckets:[1 2] n_buckets:[3]}}")
    hinted = parse_histogram(
        "{{schema:0 sum:5 count:4 z_bucket:1 z_bucket_w:0.1 buckets:[1 2] n_buckets:[3] counter_reset_hint:gauge}}"
    )
    assert same_value(base, hinted)
    assert not same_value(hinted, base)
    for other in (
        "{{schema:1 sum:5 count:4 z_bucket:1 z_bucket_w:0.1 buckets:[1 2] n_buckets:[3]}}",
        "{{schema:0 sum:6 count:4 z_bucket:1 z_bucket_w:0.1 buckets:[1 2] n_buckets:[3]}}",
        "{{schema:0 sum:5 count:5 z_bucket:1 z_bucket_w:0.1 buckets:[1 2] n_buckets:[3]}}",
        "{{schema:0 sum:5 count:4 z_bucket:2 z_bucket_w:0.1 buckets:[1 2] n_buckets:[3]}}",
        "{{schema:0 sum:5 count:4 z_bucket:1 z_bucket_w:0.2 buckets:[1 2] n_buckets:[3]}}",
        "{{schema:0 sum:5 count:4 z_bucket:1 z_bucket_w:0.1 buckets:[1 3] n_buckets:[3]}}",
        "{{schema:0 sum:5 count:4 z_bucket:1 z_bucket_w:0.1 buckets:[0 1 2] n_buckets:[3]}}",
        "{{schema:0 sum:5 count:4 z_bucket:1 z_bucket_w:0.1 buckets:[1 2] n_buckets:[4]}}",
    ):
        assert not same_value(base, parse_histogram(other)), other
    assert not same_value(base, 5.0)
    assert not same_value(5.0, base)
