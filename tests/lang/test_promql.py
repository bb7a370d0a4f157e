"""PromQL's text, tree and text again."""

from __future__ import annotations

import contextlib
import math

import promql_parser
import pytest
from hypothesis import given
from hypothesis import strategies as st

from swarmscope.lang.promql import parse_promql, parse_selector, to_ast_json, to_pretty, to_text, value_type
from swarmscope.lang.promql.functions import AGGREGATIONS, FUNCTIONS
from swarmscope.lang.promql.nodes import (
    Aggregate,
    Anchor,
    Binary,
    Call,
    Cardinality,
    MatrixSelector,
    Node,
    NumberLiteral,
    Paren,
    StringLiteral,
    Subquery,
    Unary,
    ValueType,
    VectorMatching,
    VectorSelector,
    walk,
)
from swarmscope.model.errors import QuerySyntaxError, UnsupportedQueryError
from swarmscope.model.matchers import Matcher, MatchOperator

_NAMES = st.sampled_from(
    ["up", "http_requests_total", "a:b:c", "offset_x", "sum_x", "on", "inf", "gen_ai.tokens", "ü x"]
)
_LABELS = st.sampled_from(["job", "le", "a.b", "instance", "bool", "with space", "é"])
_TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=8)
_MS = st.integers(1, 10**9)
_AT = st.one_of(st.none(), st.sampled_from(list(Anchor)), st.integers(0, 4 * 10**12))
_OFFSET = st.one_of(st.just(0), _MS, _MS.map(lambda ms: -ms))


@st.composite
def _selectors(draw: st.DrawFn) -> VectorSelector:
    matchers = [Matcher("__name__", MatchOperator.EQUAL, draw(_NAMES))]
    for label in draw(st.lists(_LABELS, max_size=3, unique=True)):
        operator = draw(st.sampled_from(list(MatchOperator)))
        plain = operator in (MatchOperator.EQUAL, MatchOperator.NOT_EQUAL)
        matchers.append(Matcher(label, operator, draw(_TEXTS if plain else st.sampled_from(["a.*", "x|y", "\\d+"]))))
    matchers[1:] = sorted(matchers[1:], key=str)
    return VectorSelector(tuple(matchers), draw(_OFFSET), draw(_AT))


def _paren_vectors(children: st.SearchStrategy[Node]) -> st.SearchStrategy[Node]:
    grouping = st.lists(_LABELS, max_size=2, unique=True).map(tuple)
    numbers = st.floats(allow_nan=False, min_value=0).map(NumberLiteral)

    def matching(card: Cardinality) -> st.SearchStrategy[VectorMatching]:
        fills = st.one_of(st.none(), st.floats(-100, 100))
        grouped = card in (Cardinality.MANY_TO_ONE, Cardinality.ONE_TO_MANY)
        on_labels = st.sampled_from([("job",), ("le", "a.b"), ()])
        include = st.sampled_from([("instance",), ()]) if grouped else st.just(())
        return st.builds(VectorMatching, st.just(card), on_labels, st.just(True), include, fills, fills)

    cards = st.sampled_from([Cardinality.ONE_TO_ONE, Cardinality.MANY_TO_ONE, Cardinality.ONE_TO_MANY])
    return st.one_of(
        children.map(Paren),
        children.map(Paren).map(Unary),
        st.builds(Call, st.just("abs"), children.map(lambda c: (c,))),
        st.builds(
            lambda vector, range_ms: Call("rate", (MatrixSelector(vector, range_ms),)), _selectors(), _MS
        ),
        st.builds(
            lambda inner, *rest: Call("max_over_time", (Subquery(Paren(inner), *rest),)),
            children, _MS, st.one_of(st.none(), _MS), _OFFSET, _AT,
        ),
        st.builds(
            lambda inner, text: Call("label_join", (inner, StringLiteral("x"), StringLiteral(text))), children, _TEXTS
        ),
        st.builds(Aggregate, st.just("sum"), children, st.none(), grouping, st.just(False)),
        st.builds(Aggregate, st.just("avg"), children, st.none(), grouping, st.just(True)),
        st.builds(Aggregate, st.just("topk"), children, numbers, grouping, st.booleans()),
        st.builds(
            lambda left, right, flag: Binary(">", Paren(left), right, flag, None), children, numbers, st.booleans()
        ),
        cards.flatmap(
            lambda card: st.builds(
                lambda left, right, how: Binary("+", Paren(left), Paren(right), False, how),
                children, children, matching(card),
            )
        ),
    )  # fmt: skip


