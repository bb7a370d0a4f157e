"""What TraceQL has names for, said once: the grammar, the checks, the documentation and completion derive from here.

Sources: https://grafana.com/docs/tempo/latest/traceql/construct-traceql-queries/ and
https://grafana.com/docs/tempo/latest/metrics-from-traces/metrics-queries/functions/.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

from swarmscope.model.spans import SpanKind, SpanStatus


class ValueType(StrEnum):
    """What a field expression or a literal is. ATTRIBUTE: known only when a span is looked at."""

    STRING = "string"
    INTEGER = "integer"
    FLOAT = "float"
    DURATION = "duration"
    BOOLEAN = "boolean"
    NIL = "nil"
    STATUS = "status"
    KIND = "kind"
    ATTRIBUTE = "attribute"

    @property
    def is_number(self) -> bool:
        """Numbers compare and calculate with one another; a duration is a number of nanoseconds."""
        return self in (ValueType.INTEGER, ValueType.FLOAT, ValueType.DURATION)


class IntrinsicField(StrEnum):
    """What every span has. The value is the name that a result's labels bear."""

    NAME = "name"
    DURATION = "duration"
    KIND = "kind"
    STATUS = "status"
    STATUS_MESSAGE = "statusMessage"
    SPAN_ID = "span:id"
    PARENT_ID = "span:parentID"
    CHILD_COUNT = "childCount"
    PARENT = "parent"
    NESTED_SET_LEFT = "nestedSetLeft"
    NESTED_SET_RIGHT = "nestedSetRight"
    NESTED_SET_PARENT = "nestedSetParent"
    TRACE_ID = "trace:id"
    TRACE_DURATION = "traceDuration"
    ROOT_NAME = "rootName"
    ROOT_SERVICE = "rootServiceName"
    EVENT_NAME = "event:name"
    EVENT_TIME_SINCE_START = "event:timeSinceStart"
    LINK_TRACE_ID = "link:traceID"
    LINK_SPAN_ID = "link:spanID"
    INSTRUMENTATION_NAME = "instrumentation:name"
    INSTRUMENTATION_VERSION = "instrumentation:version"


@dataclass(frozen=True, slots=True)
class IntrinsicWord:
    """An intrinsic field: its spellings beside the value of `field`, its type, and what it is."""

    field: IntrinsicField
    type: ValueType
    summary: str
    other_spellings: tuple[str, ...] = ()


class OperatorKind(StrEnum):
    """What an operator makes of its operands."""

    LOGICAL = "logical"  # booleans to a boolean
    COMPARISON = "comparison"  # values to a boolean
    REGEX = "regex"  # a value and a pattern to a boolean
    ARITHMETIC = "arithmetic"  # numbers to a number


@dataclass(frozen=True, slots=True)
class FieldOperator:
    """An operator between field expressions."""

    name: str
    kind: OperatorKind
    summary: str


class Relation(StrEnum):
    """How a span on the right stands to one on the left, in structural operators."""

    DESCENDANT = ">>"
    CHILD = ">"
    ANCESTOR = "<<"
    PARENT = "<"
    SIBLING = "~"


@dataclass(frozen=True, slots=True)
class SpansetOperator:
    """An operator between sets of spans of one trace; `relation` is None for `&&` and `||`.

    `negated`: spans on the right that stand so to none on the left. `union`: those on the left are returned too.
    """

    name: str
    summary: str
    relation: Relation | None = None
    negated: bool = False
    union: bool = False


@dataclass(frozen=True, slots=True)
class AggregateFunction:
    """A function of a set of spans. `field`: it takes a field expression, of numbers."""

    name: str
    summary: str
    field: bool = True


@dataclass(frozen=True, slots=True)
class MetricsFunction:
    """A function that makes series of spans. `field`: it takes one; `quantiles`: quantiles behind that."""

    name: str
    summary: str
    field: bool = True
    quantiles: bool = False


@dataclass(frozen=True, slots=True)
class SelectingFunction:
    """A function of series that keeps some of them at each step."""

    name: str
    summary: str


@dataclass(frozen=True, slots=True)
class StageWord:
    """A stage's word behind the pipe."""

    name: str
    summary: str


@dataclass(frozen=True, slots=True)
class Hint:
    """A name in `with (name=value)`, and the types its value may have."""

    name: str
    types: tuple[ValueType, ...]
    summary: str


