"""LogQL to tree and back: meanings from Loki's documentation, refusals, bounds, and the round trip for any tree."""

from contextlib import suppress
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from swarmscope.lang.logql import parse_log_query, parse_logql, parse_metric_query, parse_selector, to_pretty, to_text
from swarmscope.lang.logql.nodes import (
    BinaryOperation,
    BothFilters,
    BytesFilter,
    Cardinality,
    Comparison,
    Decolorize,
    DropLabels,
    DurationFilter,
    EitherFilter,
    Extraction,
    FormatLabel,
    Grouping,
    IpFilter,
    IpPattern,
    JsonParser,
    KeepLabels,
    LabelFormat,
    LabelReplace,
    LineFilter,
    LineFilterOperator,
    LineFormat,
    LogfmtParser,
    LogPipeline,
    NumberFilter,
    NumberLiteral,
    PatternParser,
    RangeAggregation,
    RegexpParser,
    RenameLabel,
    StringFilter,
    UnpackParser,
    Unwrap,
    VectorAggregation,
    VectorLiteral,
    VectorMatching,
    walk,
)
from swarmscope.lang.logql.parse import MAX_QUERY_LENGTH
from swarmscope.lang.logql.registry import RANGE_AGGREGATIONS, SET_OPERATORS, VECTOR_AGGREGATIONS
from swarmscope.model.errors import QuerySyntaxError, SwarmscopeError, UnsupportedQueryError
from swarmscope.model.matchers import Matcher, MatchOperator
from tests.lang.logql_queries import METRICS, SELECTORS, STAGES
from tests.portion import portion

APP = (Matcher("app", MatchOperator.EQUAL, "x"),)


def _is(name, value="1"):
    return StringFilter(Matcher(name, MatchOperator.EQUAL, value))


def _stages(text):
    return parse_log_query('{app="x"} ' + text).stages


