"""Which part of a text a refusal of the library `promql-parser` is about; the library itself says no place.

The places are those that Prometheus names: a wrong argument, the operator, the beginning of a subquery's expression.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import promql_parser as library

from swarmscope.lang.promql.functions import AGGREGATIONS, FUNCTIONS
from swarmscope.lang.promql.nodes import ValueType
from swarmscope.lang.promql.tokens import Token

_OPENING, _CLOSING = frozenset("({"), frozenset(")}")
_COMPARISONS = frozenset({"==", "!=", ">", "<", ">=", "<="})
# https://prometheus.io/docs/prometheus/latest/querying/operators/#binary-operator-precedence
_PRECEDENCE = {
    "or": 1, "and": 2, "unless": 2, **dict.fromkeys(_COMPARISONS, 3), "+": 4, "-": 4, "*": 5, "/": 5, "%": 5,
    "atan2": 5, "^": 6,
}  # fmt: skip
_LISTED = frozenset({"on", "ignoring", "group_left", "group_right", "fill", "fill_left", "fill_right"})
_TYPES_OF_TREES = {
    "NumberLiteral": ValueType.SCALAR,
    "StringLiteral": ValueType.STRING,
    "MatrixSelector": ValueType.MATRIX,
    "SubqueryExpr": ValueType.MATRIX,
}

Tokens = Sequence[Token]


def find_place(text: str, tokens: Tokens, refusal: str) -> int | None:
    """The offset of what the refusal is about, None when no rule knows."""
    for pattern, finder in _FINDERS:
        match = re.search(pattern, refusal)
        if match is not None:
            return finder(text, tokens, match)
    return None


def _type_of(text: str) -> ValueType | None:
    """The type of a part of a query, None if it is none by itself."""
    try:
        return _tree_type(library.parse(text))
    except Exception:
        return None


def _tree_type(tree: Any) -> ValueType:
    kind = type(tree).__name__
    if kind in ("ParenExpr", "UnaryExpr"):
        return _tree_type(tree.expr)
    if kind == "Call":
        return FUNCTIONS[tree.func.name].return_type
    if kind == "BinaryExpr":
        scalars = _tree_type(tree.lhs) is ValueType.SCALAR and _tree_type(tree.rhs) is ValueType.SCALAR
        return ValueType.SCALAR if scalars else ValueType.VECTOR
    return _TYPES_OF_TREES.get(kind, ValueType.VECTOR)


def _step(token: Token) -> int:
    """How much deeper in brackets the text is after this token."""
    if token.kind != "op":
        return 0
    return (token.text in _OPENING) - (token.text in _CLOSING)


def _closing(tokens: Tokens, opening: int) -> int:
    """The index of the bracket that closes the one at `opening`; the number of tokens if none does."""
    depth = 0
    for index in range(opening, len(tokens)):
        depth += _step(tokens[index])
        if depth == 0:
            return index
    return len(tokens)


def _arguments(tokens: Tokens, opening: int) -> list[Tokens]:
    """The arguments in the brackets that open at an index, as tokens."""
    found: list[Tokens] = []
    depth, begin, end = 0, opening + 1, _closing(tokens, opening)
    for index in range(opening + 1, end):
        depth += _step(tokens[index])
        if depth == 0 and tokens[index].text == ",":
            found.append(tokens[begin:index])
            begin = index + 1
    return [argument for argument in (*found, tokens[begin:end]) if argument]


def _calls(tokens: Tokens, names: Sequence[str]) -> Iterator[list[Tokens]]:
    """The arguments of every call of one of `names`, grouping in front passed over."""
    for index, token in enumerate(tokens):
        if token.kind != "name" or token.text.lower() not in names:
            continue
        opening = index + 1
        if opening < len(tokens) and tokens[opening].text.lower() in ("by", "without"):
            opening = _closing(tokens, opening + 1) + 1
        if opening < len(tokens) and tokens[opening].text == "(":
            yield _arguments(tokens, opening)


def _written(text: str, part: Tokens) -> str:
    return text[part[0].start : part[-1].end]


def _first_of_type(text: str, parts: Sequence[Tokens], wanted: str) -> int | None:
    for part in parts:
        if _type_of(_written(text, part)) == wanted:
            return part[0].start
    return None


def _wrong_argument(text: str, tokens: Tokens, refusal: re.Match[str]) -> int | None:
    expected, name, got = refusal.groups()
    for arguments in _calls(tokens, [name.lower()]):
        function = FUNCTIONS[name]
        doubtful = [part for k, part in enumerate(arguments) if function.arg_type(k) == expected]
        place = _first_of_type(text, doubtful, got)
        if place is not None:
            return place
    return None


def _wrong_operand(text: str, tokens: Tokens, refusal: re.Match[str]) -> int | None:
    expected, got = refusal.groups()
    for arguments in _calls(tokens, list(AGGREGATIONS)):
        place = _first_of_type(text, arguments[-1:] if expected == ValueType.VECTOR else arguments[:1], got)
        if place is not None:
            return place
    return None


def _operators(tokens: Tokens, names: frozenset[str]) -> Iterator[int]:
    """Indices of binary operators with one of these names."""
    for index, token in enumerate(tokens):
        if token.text.lower() in names and index > 0 and tokens[index - 1].text not in ("(", ",", "{"):
            yield index


def _left_of(tokens: Tokens, operator: int) -> Tokens:
    """The left operand of the binary operator at an index."""
    own, depth, begin = _PRECEDENCE[tokens[operator].text.lower()], 0, operator
    while begin > 0:
        token = tokens[begin - 1]
        depth -= _step(token)
        is_weaker = _PRECEDENCE.get(token.text.lower(), 9) < own and token.kind in ("op", "name")
        if depth < 0 or (depth == 0 and (token.text == "," or is_weaker)):
            break
        begin -= 1
    return tokens[begin:operator]


def _right_of(tokens: Tokens, operator: int) -> Tokens:
    """The right operand of the binary operator at an index, after its modifiers."""
    own, depth, begin = _PRECEDENCE[tokens[operator].text.lower()], 0, operator + 1
    while begin < len(tokens) and tokens[begin].text.lower() in {"bool", *_LISTED}:
        listed = begin + 1 < len(tokens) and tokens[begin + 1].text == "(" and tokens[begin].text.lower() in _LISTED
        begin = _closing(tokens, begin + 1) + 1 if listed else begin + 1
    end = begin
    while end < len(tokens):
        token = tokens[end]
        depth += _step(token)
        is_binary = end > begin and token.kind in ("op", "name") and _PRECEDENCE.get(token.text.lower(), 9) <= own
        if depth < 0 or (depth == 0 and (token.text == "," or is_binary)):
            break
        end += 1
    return tokens[begin:end]


def _sides(text: str, tokens: Tokens, operator: int) -> list[ValueType | None]:
    parts = (_left_of(tokens, operator), _right_of(tokens, operator))
    return [_type_of(_written(text, part)) if part else None for part in parts]


def _scalar_set(text: str, tokens: Tokens, refusal: re.Match[str]) -> int | None:
    for operator in _operators(tokens, frozenset({refusal[1]})):
        if ValueType.SCALAR in _sides(text, tokens, operator):
            return _left_of(tokens, operator)[0].start
    return None


def _scalar_comparison(text: str, tokens: Tokens, refusal: re.Match[str]) -> int | None:
    del refusal
    for operator in _operators(tokens, _COMPARISONS):
        if _sides(text, tokens, operator) == [ValueType.SCALAR, ValueType.SCALAR]:
            has_bool = tokens[operator + 1].text.lower() == "bool"
            if not has_bool:
                return tokens[operator].start
    return None


def _operator_before(*words: str) -> Callable[[str, Tokens, re.Match[str]], int | None]:
    """A finder of the operator whose modifier is the refused one."""

    def find(text: str, tokens: Tokens, refusal: re.Match[str]) -> int | None:
        del text, refusal
        for before, token in zip(tokens, tokens[1:], strict=False):
            is_operator = before.text.lower() in _PRECEDENCE and (words != ("bool",) or before.text not in _COMPARISONS)
            if is_operator and token.text.lower() in words:
                return before.start
        return None

    return find


def _subquery(text: str, tokens: Tokens, refusal: re.Match[str]) -> int | None:
    for index, token in enumerate(tokens):
        if token.kind != "range" or ":" not in token.text or index == 0:
            continue
        begin = index - 1
        if tokens[begin].text == ")":
            begin = next(k for k in range(begin, -1, -1) if tokens[k].text == "(" and _closing(tokens, k) == index - 1)
            named = begin > 0 and tokens[begin - 1].kind == "name" and tokens[begin - 1].text.lower() in FUNCTIONS
            begin -= int(named)
        if _type_of(_written(text, tokens[begin:index])) == refusal[1]:
            return tokens[begin].start
    return None


def _in_range(pattern: str) -> Callable[[str, Tokens, re.Match[str]], int | None]:
    """A finder of what matches inside square brackets."""

    def find(text: str, tokens: Tokens, refusal: re.Match[str]) -> int | None:
        del text, refusal
        for token in tokens:
            match = re.search(pattern, token.text) if token.kind == "range" else None
            if match is not None:
                return token.start + match.start(1)
        return None

    return find


def _first_text(text: str, tokens: Tokens, refusal: re.Match[str]) -> int | None:
    del tokens
    place = text.find(refusal[1])
    return place if place >= 0 else None


def _regex_matcher(text: str, tokens: Tokens, refusal: re.Match[str]) -> int | None:
    for k in range(2, len(tokens)):
        if tokens[k].kind == "string" and tokens[k].text[1:-1] == refusal[1] and tokens[k - 1].text in ("=~", "!~"):
            return tokens[k - 2].start
    return None


_FINDERS: tuple[tuple[str, Callable[[str, Tokens, re.Match[str]], int | None]], ...] = (
    (r"expected type (\w+) in call to function '([^']+)', got (\w+)", _wrong_argument),
    (r"expected type (\w+) in aggregation expression, got (\w+)", _wrong_operand),
    (r"set operator '([^']+)' not allowed", _scalar_set),
    (r"comparisons between scalars", _scalar_comparison),
    (r"bool modifier can only", _operator_before("bool")),
    (r"must not occur in ON and GROUP", _operator_before("on")),
    (r"subquery is only allowed on vector, got (\w+)", _subquery),
    (r"duration must be greater than 0", _in_range(r"[\[:]\s*(0+(?:ms|[smhdwy])?)\s*[\]:]")),
    (r"unexpected second colon", _in_range(r":[^:]*(:)")),
    (r"bad number or duration syntax: (.+)", _first_text),
    (r"unterminated quoted string (.)", _first_text),
    (r"illegal regex for (.+)", _regex_matcher),
)
