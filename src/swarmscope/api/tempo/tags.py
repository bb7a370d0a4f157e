"""/api/search/tags and /api/search/tag/<n>/values in both versions: names of attributes and their values.

Manual: https://grafana.com/docs/tempo/latest/api_docs/#search-tags-v2
"""

from __future__ import annotations

from typing import Any
from urllib.parse import unquote

from starlette.responses import Response
from starlette.routing import BaseRoute

from swarmscope.api.tempo.endpoint import TempoExchange, TempoPath, Work, refuse
from swarmscope.api.tempo.parameters import count_of, search_ranges
from swarmscope.api.tempo.tag_names import names_of_chosen
from swarmscope.api.tempo.value_json import spelled
from swarmscope.lang.traceql.fields import name_text
from swarmscope.lang.traceql.registry import INTRINSIC_SPELLINGS, IntrinsicField
from swarmscope.model.contracts import ReadBudget
from swarmscope.model.spans import AttributeScope
from swarmscope.query.traceql.tags import TagRequest, parse_filter
from swarmscope.query.traceql.values import Tag, TypedValue

_INTRINSIC = "intrinsic"
# Ids and places in a walk through the trace: nobody picks them from a list.
_UNLISTED = frozenset({
    IntrinsicField.SPAN_ID, IntrinsicField.PARENT_ID, IntrinsicField.TRACE_ID, IntrinsicField.PARENT,
    IntrinsicField.CHILD_COUNT, IntrinsicField.NESTED_SET_LEFT, IntrinsicField.NESTED_SET_RIGHT,
    IntrinsicField.NESTED_SET_PARENT, IntrinsicField.LINK_TRACE_ID, IntrinsicField.LINK_SPAN_ID,
})  # fmt: skip
LISTED_INTRINSICS = tuple(sorted(name for name, field in INTRINSIC_SPELLINGS.items() if field not in _UNLISTED))
_TYPE_NAMES = {
    Tag.STRING: "string", Tag.INTEGER: "int", Tag.FLOAT: "float", Tag.BOOLEAN: "bool", Tag.DURATION: "duration",
    Tag.STATUS: "keyword", Tag.KIND: "keyword",
}  # fmt: skip


def tag_routes(path: TempoPath) -> list[BaseRoute]:
    """The endpoints behind an editor's completion."""
    return [
        path.route("/api/search/tags", _tags_v1, ("GET",)),
        path.route("/api/v2/search/tags", _tags_v2, ("GET",)),
        path.route("/api/search/tag/{name:path}/values", _values_v1, ("GET",)),
        path.route("/api/v2/search/tag/{name:path}/values", _values_v2, ("GET",)),
    ]


async def _tags_v1(exchange: TempoExchange) -> Response:
    scope = _scope_of(exchange)

    def make(budget: ReadBudget) -> dict[str, Any]:
        # Without a scope this version does not name intrinsics, the other one does.
        scopes = [(name, tags) for name, tags in tags_by_scope(exchange, scope, budget) if scope or name != _INTRINSIC]
        return {"tagNames": sorted({tag for _, tags in scopes for tag in tags})}

    return await exchange.answer("SearchTagsResponse", make)


async def _tags_v2(exchange: TempoExchange) -> Response:
    return await exchange.answer("SearchTagsV2Response", names_work(exchange))


def names_work(exchange: TempoExchange) -> Work:
    """The names that the parameters ask for, by scope. Raises ApiError."""
    scope = _scope_of(exchange)

    def make(budget: ReadBudget) -> dict[str, Any]:
        return {"scopes": [{"name": name, "tags": tags} for name, tags in tags_by_scope(exchange, scope, budget)]}

    return make


def _scope_of(exchange: TempoExchange) -> str:
    """`scope`, "" for all of them."""
    text = exchange.parameters.text("scope")
    if text in ("", "none", "all"):
        return ""
    if text != _INTRINSIC and text not in tuple(AttributeScope):
        raise refuse(f"invalid scope: {text}")
    return text


def tags_by_scope(exchange: TempoExchange, scope: str, budget: ReadBudget) -> list[tuple[str, list[str]]]:
    """Sorted names of each scope that has some, `limit` of each at most."""
    parameters = exchange.parameters
    limit = count_of(parameters, "limit", 0, least=0) or None
    if scope == _INTRINSIC:
        return [(_INTRINSIC, list(LISTED_INTRINSICS[:limit]))]
    found: dict[str, list[str]] = {}
    for span in search_ranges(parameters, exchange.now_ns):
        request = TagRequest(*span, exchange.tenant, exchange.path.settings.max_tag_values, parameters.text("q"))
        if parse_filter(request.filter_text).condition is None:
            found = exchange.parts.engine.tag_names(request, AttributeScope(scope) if scope else None)
        else:
            found = names_of_chosen(exchange.parts, request, scope, budget)
        if any(found.values()):
            break
    named = [(name, tags[:limit]) for name, tags in found.items() if tags]
    return named if scope else [*named, (_INTRINSIC, list(LISTED_INTRINSICS[:limit]))]


async def _values_v1(exchange: TempoExchange) -> Response:
    name = unquote(exchange.name)
    # Names of this version are not TraceQL: what is no intrinsic is an attribute of the span or the resource.
    tag = name if name in INTRINSIC_SPELLINGS else f".{name_text(name)}"

    def make(budget: ReadBudget) -> dict[str, Any]:
        return {"tagValues": sorted({spelled(value) for value in values_of(exchange, tag, budget)})}

    return await exchange.answer("SearchTagValuesResponse", make)


async def _values_v2(exchange: TempoExchange) -> Response:
    return await exchange.answer("SearchTagValuesV2Response", values_work(exchange))


def values_work(exchange: TempoExchange) -> Work:
    """The typed values that the parameters ask for. Raises ApiError."""
    # Clients encode the name once more than the path needs, so that it may hold a slash.
    tag = unquote(exchange.name)

    def make(budget: ReadBudget) -> dict[str, Any]:
        values = values_of(exchange, tag, budget)
        return {"tagValues": [{"type": _TYPE_NAMES[value.tag], "value": spelled(value)} for value in values]}

    return make


def values_of(exchange: TempoExchange, tag: str, budget: ReadBudget) -> list[TypedValue]:
    """Sorted values of one field in spans that fulfil `q`, `limit` of them at most."""
    parameters = exchange.parameters
    most = exchange.path.settings.max_tag_values
    limit = min(count_of(parameters, "limit", most, least=0) or most, most)
    found: list[TypedValue] = []
    for span in search_ranges(parameters, exchange.now_ns):
        request = TagRequest(*span, exchange.tenant, limit, parameters.text("q"))
        found = exchange.parts.engine.tag_values(tag, request, budget)
        if found:
            break
    return [value for value in found if value.tag in _TYPE_NAMES]
