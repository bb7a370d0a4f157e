"""Trees of any shape that a query can have, for Hypothesis: well typed, and in the form that parsing gives."""

from hypothesis import strategies as st

from swarmscope.lang.traceql import registry
from swarmscope.lang.traceql.nodes import (
    Aggregate,
    Attribute,
    Coalesce,
    Compare,
    FieldOperation,
    GroupBy,
    HintValue,
    Intrinsic,
    IntrinsicField,
    Literal,
    LogicalOperation,
    Pipeline,
    Query,
    ScalarFilter,
    ScalarOperation,
    ScalarPipeline,
    Select,
    SeriesAggregate,
    SeriesFilter,
    SeriesSelection,
    SpansetFilter,
    SpansetOperation,
    UnaryOperation,
    ValueType,
)
from swarmscope.model.spans import AttributeScope, SpanKind, SpanStatus

ARITHMETIC = ("+", "-", "*", "/", "%", "^")
COMPARISONS = ("=", "!=", "<", "<=", ">", ">=")
names = st.one_of(
    st.sampled_from(["service.name", "http.status_code", "a", "a-b", "a+1", "span.a", "resource.x", "event.x"]),
    st.text(st.characters(blacklist_categories=["Cs"]), min_size=1, max_size=8),
)
integers = st.integers(registry.MIN_INTEGER, registry.MAX_INTEGER)
floats = st.floats(allow_nan=False, allow_infinity=False)
numbers = st.one_of(
    st.builds(Literal, st.just(ValueType.INTEGER), integers),
    st.builds(Literal, st.just(ValueType.FLOAT), floats),
    st.builds(Literal, st.just(ValueType.DURATION), st.integers(-registry.MAX_INTEGER, registry.MAX_INTEGER)),
)
strings = st.builds(Literal, st.just(ValueType.STRING), st.text(st.characters(blacklist_categories=["Cs"]), max_size=8))
booleans = st.builds(Literal, st.just(ValueType.BOOLEAN), st.booleans())
attributes = st.one_of(
    st.builds(Attribute, st.sampled_from([None, *AttributeScope]), names),
    st.builds(
        Attribute, st.sampled_from([None, AttributeScope.SPAN, AttributeScope.RESOURCE]), names, of_parent=st.just(True)
    ),
)


def intrinsics(*types):
    """Intrinsic fields of these types, or of any."""
    fields = [name for name, word in registry.INTRINSICS.items() if not types or word.type in types]
    return st.builds(Intrinsic, st.sampled_from(fields))


NUMERIC = (ValueType.INTEGER, ValueType.DURATION)
fields = st.one_of(attributes, intrinsics())
numeric_fields = st.one_of(attributes, intrinsics(*NUMERIC))
numeric = st.recursive(
    st.one_of(numbers, numeric_fields),
    lambda inner: st.one_of(
        st.builds(FieldOperation, st.sampled_from(ARITHMETIC), inner, inner),
        st.builds(UnaryOperation, st.just("-"), inner.filter(lambda node: not isinstance(node, Literal))),
    ),
    max_leaves=4,
)
texts = st.one_of(strings, attributes, intrinsics(ValueType.STRING))
comparisons = st.one_of(
    st.builds(FieldOperation, st.sampled_from(COMPARISONS), numeric, numeric),
    st.builds(FieldOperation, st.sampled_from(COMPARISONS), texts, texts),
    st.builds(
        FieldOperation,
        st.sampled_from(["=~", "!~"]),
        st.one_of(attributes, intrinsics(ValueType.STRING)),
        st.builds(Literal, st.just(ValueType.STRING), st.sampled_from(["a.*", r"\d+|x", ""])),
    ),
    st.builds(
        FieldOperation,
        st.sampled_from(["=", "!="]),
        st.one_of(attributes, st.just(Intrinsic(IntrinsicField.STATUS))),
        st.builds(Literal, st.just(ValueType.STATUS), st.sampled_from(SpanStatus)),
    ),
    st.builds(
        FieldOperation,
        st.sampled_from(["=", "!="]),
        st.one_of(attributes, st.just(Intrinsic(IntrinsicField.KIND))),
        st.builds(Literal, st.just(ValueType.KIND), st.sampled_from(SpanKind)),
    ),
    st.builds(FieldOperation, st.just("!="), fields, st.just(Literal(ValueType.NIL, None))),
)