_S, _I, _D = ValueType.STRING, ValueType.INTEGER, ValueType.DURATION
_INTRINSICS = (
    IntrinsicWord(IntrinsicField.NAME, _S, "name of the span", ("span:name",)),
    IntrinsicWord(IntrinsicField.DURATION, _D, "end minus start of the span", ("span:duration",)),
    IntrinsicWord(IntrinsicField.KIND, ValueType.KIND, "kind of the span", ("span:kind",)),
    IntrinsicWord(IntrinsicField.STATUS, ValueType.STATUS, "status of the span", ("span:status",)),
    IntrinsicWord(IntrinsicField.STATUS_MESSAGE, _S, "text beside the status", ("span:statusMessage",)),
    IntrinsicWord(IntrinsicField.SPAN_ID, _S, "id of the span in hexadecimal"),
    IntrinsicWord(IntrinsicField.PARENT_ID, _S, "id of the parent in hexadecimal"),
    IntrinsicWord(IntrinsicField.CHILD_COUNT, _I, "number of direct children", ("span:childCount",)),
    IntrinsicWord(IntrinsicField.PARENT, ValueType.NIL, "nil for a span without parent", ()),
    IntrinsicWord(IntrinsicField.NESTED_SET_LEFT, _I, "where the span begins in a walk through the trace"),
    IntrinsicWord(IntrinsicField.NESTED_SET_RIGHT, _I, "where the span ends in a walk through the trace"),
    IntrinsicWord(IntrinsicField.NESTED_SET_PARENT, _I, "the parent's nestedSetLeft, -1 for a root"),
    IntrinsicWord(IntrinsicField.TRACE_ID, _S, "id of the trace in hexadecimal"),
    IntrinsicWord(IntrinsicField.TRACE_DURATION, _D, "last end minus first start", ("trace:duration",)),
    IntrinsicWord(IntrinsicField.ROOT_NAME, _S, "name of the root span", ("trace:rootName",)),
    IntrinsicWord(IntrinsicField.ROOT_SERVICE, _S, "service of the root span", ("trace:rootService",)),
    IntrinsicWord(IntrinsicField.EVENT_NAME, _S, "name of an event"),
    IntrinsicWord(IntrinsicField.EVENT_TIME_SINCE_START, _D, "time from the span's start to an event"),
    IntrinsicWord(IntrinsicField.LINK_TRACE_ID, _S, "trace id of a link in hexadecimal"),
    IntrinsicWord(IntrinsicField.LINK_SPAN_ID, _S, "span id of a link in hexadecimal"),
    IntrinsicWord(IntrinsicField.INSTRUMENTATION_NAME, _S, "name of the instrumentation scope"),
    IntrinsicWord(IntrinsicField.INSTRUMENTATION_VERSION, _S, "version of the instrumentation scope"),
)
_FIELD_OPERATORS = (
    FieldOperator("&&", OperatorKind.LOGICAL, "both"),
    FieldOperator("||", OperatorKind.LOGICAL, "either"),
    FieldOperator("=", OperatorKind.COMPARISON, "equal"),
    FieldOperator("!=", OperatorKind.COMPARISON, "not equal"),
    FieldOperator("<", OperatorKind.COMPARISON, "less"),
    FieldOperator("<=", OperatorKind.COMPARISON, "less or equal"),
    FieldOperator(">", OperatorKind.COMPARISON, "greater"),
    FieldOperator(">=", OperatorKind.COMPARISON, "greater or equal"),
    FieldOperator("=~", OperatorKind.REGEX, "the whole text matches the regex"),
    FieldOperator("!~", OperatorKind.REGEX, "the whole text does not match the regex"),
    FieldOperator("+", OperatorKind.ARITHMETIC, "sum"),
    FieldOperator("-", OperatorKind.ARITHMETIC, "difference"),
    FieldOperator("*", OperatorKind.ARITHMETIC, "product"),
    FieldOperator("/", OperatorKind.ARITHMETIC, "quotient"),
    FieldOperator("%", OperatorKind.ARITHMETIC, "remainder"),
    FieldOperator("^", OperatorKind.ARITHMETIC, "power"),
)
_RELATIONS = (
    (Relation.DESCENDANT, "descendants"),
    (Relation.CHILD, "children"),
    (Relation.ANCESTOR, "ancestors"),
    (Relation.PARENT, "parents"),
    (Relation.SIBLING, "siblings"),
)
_SPANSET_OPERATORS = (
    SpansetOperator("&&", "the spans of both, where both have some"),
    SpansetOperator("||", "the spans of either"),
    *(SpansetOperator(r.value, f"spans on the right that are {s} of one on the left", r) for r, s in _RELATIONS),
    *(
        SpansetOperator(f"!{r}", f"spans on the right that are {s} of none on the left", r, negated=True)
        for r, s in _RELATIONS
    ),
    *(
        SpansetOperator(f"&{r}", f"spans on the right that are {s} of one on the left, and those", r, union=True)
        for r, s in _RELATIONS
    ),
)
_AGGREGATES = (
    AggregateFunction("count", "number of spans", field=False),
    AggregateFunction("avg", "mean of the values"),
    AggregateFunction("min", "smallest value"),
    AggregateFunction("max", "largest value"),
    AggregateFunction("sum", "sum of the values"),
)
_METRICS = (
    MetricsFunction("rate", "spans a second", field=False),
    MetricsFunction("count_over_time", "spans in each step", field=False),
    MetricsFunction("min_over_time", "smallest value in each step"),
    MetricsFunction("max_over_time", "largest value in each step"),
    MetricsFunction("avg_over_time", "mean of the values in each step"),
    MetricsFunction("sum_over_time", "sum of the values in each step"),
    MetricsFunction("quantile_over_time", "quantiles of the values in each step", quantiles=True),
    MetricsFunction("histogram_over_time", "spans in each step by buckets of the values"),
)
_SELECTING = (
    SelectingFunction("topk", "the k largest series at each step"),
    SelectingFunction("bottomk", "the k smallest series at each step"),
)
_STAGES = (
    StageWord("select", "fields to return beside those that the query names"),
    StageWord("by", "one set of spans for each value of the field"),
    StageWord("coalesce", "all sets of a trace as one"),
)
_HINTS = (
    Hint("most_recent", (ValueType.BOOLEAN,), "return the newest traces"),
    Hint("exemplars", (ValueType.BOOLEAN, ValueType.INTEGER), "how many exemplars a metrics query returns"),
    Hint("sample", (ValueType.BOOLEAN, ValueType.FLOAT), "read a share of the spans, and scale the result"),
    Hint("span_sample", (ValueType.FLOAT,), "read this share of the spans, and scale the result"),
    Hint("trace_sample", (ValueType.FLOAT,), "read this share of the traces, and scale the result"),
)