@pytest.mark.parametrize(
    ("text", "stages"),
    [
        ('|= "a"', [LineFilter(LineFilterOperator.CONTAINS, ("a",))]),
        (
            '|= "a" or "b" != "c"',
            [LineFilter(LineFilterOperator.CONTAINS, ("a", "b")), LineFilter(LineFilterOperator.NOT_CONTAINS, ("c",))],
        ),
        (r"|~ `\d+`", [LineFilter(LineFilterOperator.MATCHES, (r"\d+",))]),
        ('|> "<_>a"', [LineFilter(LineFilterOperator.PATTERN, ("<_>a",))]),
        ('!= ip("10.0.0.0/8")', [LineFilter(LineFilterOperator.NOT_CONTAINS, (IpPattern("10.0.0.0/8"),))]),
        ("| json", [JsonParser()]),
        ("| json servers", [JsonParser((Extraction("servers", "servers"),))]),
        (r'| json ua="h[\"User-Agent\"]"', [JsonParser((Extraction("ua", 'h["User-Agent"]'),))]),
        ("| logfmt --strict --keep-empty a", [LogfmtParser((Extraction("a", "a"),), True, True)]),
        ('| regexp "(?P<a>.)"', [RegexpParser("(?P<a>.)")]),
        ('| pattern "<a>"', [PatternParser("<a>")]),
        ("| unpack | decolorize", [UnpackParser(), Decolorize()]),
        ('| line_format "{{.a}}"', [LineFormat("{{.a}}")]),
        ('| label_format a=b,c="{{.d}}"', [LabelFormat((RenameLabel("a", "b"), FormatLabel("c", "{{.d}}")))]),
        ('| drop a, b=~"c"', [DropLabels(("a", Matcher("b", MatchOperator.REGEX, "c")))]),
        ('| keep a, b="c"', [KeepLabels(("a", Matcher("b", MatchOperator.EQUAL, "c")))]),
        ("| s=200", [NumberFilter("s", Comparison.EQUAL, 200.0)]),
        ("| s>-1.5e1", [NumberFilter("s", Comparison.GREATER, -15.0)]),
        ("| d>=1h30m", [DurationFilter("d", Comparison.GREATER_EQUAL, 5_400_000_000_000)]),
        ("| d<1.5h", [DurationFilter("d", Comparison.LESS, 5_400_000_000_000)]),
        ("| d!=2d", [DurationFilter("d", Comparison.NOT_EQUAL, 172_800_000_000_000)]),
        ("| d<=300ms", [DurationFilter("d", Comparison.LESS_EQUAL, 300_000_000)]),
        ("| b>20MB", [BytesFilter("b", Comparison.GREATER, 20_000_000)]),
        ("| b>1.5KiB", [BytesFilter("b", Comparison.GREATER, 1536)]),
        ("| b>42kB", [BytesFilter("b", Comparison.GREATER, 42_000)]),
        ('| a=ip("::1")', [IpFilter("a", MatchOperator.EQUAL, "::1")]),
        # `and` binds tighter than `or`; a comma and a space are an `and`.
        ('| a="1" or b="1" and c="1"', [EitherFilter(_is("a"), BothFilters(_is("b"), _is("c")))]),
        ('| a="1" or b="1", c="1"', [EitherFilter(_is("a"), BothFilters(_is("b"), _is("c")))]),
        ('| a="1" or b="1" c="1"', [EitherFilter(_is("a"), BothFilters(_is("b"), _is("c")))]),
        ('| a="1" b="1" or c="1"', [EitherFilter(BothFilters(_is("a"), _is("b")), _is("c"))]),
        ('| (a="1" or b="1") and c="1"', [BothFilters(EitherFilter(_is("a"), _is("b")), _is("c"))]),
        ('| a="1" | b="1"', [_is("a"), _is("b")]),
        ('| a="1" != "x"', [_is("a"), LineFilter(LineFilterOperator.NOT_CONTAINS, ("x",))]),
        ('| drop a != "x"', [DropLabels((Matcher("a", MatchOperator.NOT_EQUAL, "x"),))]),
        ("| json # comment\n# another\n| unpack", [JsonParser(), UnpackParser()]),
        ('| orders="1" | android="1"', [_is("orders"), _is("android")]),
    ],
)
def test_stages(text, stages):
    assert list(_stages(text)) == stages


def _rate(name="x", **more):
    return RangeAggregation("rate", LogPipeline((Matcher("app", MatchOperator.EQUAL, name),)), 300_000_000_000, **more)


RATE = 'rate({app="x"}[5m])'


