"""Field expressions: what stands between the braces of a filter and in functions' parentheses.

Inert nodes; `str(node)` is TraceQL text that parses to an equal node. Positions take no part in equality.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TypeAlias

from swarmscope.lang.logql.quoting import duration_text
from swarmscope.lang.promql.nodes import Span
from swarmscope.lang.templates.go_strings import quote_go
from swarmscope.lang.traceql.registry import IntrinsicField, ValueType
from swarmscope.model.spans import AttributeScope, SpanKind, SpanStatus

# Characters that end a name which stands without quotes.
NAME_ENDS = r"\s{}()=~!<>&|^,\""
_BARE_NAME = re.compile(rf"[^{NAME_ENDS}\\]+\Z")
_COMMENT = re.compile(r"//|/\*")
_DIGIT = re.compile(r"[0-9]")
_PARENT_SCOPE = re.compile(rf"(?:{AttributeScope.SPAN}|{AttributeScope.RESOURCE})\.")


@dataclass(frozen=True, slots=True)
class Literal:
    """A value. A duration is an int of nanoseconds, a status a SpanStatus, a kind a SpanKind, nil None.

    Numbers may be negative: `-1` is one literal.
    """

    type: ValueType  # every one but ATTRIBUTE
    value: str | int | float | bool | None
    span: Span | None = field(default=None, compare=False)

    def __str__(self) -> str:
        return literal_text(self.type, self.value)


@dataclass(frozen=True, slots=True)
class Intrinsic:
    """What every span has of itself, its trace, or its events and links."""

    name: IntrinsicField
    span: Span | None = field(default=None, compare=False)

    def __str__(self) -> str:
        return str(self.name.value)


@dataclass(frozen=True, slots=True)
class Attribute:
    """An attribute: of one scope, or with scope None of the span, else of its resource.

    `of_parent`: of the parent span (`parent.x`), where the scope is SPAN, RESOURCE or None.
    """

    scope: AttributeScope | None
    name: str
    of_parent: bool = False
    span: Span | None = field(default=None, compare=False)

    def __str__(self) -> str:
        parent = "parent." if self.of_parent else ""
        scope = f"{self.scope}." if self.scope else ("" if parent else ".")
        # `parent.span.x` has a scope, and `.5` is a number.
        misread = _PARENT_SCOPE if self.of_parent else _DIGIT
        ambiguous = self.scope is None and misread.match(self.name) is not None
        return parent + scope + (quote_name(self.name) if ambiguous else name_text(self.name))


@dataclass(frozen=True, slots=True)
class LogicalOperation:
    """`a && b && c` or `a || b || c`: two operands at least, of which none is an operation of the same operator."""

    op: str  # "&&" or "||"
    operands: tuple[FieldNode, ...]
    span: Span | None = field(default=None, compare=False)

    def __str__(self) -> str:
        return f" {self.op} ".join(map(operand_text, self.operands))


@dataclass(frozen=True, slots=True)
class FieldOperation:
    """`left op right`: a comparison, a regex or arithmetic."""

    op: str  # a name in registry.FIELD_OPERATORS, but neither "&&" nor "||"
    left: FieldNode
    right: FieldNode
    span: Span | None = field(default=None, compare=False)

    def __str__(self) -> str:
        return f"{operand_text(self.left)} {self.op} {operand_text(self.right)}"


@dataclass(frozen=True, slots=True)
class UnaryOperation:
    """`-a` or `!a`; never minus a number, which is a literal."""

    op: str  # "-" or "!"
    operand: FieldNode
    span: Span | None = field(default=None, compare=False)

    def __str__(self) -> str:
        return f"{self.op}{operand_text(self.operand)}"


FieldNode: TypeAlias = Literal | Intrinsic | Attribute | LogicalOperation | FieldOperation | UnaryOperation


def operand_text(node: FieldNode) -> str:
    """An operand, in parentheses where it is an operation or begins with a sign."""
    if isinstance(node, (LogicalOperation, FieldOperation, UnaryOperation)):
        return f"({node})"
    text = str(node)
    return f"({text})" if text.startswith("-") else text


def literal_text(kind: ValueType, value: str | float | None) -> str:
    """A literal as TraceQL spells it."""
    match kind:
        case ValueType.NIL:
            return "nil"
        case ValueType.BOOLEAN:
            return "true" if value else "false"
        case ValueType.STRING:
            return quote_go(str(value))
        case ValueType.DURATION:
            return duration_text(int(value or 0))
        case ValueType.FLOAT:
            return float_text(float(value or 0.0))
        case ValueType.STATUS:
            return SpanStatus(int(value or 0)).name.lower()
        case ValueType.KIND:
            return SpanKind(int(value or 0)).name.lower()
        case _:
            return str(value)


def float_text(value: float) -> str:
    """Shortest digits without exponent, and with a point: what has none is an integer."""
    text = repr(value)
    if "e" not in text:
        return text
    return f"{value:.400f}".rstrip("0") if abs(value) < 1 else f"{value:.1f}"


def name_text(name: str) -> str:
    """An attribute's name, in quotes where it could not stand without."""
    bare = _BARE_NAME.match(name) is not None and _COMMENT.search(name) is None
    return name if bare else quote_name(name)


def quote_name(name: str) -> str:
    r"""A name in double quotes; only `\"` and `\\` are escapes there."""
    return '"' + name.replace("\\", "\\\\").replace('"', '\\"') + '"'