_TREES = st.recursive(_selectors(), _paren_vectors, max_leaves=6)


@given(_TREES)
def test_what_a_tree_prints_parses_to_an_equal_tree(tree: Node) -> None:
    assert parse_promql(to_text(tree)) == tree
    assert parse_promql(to_pretty(tree)) == tree


@given(_TREES)
def test_every_node_knows_its_place(tree: Node) -> None:
    text = to_text(tree)
    for node in walk(parse_promql(text)):
        assert node.span is not None
        if not isinstance(node, VectorSelector):  # inside a matrix selector it has the span of that
            assert parse_promql_or_none(text[node.span.start : node.span.end]) in (node, None)


def parse_promql_or_none(text: str) -> Node | None:
    try:
        return parse_promql(text)
    except QuerySyntaxError:
        return None


@given(st.text(max_size=60))
def test_no_text_ends_otherwise_than_in_a_tree_or_a_refusal(text: str) -> None:
    with contextlib.suppress(QuerySyntaxError, UnsupportedQueryError):
        parse_promql(text)


@pytest.mark.parametrize(
    ("text", "message", "position"),
    [
        ("foo bar", '1:5: parse error: unexpected identifier "bar"', 4),
        ("abs(x[5m])", '1:5: parse error: expected type instant vector in call to function "abs", got range vector', 4),
        ("rate(x)", '1:6: parse error: expected type range vector in call to function "rate", got instant vector', 5),
        ("sum(", "1:5: parse error: unclosed left parenthesis", 4),
        ("1 == 2", "1:3: parse error: comparisons between scalars must use BOOL modifier", 2),
        ("{}", "1:1: parse error: vector selector must contain at least one non-empty matcher", 0),
        ("a)", "1:3: parse error: unexpected right parenthesis ')'", 2),
        ("foo and 3", '1:1: parse error: set operator "and" not allowed in binary scalar expression', 0),
        ("1 +\n+ nope(x)", '2:3: parse error: unknown function with name "nope"', 6),
        ("", "1:1: parse error: no expression found in input", 0),
    ],
)
def test_refusals_say_what_and_where(text: str, message: str, position: int) -> None:
    with pytest.raises(QuerySyntaxError) as caught:
        parse_promql(text)
    assert (str(caught.value), caught.value.position) == (message, position)


def test_deep_nesting_is_refused_and_does_not_end_the_process() -> None:
    for text in ("(" * 100_000 + "1", "-" * 100_000 + "x", "sum(" * 5000 + "x" + ")" * 5000):
        with pytest.raises(QuerySyntaxError):
            parse_promql(text)


def test_or_between_matchers_is_refused_by_name() -> None:
    with pytest.raises(UnsupportedQueryError, match='"or" between label matchers'):
        parse_promql('x{a="b" or c="d"}')


def test_functions_are_those_of_the_grammar() -> None:
    samples = {"vector": "x", "matrix": "x[5m]", "scalar": "1", "string": '"a"'}
    for function in FUNCTIONS.values():
        arguments = ", ".join(samples[kind] for kind in function.arg_types[: function.min_args])
        if function.name == "info":
            arguments = "x"
        known = promql_parser.parse(f"{function.name}({arguments})").func
        kinds = [str(kind).removeprefix("ValueType.").lower() for kind in known.arg_types]
        assert kinds == [str(kind) for kind in function.arg_types], function.name
        assert str(known.return_type).removeprefix("ValueType.").lower() == function.return_type
        assert known.variadic == function.variadic, function.name
        assert known.experimental == function.experimental, function.name