@pytest.mark.parametrize(
    ("text", "tree"),
    [
        (RATE, _rate()),
        ('rate({app="x"}[5m] offset 1m)', _rate(offset_ns=60_000_000_000)),
        ('rate({app="x"}[5m] offset -1m)', _rate(offset_ns=-60_000_000_000)),
        ('rate(({app="x"})[5m])', _rate()),
        ('rate({app="x"} | json [5m])', RangeAggregation("rate", LogPipeline(APP, (JsonParser(),)), 300_000_000_000)),
        ('rate({app="x"}[5m] | json)', RangeAggregation("rate", LogPipeline(APP, (JsonParser(),)), 300_000_000_000)),
        (f"sum by (a, b) ({RATE})", VectorAggregation("sum", _rate(), Grouping(("a", "b")))),
        (f"sum({RATE}) without (a)", VectorAggregation("sum", _rate(), Grouping(("a",), without=True))),
        (f"sum by () ({RATE})", VectorAggregation("sum", _rate(), Grouping(()))),
        (f"topk(3, {RATE})", VectorAggregation("topk", _rate(), parameter=3)),
        (f"{RATE} > bool 5", BinaryOperation(">", _rate(), NumberLiteral(5.0), return_bool=True)),
        (f"{RATE} / {RATE}", BinaryOperation("/", _rate(), _rate(), matching=VectorMatching())),
        (
            f"{RATE} * on (a) group_left (b) {RATE}",
            BinaryOperation(
                "*", _rate(), _rate(), matching=VectorMatching(Cardinality.MANY_TO_ONE, ("a",), True, ("b",))
            ),
        ),
        (
            f"{RATE} or ignoring (a) {RATE}",
            BinaryOperation("or", _rate(), _rate(), matching=VectorMatching(Cardinality.MANY_TO_MANY, ("a",))),
        ),
        ("vector(-2)", VectorLiteral(-2.0)),
        ("1 + 2 * 3", BinaryOperation("+", NumberLiteral(1), BinaryOperation("*", NumberLiteral(2), NumberLiteral(3)))),
        ("2 ^ 3 ^ 4", BinaryOperation("^", NumberLiteral(2), BinaryOperation("^", NumberLiteral(3), NumberLiteral(4)))),
        ("7 - 2 - 1", BinaryOperation("-", BinaryOperation("-", NumberLiteral(7), NumberLiteral(2)), NumberLiteral(1))),
        (f'label_replace({RATE}, "a", "$1", "b", "(.*)")', LabelReplace(_rate(), "a", "$1", "b", "(.*)")),
        (
            'quantile_over_time(0.9, {app="x"} | unwrap duration(d) | __error__="" [5m]) by (h)',
            RangeAggregation(
                "quantile_over_time",
                LogPipeline(APP),
                300_000_000_000,
                0,
                Unwrap("d", "duration", (_is("__error__", ""),)),
                Grouping(("h",)),
                0.9,
            ),
        ),
    ],
)
def test_metric_queries(text, tree):
    assert parse_metric_query(text) == tree


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{}", "queries require at least one regexp or equality matcher"),
        ('{app=""}', "queries require at least one"),
        ('{app=~".*"}', "queries require at least one"),
        ('{app!="x"}', "queries require at least one"),
        ('{app=~"("}', "parse error at line 1, col 7: error parsing regexp"),
        ('{app="x"} |~ "("', "error parsing regexp"),
        ('{app="x"} | regexp "("', "error parsing regexp"),
        ('{app="x"} | regexp "a"', "at least one named capture"),
        ('{app="x"} | pattern "a"', "at least one capture is required"),
        ('{app="x"} | pattern "<_>"', "at least one capture is required"),
        ('{app="x"} | pattern "<a><b>"', "found consecutive capture '<a>'"),
        ('{app="x"} | pattern "<a> <a>"', "duplicate capture name (a)"),
        ('{app="x"} |> "<a>"', "named captures are not allowed"),
        ('{app="x"} |~ ip("1.1.1.1")', "ip: invalid operation |~"),
        ('{app="x"} |= ip("1.1.1")', "ip: invalid pattern"),
        ('{app="x"} |= ip("10.0.0.9-10.0.0.1")', "ip: invalid pattern"),
        ('{app="x"} | json a="b["', "cannot parse expression"),
        ('{app="x"} | json a=".b"', "cannot parse expression"),
        ('{app="x"} | logfmt --loose', "unexpected flag --loose"),
        ('{app="x"} | label_format a=b,a="c"', "multiple label name 'a' not allowed"),
        ('{app="x"} | label_format __error__=b', "__error__ cannot be formatted"),
        ('{app="x"} | line_format "{{.a"', "invalid template"),
        ('{app="x"} | line_format "{{nope .a}}"', 'function "nope" not defined'),
        ('{app="x"} | unwrap a', "unwrap is for range aggregations alone"),
        ('sum_over_time({app="x"}[5m])', "invalid aggregation sum_over_time without unwrap"),
        ('count_over_time({app="x"} | unwrap a [5m])', "invalid aggregation count_over_time with unwrap"),
        ('rate({app="x"}[5m]) by (a)', "grouping not allowed for rate aggregation"),
        ('sum_over_time({app="x"} | unwrap a [5m]) by (a)', "grouping not allowed for sum_over_time"),
        ('quantile_over_time({app="x"} | unwrap a [5m])', "parameter required for operation quantile_over_time"),
        ('avg_over_time(1, {app="x"} | unwrap a [5m])', "parameter 1 not supported for operation avg_over_time"),
        ('rate({app="x"} | unwrap a | json [5m])', "only label filters may stand behind unwrap"),
        ('rate({app="x"} | unwrap a | unwrap b [5m])', "only label filters may stand behind unwrap"),
        ('rate({app="x"} | unwrap seconds(a) [5m])', "unexpected seconds"),
        ('rate({app="x"} | json [5m] | json)', "before the range or behind it"),
        ('rate({app="x"}[0s])', "longer than 0"),
        ('rate({app="x"}[300y])', "duration out of range"),
        (f"topk({RATE})", "parameter required for operation topk"),
        (f"topk(0, {RATE})", "greater than 0"),
        (f"topk(1.5, {RATE})", "whole number"),
        (f"sum(3, {RATE})", "unsupported parameter for operation sum(3,"),
        (f"approx_topk by (a) (3, {RATE})", "grouping not allowed for approx_topk"),
        (f"sort by (a) ({RATE})", "grouping not allowed for sort"),
        (f"{RATE} or 1", "unexpected literal for right side of logical/set binary operation (or): 1"),
        (f"1 and {RATE}", "unexpected literal for left side"),
        (f"{RATE} and on (a) group_left {RATE}", "no grouping allowed"),
        (f"{RATE} / on (a) group_left (a) {RATE}", "must not occur in ON and GROUP"),
        (f'label_replace({RATE}, "a", "b", "c", "(")', "error parsing regexp"),
        ("foo({}[5m])", "unknown function or aggregation foo"),
        ("1e999", "number out of range"),
        ('{app="\\q"}', "invalid escape"),
        ('{app="x"} |= ', "parse error at line 1, col 14: syntax error: unexpected $end, expecting STRING or ip"),
        ('{app="x"}\n|= "a" |= 5', "parse error at line 2, col 11: syntax error: unexpected NUMBER"),
        ('{app="x', "parse error at line 1, col 6: literal not terminated"),
        ("{app=\"x\"} | json a='b'", "parse error at line 1, col 20: syntax error: unexpected"),
    ],
)
def test_refusals(text, message):
    with pytest.raises(QuerySyntaxError, match="parse error") as error:
        parse_logql(text)
    assert message in str(error.value)


