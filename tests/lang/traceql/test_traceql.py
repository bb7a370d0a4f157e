"""TraceQL to tree and back: meanings from Tempo's documentation, refusals, bounds, and the round trip for any tree."""

from contextlib import suppress

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from swarmscope.lang.traceql import parse_spanset_filter, parse_traceql
from swarmscope.lang.traceql.nodes import (
    Attribute,
    FieldOperation,
    Intrinsic,
    IntrinsicField,
    Literal,
    ScalarFilter,
    ScalarPipeline,
    SpansetOperation,
    UnaryOperation,
    ValueType,
)
from swarmscope.lang.traceql.parse import MAX_QUERY_LENGTH
from swarmscope.lang.traceql.registry import INTRINSIC_SPELLINGS
from swarmscope.model.errors import QuerySyntaxError, SwarmscopeError, UnsupportedQueryError
from swarmscope.model.spans import AttributeScope, SpanKind, SpanStatus
from tests.lang.traceql.generation import queries
from tests.portion import portion


def _condition(text):
    return parse_traceql(f"{{ {text} }}").pipeline.stages[0].condition


@settings(max_examples=portion(100, 33), deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(queries)
def test_what_a_tree_prints_parses_to_the_same_tree(query):
    assert parse_traceql(str(query)) == query


@pytest.mark.parametrize(
    ("text", "printed"),
    [
        (".a || .b && .c", "(.a || .b) && .c"),  # one rank for both, from left to right
        (".a && .b || .c", "(.a && .b) || .c"),
        (".a = 1 && .b = 2", "(.a = 1) && (.b = 2)"),
        ("1 + 2 * 3 ^ 2 ^ 2 = .a", "(1 + (2 * (3 ^ (2 ^ 2)))) = .a"),
        ("8 / 4 / 2 = .a", "((8 / 4) / 2) = .a"),
        ("-.a ^ 2 = .b", "(-(.a ^ 2)) = .b"),
        ("-.a * 2 = .b", "((-.a) * 2) = .b"),
        ("!.a && .b", "(!.a) && .b"),
        ("!.a = .b", "(!.a) = .b"),
        (".a && (.b && .c)", ".a && .b && .c"),
        ("span:duration > 1.5s", "duration > 1s500ms"),
        ('trace:rootService = `a"b`', 'rootServiceName = "a\\"b"'),
    ],
)
def test_precedence_inside_a_filter(text, printed):
    assert str(_condition(text)) == printed


@pytest.mark.parametrize(
    ("text", "printed"),
    [
        ("{.a} && {.b} >> {.c}", "{ .a } && ({ .b } >> { .c })"),
        ("{.a} || {.b} && {.c}", "({ .a } || { .b }) && { .c }"),
        ("{.a} > {.b} !~ {.c}", "({ .a } > { .b }) !~ { .c }"),
        ("{.a} | count() + 2 * 3 > 4", "{ .a } | (count() + (2 * 3)) > 4"),
        ("(({.a}))", "{ .a }"),
        ("({.a} | {.b}) | {.c}", "{ .a } | { .b } | { .c }"),
    ],
)
def test_precedence_of_sets_of_spans(text, printed):
    assert str(parse_traceql(text)) == printed


@pytest.mark.parametrize(
    ("text", "attribute"),
    [
        (".a", Attribute(None, "a")),
        ("span.http.status_code", Attribute(AttributeScope.SPAN, "http.status_code")),
        ("resource.service.name", Attribute(AttributeScope.RESOURCE, "service.name")),
        ("event.a", Attribute(AttributeScope.EVENT, "a")),
        ("link.a", Attribute(AttributeScope.LINK, "a")),
        ("instrumentation.a", Attribute(AttributeScope.INSTRUMENTATION, "a")),
        ("parent.a", Attribute(None, "a", True)),
        ("parent.span.a", Attribute(AttributeScope.SPAN, "a", True)),
        ("parent.event.a", Attribute(None, "event.a", True)),
        ('span.a."b c".d', Attribute(AttributeScope.SPAN, "a.b c.d")),
        (r'."a\"\\b"', Attribute(None, r"a\"\b".replace(r"\"", '"'))),
        (".a-b/c:d", Attribute(None, "a-b/c:d")),
        (".name", Attribute(None, "name")),
        (".a// comment\n", Attribute(None, "a")),
    ],
)
def test_attributes(text, attribute):
    assert _condition(text) == attribute


@pytest.mark.parametrize(
    ("text", "literal"),
    [
        ("1", Literal(ValueType.INTEGER, 1)),
        ("-1", Literal(ValueType.INTEGER, -1)),
        (".5", Literal(ValueType.FLOAT, 0.5)),
        ("1e3", Literal(ValueType.FLOAT, 1000.0)),
        ("1h30m", Literal(ValueType.DURATION, 5_400_000_000_000)),
        ("-1.5s", Literal(ValueType.DURATION, -1_500_000_000)),
        ('"a\\nb"', Literal(ValueType.STRING, "a\nb")),
        ("`a\\nb`", Literal(ValueType.STRING, "a\\nb")),
        ("true", Literal(ValueType.BOOLEAN, True)),
        ("nil", Literal(ValueType.NIL, None)),
        ("error", Literal(ValueType.STATUS, SpanStatus.ERROR)),
        ("server", Literal(ValueType.KIND, SpanKind.SERVER)),
        ("minInt", Literal(ValueType.INTEGER, -(2**63))),
        ("maxInt", Literal(ValueType.INTEGER, 2**63 - 1)),
    ],
)
def test_values(text, literal):
    operation = _condition(f".a = {text}")
    assert operation == FieldOperation("=", Attribute(None, "a"), literal)
    assert type(operation.right.value) is type(literal.value)


@pytest.mark.parametrize("spelling", INTRINSIC_SPELLINGS)
def test_every_intrinsic_in_every_spelling(spelling):
    assert _condition(f"{spelling} != nil").left == Intrinsic(INTRINSIC_SPELLINGS[spelling])


def test_pipelines_compare_with_one_another():
    stage = parse_traceql("({.a} | count()) > ({.b} | count())").pipeline.stages[0]
    assert isinstance(stage, ScalarFilter)
    assert isinstance(stage.left, ScalarPipeline)
    assert isinstance(stage.right, ScalarPipeline)


def test_positions_are_in_characters():
    condition = _condition('"é" = .a && !.b')
    assert [tuple(each.span) for each in condition.operands] == [(2, 10), (14, 17)]
    assert isinstance(condition.operands[1], UnaryOperation)


def test_metrics():
    query = parse_traceql("{} | quantile_over_time(duration, .99, .5) by (name, .a) > 1 | topk(3) with (sample=0.1)")
    assert query.metrics.quantiles == (0.99, 0.5)
    assert query.metrics.operand == Intrinsic(IntrinsicField.DURATION)
    assert query.metrics.by == (Intrinsic(IntrinsicField.NAME), Attribute(None, "a"))
    assert [str(each) for each in query.series_stages] == ["> 1", "topk(3)"]
    assert query.hints[0].name == "sample"


def test_one_filter_alone():
    assert str(parse_spanset_filter("{ .a = 1 }")) == "{ .a = 1 }"
    with pytest.raises(QuerySyntaxError, match="only one spanset filter"):
        parse_spanset_filter("{} && {}")


@pytest.mark.parametrize(
    ("text", "position", "words"),
    [
        ("{ .a = }", 7, "unexpected }"),
        ("{ .a = 1", 8, "unexpected [$]end"),
        ("{ nme = 1 }", 2, "unknown name nme"),
        ('{ .a = "x', 7, "not terminated"),
        ("", 0, "unexpected [$]end"),
        ("{} | count()", 12, "unexpected [$]end, expecting"),
        ("{} | rate() | {}", 14, "unexpected {"),
        ("{} | by()", 8, "unexpected [)]"),
        ("{ 1 }", 2, "must resolve to a boolean"),
        ("{ duration }", 2, "must resolve to a boolean"),
        ('{ duration > "x" }', 2, "same type"),
        ("{ name = 1 }", 2, "same type"),
        ("{ status = server }", 2, "same type"),
        ("{ status > ok }", 2, "> takes no status"),
        ('{ duration =~ "x" }', 2, "same type"),
        ("{ .a =~ 1 }", 2, "=~ takes no integer"),
        ('{ .a =~ "(" }', 8, "missing"),
        ("{ .a =~ .b }", 8, "in quotes"),
        ("{ name + 1 = 2 }", 2, "same type"),
        ("{ !duration }", 2, "! takes no duration"),
        ("{ status && .a }", 2, "&& takes no status"),
        ("{ name = nil }", 2, "cannot be nil"),
        ("{ resource.service.name = nil }", 2, "cannot be nil"),
        ("{ .a = 9223372036854775808 }", 7, "out of range"),
        ('{} | count() > "x"', 15, "same type"),
        ("{} | avg(name) > 1", 9, "number type"),
        ("{} | sum(1) > 1", 9, "must reference the span"),
        ("{} | by(1)", 8, "must reference the span"),
        ("{} | max_over_time(name)", 19, "numeric field"),
        ("{} | quantile_over_time(duration, 2)", 5, "between 0 and 1"),
        ("{} | rate() | topk(0)", 12, "greater than 0"),
        ("{} | compare({}, 1, 2)", 5, "both a start and an end"),
        ("{} | compare({}, 1, 3, 2)", 5, "before end"),
        ("{} with (most_recent=1)", 9, "takes a boolean"),
        ("{ .é = 1 && .b = }", 17, "unexpected }"),
    ],
)
def test_refusals_tell_the_place(text, position, words):
    with pytest.raises(QuerySyntaxError, match=words) as refused:
        parse_traceql(text)
    assert refused.value.position == position


def test_functions_of_other_languages_are_refused_by_name():
    with pytest.raises(UnsupportedQueryError, match="stddev_over_time"):
        parse_traceql("{} | stddev_over_time(duration)")


@pytest.mark.parametrize(
    "text",
    [
        "{" + "(" * 50_000 + ".a" + ")" * 50_000 + "}",
        "{" + "!" * 50_000 + ".a}",
        "{ .a = " + "-" * 50_000 + ".b }",
        "{ .a = 1" + " + 1" * 20_000 + "}",
        "{" + ".a || .b && " * 5_000 + ".c}",
        "{} >> " * 10_000 + "{}",
        "(" * 20_000 + "{}" + ")" * 20_000,
        "{} | " * 20_000 + "{}",
        "count() > 1" + " ^ 1" * 10_000,
        "{ .a = 1 }" + " " * MAX_QUERY_LENGTH,
    ],
    ids=["brackets", "not", "minus", "sum", "mixed", "relations", "packed", "stages", "powers", "long"],
)
def test_huge_queries_end_as_refusals_or_trees(text):
    with suppress(QuerySyntaxError):
        str(parse_traceql(text))


def test_long_lists_of_conditions_are_read():
    condition = _condition(" || ".join(f".a = {n}" for n in range(3_000)))
    assert len(condition.operands) == 3_000


@settings(max_examples=portion(300, 100), deadline=None)
@given(st.text('{}()|&<>=!~.ab1"`,- \\/*:' + "é", max_size=30))
def test_any_text_is_read_or_refused(text):
    with suppress(SwarmscopeError):
        query = parse_traceql(text)
        assert parse_traceql(str(query)) == query


def test_operators_of_sets_keep_their_sides():
    operation = parse_traceql("{.a} &>> {.b}").pipeline.stages[0]
    assert isinstance(operation, SpansetOperation)
    assert (operation.op, str(operation.left), str(operation.right)) == ("&>>", "{ .a }", "{ .b }")


@pytest.mark.parametrize(
    "text",
    [
        "{ } | rate() | topk(NUMBER)",
        "{ } | compare({ status = error }, NUMBER)",
        "{ } | compare({ status = error }, 10, NUMBER, NUMBER)",
        "{ span.a = NUMBER }",
    ],
)
def test_numbers_with_thousands_of_digits_are_refused(text):
    with pytest.raises(QuerySyntaxError):
        parse_traceql(text.replace("NUMBER", "9" * 5000))
