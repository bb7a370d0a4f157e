"""Tree to text, as Prometheus prints it: on one line, and broken where a line would pass 100 characters."""

from __future__ import annotations

import math
import re
from decimal import Decimal

from swarmscope.lang.promql.go_numbers import text_number
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
    VectorMatching,
    VectorSelector,
)
from swarmscope.model.labels import METRIC_NAME
from swarmscope.model.matchers import Matcher, MatchOperator

MAX_LINE = 100  # characters before Prometheus' pretty form breaks a line
_PLAIN_LABEL = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
_PLAIN_METRIC = re.compile(r"[A-Za-z_:][A-Za-z0-9_:]*\Z")
# Words that the grammar would read as something else than a metric's name.
_RESERVED_METRICS = frozenset({"inf", "nan", "bool", "on", "ignoring", "group_left", "group_right", "by", "without",
                               "offset", "and", "or", "unless", "atan2", "start", "end"})  # fmt: skip
_ESCAPES = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\t": "\\t", "\r": "\\r"}
_UNITS_MS = (("y", 31_536_000_000), ("w", 604_800_000), ("d", 86_400_000), ("h", 3_600_000), ("m", 60_000),
             ("s", 1000), ("ms", 1))  # fmt: skip


def to_text(node: Node) -> str:
    """The query on one line; parsing it gives an equal tree."""
    match node:
        case NumberLiteral(value=value):
            return text_number(value)
        case StringLiteral(value=value):
            return quote(value)
        case VectorSelector():
            return _selector_text(node) + _time_text(node.at, node.offset_ms)
        case MatrixSelector(vector=vector, range_ms=range_ms):
            times = _time_text(vector.at, vector.offset_ms)
            return f"{_selector_text(vector)}[{duration_text(range_ms)}]{times}"
        case Subquery(expr=expr):
            return to_text(expr) + _subquery_text(node)
        case Unary(expr=expr):
            return "-" + to_text(expr)
        case Paren(expr=expr):
            return f"({to_text(expr)})"
        case Binary(lhs=lhs, rhs=rhs):
            return f"{to_text(lhs)} {_operator_text(node)} {to_text(rhs)}"
        case Call(function=name, args=args):
            return f"{name}({', '.join(map(to_text, args))})"
        case Aggregate(expr=expr, param=param):
            inner = to_text(expr) if param is None else f"{to_text(param)}, {to_text(expr)}"
            return f"{_aggregate_head(node)}({inner})"


def to_pretty(node: Node, level: int = 0) -> str:
    """The query as `/api/v1/format_query` answers it; source of the layout: Prometheus' prettier."""
    indent = "  " * level
    flat = to_text(node)
    if len(flat) <= MAX_LINE and not isinstance(node, Unary):
        return indent + flat
    deeper = level + 1
    match node:
        case Unary(expr=expr):
            return f"{indent}-{to_pretty(expr, level).strip()}"
        case Aggregate(expr=expr, param=param):
            first = "" if param is None else to_pretty(param, deeper) + ",\n"
            return f"{indent}{_aggregate_head(node)}(\n{first}{to_pretty(expr, deeper)}\n{indent})"
        case Binary(lhs=lhs, rhs=rhs):
            middle = f"{indent}{_operator_text(node)}"
            return f"{to_pretty(lhs, deeper)}\n{middle}\n{to_pretty(rhs, deeper)}"
        case Call(function=name, args=args) if args:
            inner = ",\n".join(to_pretty(arg, deeper) for arg in args)
            return f"{indent}{name}(\n{inner}\n{indent})"
        case Paren(expr=expr):
            return f"{indent}(\n{to_pretty(expr, deeper)}\n{indent})"
        case Subquery(expr=expr):
            return to_pretty(expr, level) + _subquery_text(node)
        case _:
            return indent + flat


def number_text(value: float) -> str:
    """A number without an exponent, shortest digits that read back the same."""
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    text = format(Decimal(repr(value)), "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def duration_text(milliseconds: int) -> str:
    """A duration in Prometheus' units; years and weeks only where nothing remains."""
    if milliseconds == 0:
        return "0s"
    sign, rest = ("-", -milliseconds) if milliseconds < 0 else ("", milliseconds)
    parts = []
    for unit, size in _UNITS_MS:
        if unit in ("y", "w") and rest % size:
            continue
        count, rest = divmod(rest, size)
        if count:
            parts.append(f"{count}{unit}")
    return sign + "".join(parts)


def quote(text: str) -> str:
    """A string in double quotes."""
    return '"' + "".join(_ESCAPES.get(c, c if c.isprintable() else _escape(c)) for c in text) + '"'


def _escape(character: str) -> str:
    code = ord(character)
    if code < 0x80:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def _label_list(names: tuple[str, ...]) -> str:
    return ", ".join(name if _PLAIN_LABEL.match(name) else quote(name) for name in names)


def matcher_text(matcher: Matcher) -> str:
    """A matcher, its name quoted where it is no plain identifier."""
    name = matcher.name if _PLAIN_LABEL.match(matcher.name) else quote(matcher.name)
    return f"{name}{matcher.operator}{quote(matcher.value)}"


def _selector_text(node: VectorSelector) -> str:
    name = node.name
    plain = bool(_PLAIN_METRIC.match(name)) and name.lower() not in _RESERVED_METRICS
    fixed = Matcher(METRIC_NAME, MatchOperator.EQUAL, name)
    shown = sorted(matcher_text(m) for m in node.matchers if m != fixed)
    if name and not plain:
        shown.insert(0, quote(name))
    braces = "{" + ",".join(shown) + "}" if shown else ""
    return (name if plain else "") + braces


def _time_text(at: int | Anchor | None, offset_ms: int) -> str:
    text = ""
    if isinstance(at, Anchor):
        text = f" @ {at}()"
    elif at is not None:
        text = f" @ {format(Decimal(at) / 1000, '.3f')}"
    return text + (f" offset {duration_text(offset_ms)}" if offset_ms else "")


def _subquery_text(node: Subquery) -> str:
    step = duration_text(node.step_ms) if node.step_ms else ""
    return f"[{duration_text(node.range_ms)}:{step}]{_time_text(node.at, node.offset_ms)}"


def _aggregate_head(node: Aggregate) -> str:
    if node.without:
        return f"{node.op} without ({_label_list(node.grouping)}) "
    if node.grouping:
        return f"{node.op} by ({_label_list(node.grouping)}) "
    return node.op


def _operator_text(node: Binary) -> str:
    text = node.op + (" bool" if node.return_bool else "")
    return text + (_matching_text(node.matching) if node.matching is not None else "")


def _matching_text(matching: VectorMatching) -> str:
    grouped = matching.cardinality in (Cardinality.MANY_TO_ONE, Cardinality.ONE_TO_MANY)
    text = ""
    if matching.labels or matching.on or grouped:
        text += f" {'on' if matching.on else 'ignoring'} ({_label_list(matching.labels)})"
    if grouped:
        side = "left" if matching.cardinality is Cardinality.MANY_TO_ONE else "right"
        text += f" group_{side} ({_label_list(matching.include)})"
    left, right = matching.fill_left, matching.fill_right
    if left is not None and right is not None and text_number(left) == text_number(right):
        return f"{text} fill ({text_number(left)})"
    if left is not None:
        text += f" fill_left ({text_number(left)})"
    if right is not None:
        text += f" fill_right ({text_number(right)})"
    return text