def test_what_other_versions_have_is_refused_by_name():
    with pytest.raises(UnsupportedQueryError, match="variants"):
        parse_logql('variants(rate({app="x"}[1m])) of ({app="x"}[1m])')


def test_kinds_of_queries():
    with pytest.raises(QuerySyntaxError, match="only log selector"):
        parse_log_query("vector(1)")
    with pytest.raises(QuerySyntaxError, match="metric query is wanted"):
        parse_metric_query('{app="x"}')
    assert parse_selector('{app="x"}') == APP
    assert parse_selector("{ }") == parse_selector("") == ()
    with pytest.raises(QuerySyntaxError, match="no pipeline"):
        parse_selector('{app="x"} | json')


def test_positions_point_into_the_text():
    text = 'sum(rate({app="x"} | json\n| a > 5 [5m]))'
    spans = {
        type(node).__name__: text[node.span.start : node.span.end] for node in walk(parse_logql(text)) if node.span
    }
    assert spans["RangeAggregation"] == 'rate({app="x"} | json\n| a > 5 [5m])'
    assert spans["LogPipeline"] == '{app="x"} | json\n| a > 5'
    with pytest.raises(QuerySyntaxError) as error:
        parse_logql('{app="x"} | json |')
    assert error.value.position == 18


@pytest.mark.parametrize(
    "text",
    [
        "1" + "+1" * 60_000,
        "(" * 60_000 + "1" + ")" * 60_000,
        "sum(" * 30_000 + "vector(1)" + ")" * 30_000,
        '{app="x"} | ' + "(" * 60_000 + 'a="1"' + ")" * 60_000,
        '{app="x"} | ' + " or ".join(['a="1"'] * 15_000),
        "{" * 100_000,
        "2" + "^2" * 60_000,
        "x" * (MAX_QUERY_LENGTH + 1),
        '{app="x"} |= "' + "\\" * 99_999,
    ],
    ids=["plus", "brackets", "calls", "filter brackets", "ors", "braces", "powers", "long", "escapes"],
)
def test_hostile_texts_end_as_refusals(text):
    with suppress(SwarmscopeError):
        to_text(parse_logql(text))  # brackets alone may nest: they leave no nodes


