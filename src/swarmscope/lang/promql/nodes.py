"""PromQL's tree: inert nodes of data and position.

Two nodes are equal when they mean the same text; positions take no part in it.
Language reference: https://prometheus.io/docs/prometheus/latest/querying/basics/
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple, TypeAlias

from swarmscope.model.labels import METRIC_NAME
from swarmscope.model.matchers import Matcher, MatchOperator


class Span(NamedTuple):
    """Where a node stands in the query, in characters: text[start:end]."""

    start: int
    end: int


class ValueType(StrEnum):
    """What an expression evaluates to; the value is Prometheus' short name."""

    SCALAR = "scalar"
    VECTOR = "vector"
    MATRIX = "matrix"
    STRING = "string"

    @property
    def documented(self) -> str:
        """The name that Prometheus' messages use."""
        return {"vector": "instant vector", "matrix": "range vector"}.get(self.value, self.value)


class Anchor(StrEnum):
    """`@ start()` and `@ end()`."""

    START = "start"
    END = "end"


class Cardinality(StrEnum):
    """How the sides of a binary operation match; the value is Prometheus' spelling."""

    ONE_TO_ONE = "one-to-one"
    MANY_TO_ONE = "many-to-one"
    ONE_TO_MANY = "one-to-many"
    MANY_TO_MANY = "many-to-many"


@dataclass(frozen=True, slots=True)
class NumberLiteral:
    """A number; a duration such as `5m` stands for its seconds."""

    value: float
    span: Span | None = field(default=None, compare=False)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, NumberLiteral) and repr(self.value) == repr(other.value)

    def __hash__(self) -> int:
        return hash(repr(self.value))


@dataclass(frozen=True, slots=True)
class StringLiteral:
    """A string, unquoted."""

    value: str
    span: Span | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class VectorSelector:
    """Series chosen by matchers. `matchers` includes the metric name where one is given."""

    matchers: tuple[Matcher, ...]
    offset_ms: int = 0
    at: int | Anchor | None = None  # int: Unix milliseconds
    span: Span | None = field(default=None, compare=False)

    @property
    def name(self) -> str:
        """The metric name if it is fixed, else ""."""
        for matcher in self.matchers:
            if matcher.name == METRIC_NAME and matcher.operator is MatchOperator.EQUAL:
                return matcher.value
        return ""


@dataclass(frozen=True, slots=True)
class MatrixSelector:
    """A selector with a range: all samples in (t - range, t]."""

    vector: VectorSelector
    range_ms: int
    span: Span | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Subquery:
    """An instant expression evaluated over a range; `step_ms` None means the default interval."""

    expr: Node
    range_ms: int
    step_ms: int | None = None
    offset_ms: int = 0
    at: int | Anchor | None = None
    span: Span | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Unary:
    """A minus sign. (A plus sign changes nothing and leaves no node.)"""

    expr: Node
    span: Span | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class VectorMatching:
    """Which labels pair the sides, which side may have many, and what stands in for a missing partner."""

    cardinality: Cardinality = Cardinality.ONE_TO_ONE
    labels: tuple[str, ...] = ()
    on: bool = False
    include: tuple[str, ...] = ()
    fill_left: float | None = None
    fill_right: float | None = None

    def __eq__(self, other: object) -> bool:
        return isinstance(other, VectorMatching) and self._key() == other._key()

    def __hash__(self) -> int:
        return hash(self._key())

    def _key(self) -> tuple[object, ...]:
        fills = (repr(self.fill_left), repr(self.fill_right))  # NaN fills are equal to each other
        return (self.cardinality, self.labels, self.on, self.include, fills)


@dataclass(frozen=True, slots=True)
class Binary:
    """`lhs op rhs`. `matching` is set when both sides are vectors."""

    op: str
    lhs: Node
    rhs: Node
    return_bool: bool = False
    matching: VectorMatching | None = None
    span: Span | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Aggregate:
    """`op by/without (labels) (param, expr)`."""

    op: str
    expr: Node
    param: Node | None = None
    grouping: tuple[str, ...] = ()
    without: bool = False
    span: Span | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Call:
    """A function call; what `function` takes and gives stands in `functions.FUNCTIONS`."""

    function: str
    args: tuple[Node, ...]
    span: Span | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Paren:
    """Parentheses around an expression."""

    expr: Node
    span: Span | None = field(default=None, compare=False)


Node: TypeAlias = (
    NumberLiteral
    | StringLiteral
    | VectorSelector
    | MatrixSelector
    | Subquery
    | Unary
    | Binary
    | Aggregate
    | Call
    | Paren
)

SET_OPERATORS = frozenset({"and", "or", "unless"})
COMPARISONS = frozenset({"==", "!=", ">", "<", ">=", "<="})
ARITHMETIC = frozenset({"+", "-", "*", "/", "%", "^", "atan2"})


def children(node: Node) -> tuple[Node, ...]:
    """The direct children of a node, in the order of the text."""
    match node:
        case MatrixSelector(vector=vector):
            return (vector,)
        case Subquery(expr=expr) | Unary(expr=expr) | Paren(expr=expr):
            return (expr,)
        case Binary(lhs=lhs, rhs=rhs):
            return (lhs, rhs)
        case Aggregate(expr=expr, param=param):
            return (expr,) if param is None else (param, expr)
        case Call(args=args):
            return args
        case _:
            return ()


def walk(node: Node) -> Iterator[Node]:
    """The node and all below it, parents first."""
    yield node
    for child in children(node):
        yield from walk(child)


def without_parens(node: Node) -> Node:
    """The node inside any parentheses."""
    while isinstance(node, Paren):
        node = node.expr
    return node
