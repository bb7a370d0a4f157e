"""What Loki refuses beyond the grammar. Every check raises QuerySyntaxError in Loki's words."""

from __future__ import annotations

import re
from collections.abc import Iterable

from lark import Token
from lark.tree import Meta

from swarmscope.lang.logql.ip_patterns import parse_ip_pattern
from swarmscope.lang.logql.json_paths import parse_json_path
from swarmscope.lang.logql.line_templates import parse_logql_template
from swarmscope.lang.logql.nodes import (
    BinaryOperation,
    MetricNode,
    NumberLiteral,
    RangeAggregation,
    VectorAggregation,
)
from swarmscope.lang.logql.patterns import parse_label_pattern, parse_line_pattern
from swarmscope.lang.logql.regexes import compile_regex
from swarmscope.lang.logql.registry import CONVERSIONS, RANGE_AGGREGATIONS, SET_OPERATORS, VECTOR_AGGREGATIONS
from swarmscope.lang.logql.stages import IpPattern, LabelFormat, LineFilterOperator
from swarmscope.lang.promql.nodes import Cardinality, VectorMatching
from swarmscope.model.errors import QuerySyntaxError
from swarmscope.model.matchers import Matcher, MatchOperator

LOGFMT_FLAGS = frozenset({"--strict", "--keep-empty"})
_LABEL = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")


def error_at(message: str, place: Token | Meta) -> QuerySyntaxError:
    """An error with line and column, as Loki writes them."""
    start = place.start_pos
    return QuerySyntaxError(f"parse error at line {place.line}, col {place.column}: {message}", start)


def refusal(message: str, position: int | None = None) -> QuerySyntaxError:
    """An error of the whole query; Loki tells no line."""
    return QuerySyntaxError(f"parse error : {message}", position)


def check_regex(regex: str, place: Token | Meta) -> None:
    """The regex must be RE2."""
    try:
        compile_regex(regex)
    except ValueError as error:
        raise error_at(str(error), place) from None


def check_named_groups(regex: str, place: Token) -> None:
    """The `regexp` parser: RE2 with at least one named group, each name a label and there once."""
    try:
        groups = compile_regex(regex).groupindex
    except ValueError as error:
        raise error_at(str(error), place) from None
    if not groups:
        raise error_at("at least one named capture must be supplied", place)
    for name in groups:
        if not _LABEL.match(name):
            raise error_at(f"invalid extracted label name '{name}'", place)


def check_matchers(matchers: Iterable[Matcher]) -> None:
    """A selector must have a matcher that refuses the empty text, or it would read everything."""
    if not any(_refuses_empty(each) for each in matchers):
        raise refusal(
            "queries require at least one regexp or equality matcher that does not have an empty-compatible value. "
            'For instance, app=~".*" does not meet this requirement, but app=~".+" will'
        )


def _refuses_empty(matcher: Matcher) -> bool:
    match matcher.operator:
        case MatchOperator.EQUAL:
            return matcher.value != ""
        case MatchOperator.NOT_EQUAL:
            return matcher.value == ""
        case MatchOperator.REGEX:
            return compile_regex(matcher.value).fullmatch("") is None
        case MatchOperator.NOT_REGEX:
            return compile_regex(matcher.value).fullmatch("") is not None


def check_line_value(operator: LineFilterOperator, value: str | IpPattern, place: Meta) -> None:
    """A line filter's text: a regex, a pattern or an address where the operator takes one."""
    if isinstance(value, IpPattern):
        if operator not in (LineFilterOperator.CONTAINS, LineFilterOperator.NOT_CONTAINS):
            raise error_at(f"ip: invalid operation {operator}, only |= and != are allowed", place)
    elif operator in (LineFilterOperator.MATCHES, LineFilterOperator.NOT_MATCHES):
        check_regex(value, place)
    elif operator in (LineFilterOperator.PATTERN, LineFilterOperator.NOT_PATTERN):
        try:
            parse_line_pattern(value)
        except ValueError as error:
            raise error_at(str(error), place) from None


def check_ip(pattern: str, place: Token) -> None:
    """An address, a network or a range."""
    try:
        parse_ip_pattern(pattern)
    except ValueError:
        raise error_at(f"ip: invalid pattern {pattern!r}", place) from None


def check_json_path(expression: str, place: Meta) -> None:
    """An expression of the `json` parser."""
    try:
        parse_json_path(expression)
    except ValueError as error:
        raise error_at(str(error), place) from None