def test_long_lists_are_no_nesting():
    text = '{app="x"}' + ' |= "a"' * 5_000
    assert len(parse_log_query(text).stages) == 5_000


@pytest.mark.parametrize("text", SELECTORS + [f'{{app="x"}} {stage}' for stage in STAGES] + METRICS)
def test_printing_reads_back(text):
    tree = parse_logql(text)
    assert parse_logql(to_text(tree)) == tree
    assert parse_logql(to_pretty(tree)) == tree


# Any tree, not just what a text of ours happens to hold.
_NAME = st.from_regex(r"[a-z_][a-z0-9_]{0,6}", fullmatch=True)
_TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
_NUMBER = st.floats(allow_nan=False, allow_infinity=False, width=32)
_NS = st.integers(1, 10**15)
_MATCHER = st.builds(Matcher, _NAME, st.sampled_from([MatchOperator.EQUAL, MatchOperator.NOT_EQUAL]), _TEXT)
_COMPARISON = st.sampled_from(Comparison)
_CONDITION = st.recursive(
    st.one_of(
        st.builds(StringFilter, _MATCHER),
        st.builds(NumberFilter, _NAME, _COMPARISON, _NUMBER),
        st.builds(DurationFilter, _NAME, _COMPARISON, _NS),
        st.builds(BytesFilter, _NAME, _COMPARISON, st.integers(0, 1 << 62)),
        st.builds(IpFilter, _NAME, st.just(MatchOperator.EQUAL), st.just("10.0.0.1")),
    ),
    lambda inner: st.one_of(st.builds(BothFilters, inner, inner), st.builds(EitherFilter, inner, inner)),
    max_leaves=6,
)
_EXTRACTIONS = st.lists(st.builds(Extraction, _NAME, _NAME), max_size=3).map(tuple)
_CHOICES = st.lists(st.one_of(_NAME, _MATCHER), min_size=1, max_size=3).map(tuple)
_PLAIN_FILTERS = st.sampled_from([LineFilterOperator.CONTAINS, LineFilterOperator.NOT_CONTAINS])
_STAGE = st.one_of(
    st.builds(LineFilter, _PLAIN_FILTERS, st.lists(_TEXT, min_size=1, max_size=3).map(tuple)),
    st.builds(JsonParser, _EXTRACTIONS),
    st.builds(LogfmtParser, _EXTRACTIONS, st.booleans(), st.booleans()),
    st.builds(LabelFormat, st.builds(RenameLabel, _NAME, _NAME).map(lambda each: (each,))),
    st.builds(LineFormat, st.just('{{.a}} "quoted" `raw`')),
    st.builds(DropLabels, _CHOICES),
    st.builds(KeepLabels, _CHOICES),
    st.just(Decolorize()),
    st.just(UnpackParser()),
    _CONDITION,
)


def _writable(stages):
    """No text means `| drop a` before `!= "x"`: it reads as a condition on the label."""
    return not any(
        isinstance(stage, DropLabels | KeepLabels)
        and isinstance(stage.labels[-1], str)
        and isinstance(after, LineFilter)
        and after.operator.negative
        for stage, after in pairwise(stages)
    )