def test_aggregations_are_those_of_the_grammar() -> None:
    for entry in AGGREGATIONS.values():
        param = {None: "", ValueType.SCALAR: "1, ", ValueType.STRING: '"a", '}[entry.param]
        tree = parse_promql(f"{entry.name}({param}x)")
        assert isinstance(tree, Aggregate)
        assert tree.op == entry.name


@pytest.mark.parametrize(
    ("text", "printed"),
    [
        ("sum(x)by(a)", "sum by (a) (x)"),
        ("sum by () (x)", "sum(x)"),
        ("1m", "60"),
        ("x offset 90s", "x offset 1m30s"),
        ("x @ 1.5 offset -5m", "x @ 1.500 offset -5m"),
        ("-1 ^ 2", "-1 ^ 2"),
        ("+x", "x"),
        ('{"gen_ai.tokens",a!="b"}', '{"gen_ai.tokens",a!="b"}'),
        ("0x1F + 1e-3 + Inf", "31 + 0.001 + +Inf"),
        ("a + on (x) group_left () b", "a + on (x) group_left () b"),
        ("x[5m:]", "x[5m:]"),
    ],
)
def test_printing_is_prometheus(text: str, printed: str) -> None:
    if text != "x[5m:]":
        assert to_text(parse_promql(text)) == printed
    assert to_text(parse_promql(f"{text}")) == printed


def test_long_queries_are_broken_as_prometheus_breaks_them() -> None:
    name = "a_metric_whose_name_is_so_long_that_two_of_them_do_not_fit_one_line"
    assert to_pretty(parse_promql(f"sum by (job) (rate({name}[5m])) / on (job) {name}")) == (
        f"  sum by (job) (rate({name}[5m]))\n/ on (job)\n  {name}"
    )
    assert to_pretty(parse_promql(f"sum(rate({name}[5m]) + {name})")) == (
        f"sum(\n    rate({name}[5m])\n  +\n    {name}\n)"
    )


def test_ast_json() -> None:
    assert to_ast_json(parse_promql('rate(x{a="b"}[5m] offset 1m)')) == {
        "type": "call",
        "func": {"name": "rate", "argTypes": ["matrix"], "variadic": 0, "returnType": "vector"},
        "args": [
            {
                "type": "matrixSelector",
                "range": 300_000,
                "name": "x",
                "matchers": [
                    {"name": "__name__", "value": "x", "type": "="},
                    {"name": "a", "value": "b", "type": "="},
                ],
                "offset": 60_000,
                "timestamp": None,
                "startOrEnd": None,
                "anchored": False,
                "smoothed": False,
            }
        ],
    }


def test_types() -> None:
    assert value_type(parse_promql("1 + 2")) is ValueType.SCALAR
    assert value_type(parse_promql("x + 2")) is ValueType.VECTOR
    assert value_type(parse_promql("x[5m:]")) is ValueType.MATRIX
    assert value_type(parse_promql('"a"')) is ValueType.STRING


def test_selectors_for_match_parameters() -> None:
    assert parse_selector('up{a=~"b"}').name == "up"
    with pytest.raises(QuerySyntaxError):
        parse_selector("up offset 5m")
    with pytest.raises(QuerySyntaxError):
        parse_selector("sum(up)")


def test_numbers() -> None:
    assert parse_promql("--1") == NumberLiteral(1.0)
    assert parse_promql("NaN") == NumberLiteral(math.nan)


@pytest.mark.parametrize("at", ["1e300", "-1e300", "9.3e15"])
def test_a_time_that_no_clock_can_show_is_refused(at: str) -> None:
    with pytest.raises(QuerySyntaxError, match="timestamp out of bounds for @ modifier"):
        parse_promql(f"up @ {at}")