def _joined(op, operands):
    flat = []
    for each in operands:
        flat += each.operands if isinstance(each, LogicalOperation) and each.op == op else (each,)
    return LogicalOperation(op, tuple(flat))


conditions = st.recursive(
    st.one_of(comparisons, attributes, booleans),
    lambda inner: st.one_of(
        st.builds(_joined, st.sampled_from(["&&", "||"]), st.lists(inner, min_size=2, max_size=3)),
        st.builds(UnaryOperation, st.just("!"), inner),
    ),
    max_leaves=5,
)
spanset_filters = st.builds(SpansetFilter, st.one_of(st.none(), conditions))
aggregates = st.one_of(
    st.just(Aggregate("count")),
    st.builds(Aggregate, st.sampled_from(["avg", "min", "max", "sum"]), numeric_fields),
)
by_keys = st.one_of(fields, st.builds(FieldOperation, st.sampled_from(ARITHMETIC), numeric_fields, numbers))


def _scalars(pipelines):
    leaves = st.one_of(numbers, aggregates, st.builds(ScalarPipeline, pipelines, aggregates))
    return st.recursive(
        leaves, lambda inner: st.builds(ScalarOperation, st.sampled_from(ARITHMETIC), inner, inner), max_leaves=3
    )


def _is_bare(pipeline):
    return len(pipeline.stages) == 1 and isinstance(pipeline.stages[0], (SpansetFilter, SpansetOperation))


def _pipelines(inner):
    """Pipelines in which `inner` ones stand in parentheses."""
    sources = st.one_of(spanset_filters, inner.filter(lambda each: not _is_bare(each)))
    spansets = st.recursive(
        sources,
        lambda side: st.builds(SpansetOperation, st.sampled_from(sorted(registry.SPANSET_OPERATORS)), side, side),
        max_leaves=3,
    ).filter(lambda node: not isinstance(node, Pipeline))
    scalars = _scalars(inner)
    filters = st.builds(ScalarFilter, st.sampled_from(COMPARISONS), scalars, scalars)
    first = st.one_of(spansets, filters, st.builds(GroupBy, by_keys))
    selects = st.builds(Select, st.lists(fields, min_size=1, max_size=3).map(tuple))
    later = st.one_of(first, st.just(Coalesce()), selects)
    return st.builds(lambda head, rest: Pipeline((head, *rest)), first, st.lists(later, max_size=2))


pipelines = _pipelines(_pipelines(st.builds(lambda node: Pipeline((node,)), spanset_filters)))
_by = st.lists(fields, max_size=3).map(tuple)
_quantiles = st.lists(st.floats(0, 1), min_size=1, max_size=3).map(tuple)
_measuring = [name for name, each in registry.METRICS.items() if each.field and not each.quantiles]
metrics = st.one_of(
    st.builds(SeriesAggregate, st.sampled_from(["rate", "count_over_time"]), by=_by),
    st.builds(SeriesAggregate, st.sampled_from(_measuring), numeric_fields, by=_by),
    st.builds(SeriesAggregate, st.just("quantile_over_time"), numeric_fields, _quantiles, _by),
    st.builds(Compare, spanset_filters, st.integers(1, 20)),
    st.builds(Compare, spanset_filters, st.integers(1, 20), st.just(5), st.integers(6, 10)),
)
series_stages = st.lists(
    st.one_of(
        st.builds(SeriesSelection, st.sampled_from(["topk", "bottomk"]), st.integers(1, 100)),
        st.builds(SeriesFilter, st.sampled_from(COMPARISONS), numbers),
    ),
    max_size=2,
).map(tuple)
hints = st.lists(
    st.one_of(
        st.builds(HintValue, st.just("most_recent"), booleans),
        st.builds(HintValue, st.sampled_from(["other", "name", "rate"]), st.one_of(numbers, strings, booleans)),
    ),
    max_size=2,
).map(tuple)
trace_queries = st.builds(Query, pipelines, hints=hints)
metrics_queries = st.builds(Query, pipelines, metrics, series_stages, hints)
queries = st.one_of(trace_queries, metrics_queries)