_PIPELINE = st.builds(LogPipeline, st.just(APP), st.lists(_STAGE, max_size=4).map(tuple).filter(_writable))
_GROUPING = st.builds(Grouping, st.lists(_NAME, max_size=3).map(tuple), st.booleans())
_UNWRAP = st.builds(
    Unwrap, _NAME, st.sampled_from(["", "bytes", "duration"]), st.lists(_CONDITION, max_size=2).map(tuple)
)


@st.composite
def _range_aggregations(draw):
    operator = draw(st.sampled_from(sorted(RANGE_AGGREGATIONS)))
    told = RANGE_AGGREGATIONS[operator]
    unwrap = draw(_UNWRAP) if not told.over_lines or (told.over_values and draw(st.booleans())) else None
    return RangeAggregation(
        operator,
        draw(_PIPELINE),
        draw(_NS),
        draw(st.integers(-(10**15), 10**15)),
        unwrap,
        draw(st.none() | _GROUPING) if told.grouping else None,
        draw(_NUMBER) if told.parameter else None,
    )


@st.composite
def _vector_aggregations(draw, inner):
    told = VECTOR_AGGREGATIONS[draw(st.sampled_from(sorted(VECTOR_AGGREGATIONS)))]
    parameter = draw(st.integers(1, 10**6)) if told.parameter else None
    return VectorAggregation(told.name, draw(inner), draw(st.none() | _GROUPING) if told.grouping else None, parameter)


@st.composite
def _binary_operations(draw, inner):
    op = draw(st.sampled_from(["+", "-", "*", "/", "%", "^", "==", "!=", ">", "<", ">=", "<=", "and", "or", "unless"]))
    matching = VectorMatching(Cardinality.MANY_TO_MANY if op in SET_OPERATORS else Cardinality.ONE_TO_ONE, ("a",), True)
    if op not in SET_OPERATORS and draw(st.booleans()):
        return BinaryOperation(op, draw(inner), NumberLiteral(draw(_NUMBER)), return_bool=op in "==>=<=!=")
    return BinaryOperation(op, draw(inner), draw(inner), matching=matching)


_METRIC = st.recursive(
    _range_aggregations() | st.builds(VectorLiteral, _NUMBER),
    lambda inner: st.one_of(
        _vector_aggregations(inner),
        _binary_operations(inner),
        st.builds(LabelReplace, inner, _NAME, _TEXT, _NAME, st.just("(.*)")),
    ),
    max_leaves=5,
)


@settings(max_examples=portion(300, 100), deadline=None)
@given(_PIPELINE | _METRIC)
def test_any_tree_prints_and_reads_back(tree):
    assert parse_logql(to_text(tree)) == tree
    assert parse_logql(to_pretty(tree)) == tree


@settings(max_examples=portion(300, 100), deadline=None)
@given(st.text(st.sampled_from('{}()[]="|~!<>abor 15m.\\`,#+-^\n'), max_size=40))
def test_any_text_parses_or_is_refused(text):
    try:
        tree = parse_logql(text)
    except SwarmscopeError:
        return
    assert parse_logql(to_text(tree)) == tree


def test_short_queries_stay_on_one_line():
    assert (
        to_pretty(parse_logql('sum(rate({app="x"}|="a"[5m]))by(level)'))
        == 'sum by (level) (rate({app="x"} |= "a" [5m]))'
    )


def test_long_queries_are_broken_at_stages_and_brackets():
    text = (
        'topk(5,sum by(level)(rate({namespace="production",app="checkout"}|="error"!="timeout"|json|duration>10s'
        '|line_format "{{.message}}"[5m] offset 1h)))'
    )
    assert to_pretty(parse_logql(text)).splitlines() == [
        "topk(",
        "  5,",
        "  sum by (level) (",
        "    rate(",
        '      {namespace="production", app="checkout"}',
        '        |= "error"',
        '        != "timeout"',
        "        | json",
        "        | duration>10s",
        '        | line_format "{{.message}}"',
        "        [5m] offset 1h",
        "    )",
        "  )",
        ")",
    ]