def check_logfmt_flags(flags: Iterable[Token]) -> None:
    """The `logfmt` parser's flags, each once."""
    seen: set[str] = set()
    for flag in flags:
        if flag not in LOGFMT_FLAGS:
            raise error_at(f"syntax error: unexpected flag {flag}, expecting {' or '.join(sorted(LOGFMT_FLAGS))}", flag)
        if flag in seen:
            raise error_at(f"syntax error: flag {flag} stands twice", flag)
        seen.add(flag)


def check_parser_pattern(pattern: str, place: Token) -> None:
    """The `pattern` parser's pattern."""
    try:
        parse_label_pattern(pattern)
    except ValueError as error:
        raise error_at(str(error), place) from None


def check_template(template: str, place: Token) -> None:
    """A template must parse, and know its functions."""
    try:
        parse_logql_template(template)
    except QuerySyntaxError as error:
        raise error_at(f"invalid template: {error}", place) from None


def check_label_format(stage: LabelFormat) -> None:
    """A target stands once; `__error__` is not to be set."""
    seen: set[str] = set()
    start = stage.span.start if stage.span else None
    for each in stage.formats:
        if each.target == "__error__":
            raise refusal("__error__ cannot be formatted", start)
        if each.target in seen:
            raise refusal(f"multiple label name '{each.target}' not allowed in a single format operation", start)
        seen.add(each.target)


def check_conversion(name: str, place: Token) -> None:
    """What `unwrap` converts with."""
    if name not in CONVERSIONS:
        raise error_at(f"syntax error: unexpected {place}, expecting {' or '.join(sorted(CONVERSIONS))}", place)


def checked_range(node: RangeAggregation) -> RangeAggregation:
    """Unwrap, grouping and parameter where they belong, and only there."""
    operator = RANGE_AGGREGATIONS[node.op]
    start = node.span.start if node.span else None
    if node.unwrap is None and not operator.over_lines:
        raise refusal(f"invalid aggregation {node.op} without unwrap", start)
    if node.unwrap is not None and not operator.over_values:
        raise refusal(f"invalid aggregation {node.op} with unwrap", start)
    if node.grouping is not None and not operator.grouping:
        raise refusal(f"grouping not allowed for {node.op} aggregation", start)
    if operator.parameter and node.parameter is None:
        raise refusal(f"parameter required for operation {node.op}", start)
    if not operator.parameter and node.parameter is not None:
        raise refusal(f"parameter {node.parameter:g} not supported for operation {node.op}", start)
    return node


def series_to_keep(op: str, parameter: float | None) -> int | None:
    """The k of topk and its like, a whole number above 0."""
    if parameter is None:
        return None
    if not parameter.is_integer() or parameter <= 0:
        raise refusal(f"invalid parameter (must be a whole number greater than 0) {op}({parameter:g},")
    return int(parameter)


def checked_vector(node: VectorAggregation) -> VectorAggregation:
    """Grouping and parameter where they belong; a number is no vector."""
    operator = VECTOR_AGGREGATIONS[node.op]
    start = node.span.start if node.span else None
    if operator.parameter and node.parameter is None:
        raise refusal(f"parameter required for operation {node.op}", start)
    if not operator.parameter and node.parameter is not None:
        raise refusal(f"unsupported parameter for operation {node.op}({node.parameter},", start)
    if node.grouping is not None and not operator.grouping:
        raise refusal(f"grouping not allowed for {node.op} aggregation", start)
    return node


def is_scalar(node: MetricNode) -> bool:
    """Whether a node is a number, not series."""
    if isinstance(node, BinaryOperation):
        return node.matching is None and is_scalar(node.left) and is_scalar(node.right)
    return isinstance(node, NumberLiteral)


def set_matching(matching: VectorMatching, op: str) -> VectorMatching:
    """The matching of and, or, unless: many to many; group_left and group_right have no place there."""
    if matching.cardinality is not Cardinality.ONE_TO_ONE:
        raise refusal(f'no grouping allowed for "{op}" operation')
    return VectorMatching(Cardinality.MANY_TO_MANY, matching.labels, matching.on)


def check_binary(node: BinaryOperation) -> None:
    """Sets are of series; a label is either matched on or taken over."""
    start = node.span.start if node.span else None
    if node.op in SET_OPERATORS:
        for side, name in ((node.left, "left"), (node.right, "right")):
            if is_scalar(side):
                raise refusal(
                    f"unexpected literal for {name} side of logical/set binary operation ({node.op}): {side}", start
                )
    if node.matching is not None and node.matching.on:
        for label in node.matching.include:
            if label in node.matching.labels:
                raise refusal(f'label "{label}" must not occur in ON and GROUP clause at once', start)