INTRINSICS = MappingProxyType({each.field: each for each in _INTRINSICS})
# Every spelling of every intrinsic field.
INTRINSIC_SPELLINGS = MappingProxyType({
    spelling: each.field for each in _INTRINSICS for spelling in (each.field.value, *each.other_spellings)
})  # fmt: skip
FIELD_OPERATORS = MappingProxyType({each.name: each for each in _FIELD_OPERATORS})
SPANSET_OPERATORS = MappingProxyType({each.name: each for each in _SPANSET_OPERATORS})
AGGREGATES = MappingProxyType({each.name: each for each in _AGGREGATES})
METRICS = MappingProxyType({each.name: each for each in _METRICS})
COMPARE = MetricsFunction("compare", "counts of every attribute's values, of a selection and of the rest")
SELECTING = MappingProxyType({each.name: each for each in _SELECTING})
STAGES = MappingProxyType({each.name: each for each in _STAGES})
HINTS = MappingProxyType({each.name: each for each in _HINTS})
STATUSES = MappingProxyType({each.name.lower(): each for each in SpanStatus})
KINDS = MappingProxyType({each.name.lower(): each for each in SpanKind})
MAX_INTEGER = (1 << 63) - 1
MIN_INTEGER = -(1 << 63)
INTEGER_NAMES = MappingProxyType({"minInt": MIN_INTEGER, "maxInt": MAX_INTEGER})
DEFAULT_TOP_VALUES = 10  # compare's second argument where there is none
# In other query languages of this family, and not in this one: named in the refusal.
UNSUPPORTED = MappingProxyType({
    "stddev_over_time": "stddev_over_time()",
    "first_over_time": "first_over_time()",
    "last_over_time": "last_over_time()",
    "absent_over_time": "absent_over_time()",
    "group": "group()",
})  # fmt: skip
