"""TraceQL told to language models, from what the language has names for."""

from __future__ import annotations

from collections.abc import Callable

from swarmscope.lang.traceql import registry

_BASIC = """# TraceQL

A query chooses spans: `{ condition }`. Conditions compare fields of one span, joined by `&&` and `||`.
Attributes have a scope: `span.`, `resource.`, `event.`, `link.`, `instrumentation.`; `.x` looks in the span, then in
the resource, and `parent.x` in the parent. Texts stand in double quotes or backticks, durations have units (`1.5s`,
`20ms`). A comparison with a field that a span does not have is false; `field != nil` says that it is there.

    { resource.service.name = "checkout" && status = error }
    { span.http.status_code >= 500 && duration > 1s }
    { .gen_ai.request.model =~ "gpt-.*" }

More: `aggregates` (conditions on sets of spans), `structural` (spans above and below one another), `metrics` (numbers).

## Fields of every span

"""
_AGGREGATES = """# Aggregates in TraceQL

A pipe passes the spans of each trace on. A comparison of an aggregate keeps the traces for which it holds.

    { status = error } | count() > 3
    { name = "tool" } | by(resource.service.name) | avg(duration) > 500ms
    { status = error } | select(span.error.type, resource.host.name)

## Functions

"""
_STRUCTURAL = """# Structural operators in TraceQL

They stand between two filters, and give the spans of the right one (with `&` in front, those of both).

    { name = "plan" } >> { status = error }
    { kind = client } !> { kind = server }

## Operators

"""
_METRICS = """# Metrics in TraceQL

A metrics function at the end makes series of the spans that come through, by labels. The request has a time range.

    { kind = server } | rate() by (resource.service.name)
    { } | quantile_over_time(duration, 0.5, 0.99) by (name)
    { status = error } | count_over_time() by (resource.service.name) | topk(5)
    { } | compare({ status = error })

## Functions

"""


def _basic() -> str:
    fields = "".join(f"- `{word.field}`: {word.summary} ({word.type})\n" for word in registry.INTRINSICS.values())
    operators = "".join(f"- `{each.name}`: {each.summary}\n" for each in registry.FIELD_OPERATORS.values())
    words = ", ".join(f"`{each}`" for each in (*registry.STATUSES, *registry.KINDS))
    return f"{_BASIC}{fields}\nStatuses and kinds: {words}.\n\n## Operators\n\n{operators}"


def _aggregates() -> str:
    functions = "".join(f"- `{each.name}()`: {each.summary}\n" for each in registry.AGGREGATES.values())
    stages = "".join(f"- `{each.name}()`: {each.summary}\n" for each in registry.STAGES.values())
    return f"{_AGGREGATES}{functions}{stages}"


def _structural() -> str:
    return _STRUCTURAL + "".join(f"- `{each.name}`: {each.summary}\n" for each in registry.SPANSET_OPERATORS.values())


def _metrics() -> str:
    functions = [(each.name, each.summary) for each in (*registry.METRICS.values(), registry.COMPARE)]
    functions += [(each.name, each.summary) for each in registry.SELECTING.values()]
    return _METRICS + "".join(f"- `{name}()`: {summary}\n" for name, summary in functions)


GUIDES: dict[str, Callable[[], str]] = {
    "basic": _basic, "aggregates": _aggregates, "structural": _structural, "metrics": _metrics,
}  # fmt: skip
