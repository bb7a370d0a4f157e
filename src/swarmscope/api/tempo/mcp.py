"""/api/mcp: the API as tools of the Model Context Protocol, named as those of Tempo's own MCP server.

Streamable HTTP without sessions: each message is answered with JSON at once. Specification:
https://modelcontextprotocol.io/specification/2025-06-18/basic/transports; tools as in
https://grafana.com/docs/tempo/latest/api_docs/mcp-server/
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from swarmscope.api.answers import JSON_TYPE, ChunkedAnswer, plain
from swarmscope.api.exchanges import Exchange, refusal_of
from swarmscope.api.parameters import Parameters
from swarmscope.api.parts import RequestRecord
from swarmscope.api.tempo.endpoint import TempoExchange, TempoPath, Work
from swarmscope.api.tempo.metrics import instant_work, range_work
from swarmscope.api.tempo.search import search_work
from swarmscope.api.tempo.tags import names_work, values_work
from swarmscope.api.tempo.traceql_guide import GUIDES
from swarmscope.api.tempo.traces import trace_work
from swarmscope.model.labels import DEFAULT_TENANT

_VERSIONS = ("2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05")
_ALLOWED = "POST, DELETE"
_MOST_MESSAGES = 100  # in one request
# JSON-RPC's numbers.
_PARSE_ERROR, _INVALID_REQUEST, _NO_METHOD, _INVALID_PARAMS = -32700, -32600, -32601, -32602
_RANGE = {
    "start": "Where the range begins, in RFC 3339; an hour before the end if not given.",
    "end": "Where the range ends, in RFC 3339; now if not given.",
}
_READ_ONLY = {"readOnlyHint": True, "destructiveHint": False, "openWorldHint": False}
_INSTRUCTIONS = (
    "Traces of a fleet of AI agents and services. Ask for attribute names first, then search with TraceQL; "
    "docs-traceql explains the language."
)


@dataclass(frozen=True, slots=True)
class Tool:
    """One tool. `renamed`: its arguments by the names of the API's parameters; `subject`: the one that names what."""

    name: str
    summary: str
    arguments: Mapping[str, str]
    required: tuple[str, ...]
    work: Callable[[TempoExchange], Work]
    renamed: Mapping[str, str]
    subject: str = ""
    choices: Mapping[str, tuple[str, ...]] | None = None

    def describe(self) -> dict[str, Any]:
        """As `tools/list` gives it."""
        properties = {
            name: {"type": "string", "description": summary} for name, summary in self.arguments.items()
        }  # fmt: skip
        for name, values in (self.choices or {}).items():
            properties[name]["enum"] = list(values)  # type: ignore[assignment]
        schema = {"type": "object", "properties": properties, "required": list(self.required)}
        return {
            "name": self.name, "description": self.summary, "inputSchema": schema, "annotations": _READ_ONLY,
        }  # fmt: skip


def _guide_work(exchange: TempoExchange) -> Work:
    return lambda budget: {"text": GUIDES[exchange.name]()}


_QUERY = {"query": "q", "start": "start", "end": "end"}
TOOLS = {tool.name: tool for tool in (
    Tool("traceql-search", "Search traces with a TraceQL query: the newest that it finds.",
         {"query": "The TraceQL query.", **_RANGE}, ("query",), search_work, _QUERY),
    Tool("traceql-metrics-instant", "One number for each series of a TraceQL metrics query, over a range of time. "
         "Answers most questions about how many and how long.",
         {"query": "The TraceQL query, with a metrics function at its end.", **_RANGE}, ("query",), instant_work,
         _QUERY),
    Tool("traceql-metrics-range", "The series of a TraceQL metrics query over a range of time.",
         {"query": "The TraceQL query, with a metrics function at its end.", **_RANGE}, ("query",), range_work, _QUERY),
    Tool("get-trace", "One trace with all its spans, by its id.", {"trace_id": "The trace's id, hexadecimal."},
         ("trace_id",), trace_work, {}, "trace_id"),
    Tool("get-attribute-names", "Names of the attributes that TraceQL queries can ask for, by scope.",
         {"scope": "One scope alone: span, resource, event, link, instrumentation or intrinsic."}, (), names_work,
         {"scope": "scope"}),
    Tool("get-attribute-values", "Values that an attribute has.",
         {"name": "The attribute with its scope, as resource.service.name, or a field as name.",
          "filter-query": "Only values of spans that fulfil this filter: { condition && condition }."},
         ("name",), values_work, {"filter-query": "q"}, "name"),
    Tool("docs-traceql", "How to write TraceQL: read it before writing a query that is not simple.",
         {"name": "Which part."}, ("name",), _guide_work, {}, "name", {"name": tuple(GUIDES)}),
)}  # fmt: skip


class _ProtocolError(Exception):
    """A message that is answered with an error of JSON-RPC."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


class McpServer:
    """The endpoint. Keeps no state, so that any number of clients and restarts do not matter."""

    def __init__(self, path: TempoPath) -> None:
        self._path = path
        self._endpoint = f"{path.settings.prefix}/api/mcp"

    def routes(self) -> list[BaseRoute]:
        """The one endpoint. DELETE ends a session; there is none, and clients ask so whether the server is there."""
        return [Route(self._endpoint, self._serve, methods=["GET", "POST", "DELETE"])]

    async def _serve(self, request: Request) -> Response:
        if request.method == "DELETE":
            return plain("")
        if request.method != "POST":
            refused = plain("there is no stream of events here\n", 405)
            refused.raw_headers.append((b"allow", _ALLOWED.encode()))
            return refused
        began_s = time.perf_counter()
        tenant = request.headers.get("x-scope-orgid", "") or DEFAULT_TENANT
        answer, query = await self._answer(request, await request.body(), tenant)
        status = 202 if answer is None else 200
        took_s = time.perf_counter() - began_s
        self._path.parts.on_request(RequestRecord(self._endpoint, "POST", status, took_s, tenant, query))
        if answer is None:
            return Response(status_code=status)
        return ChunkedAnswer([orjson.dumps(answer)], status, {"content-type": JSON_TYPE})

    async def _answer(self, request: Request, body: bytes, tenant: str) -> tuple[Any, str]:
        """The answer to one message or to a list of them, None where none is due; and the query, for the record."""
        try:
            message = orjson.loads(body)
        except orjson.JSONDecodeError as error:
            return _error(None, _PARSE_ERROR, f"the body is no JSON: {error}"), ""
        messages = message if isinstance(message, list) else [message]
        if not messages or len(messages) > _MOST_MESSAGES:
            return _error(None, _INVALID_REQUEST, f"a list of messages has 1 to {_MOST_MESSAGES} of them"), ""
        answers = [await self._answer_one(request, each, tenant) for each in messages]
        due = [each for each in answers if each is not None]
        told = next((query for each in messages if (query := _query_in(each))), "")
        return (due if isinstance(message, list) else due[0]) if due else None, told

    async def _answer_one(self, request: Request, message: Any, tenant: str) -> dict[str, Any] | None:
        if not isinstance(message, dict) or not isinstance(message.get("method"), str):
            # What a client answers to us is of no interest.
            is_answer = isinstance(message, dict) and ("result" in message or "error" in message)
            return None if is_answer else _error(None, _INVALID_REQUEST, "this is no message of JSON-RPC")
        if "id" not in message:
            return None
        parameters = message.get("params") or {}
        try:
            if not isinstance(parameters, dict):
                raise _ProtocolError(_INVALID_PARAMS, "params must be an object")
            result = await self._result(request, message["method"], parameters, tenant)
        except _ProtocolError as error:
            return _error(message["id"], error.code, str(error))
        return {"jsonrpc": "2.0", "id": message["id"], "result": result}

    async def _result(
        self, request: Request, method: str, parameters: Mapping[str, Any], tenant: str
    ) -> dict[str, Any]:
        match method:
            case "initialize":
                asked = parameters.get("protocolVersion")
                return {
                    "protocolVersion": asked if asked in _VERSIONS else _VERSIONS[0],
                    "capabilities": {"tools": {"listChanged": False}},
                    "serverInfo": {"name": "swarmscope", "version": self._path.settings.version},
                    "instructions": _INSTRUCTIONS,
                }
            case "ping":
                return {}
            case "tools/list":
                return {"tools": [tool.describe() for tool in TOOLS.values()]}
            case "tools/call":
                return await self._call(request, parameters, tenant)
        raise _ProtocolError(_NO_METHOD, f"there is no method {method!r}")

    async def _call(self, request: Request, parameters: Mapping[str, Any], tenant: str) -> dict[str, Any]:
        """What a tool gives; its failures are results too, so that a model reads them."""
        tool = TOOLS.get(str(parameters.get("name")))
        if tool is None:
            raise _ProtocolError(_INVALID_PARAMS, f"there is no tool {parameters.get('name')!r}")
        arguments = parameters.get("arguments") or {}
        if not isinstance(arguments, dict):
            raise _ProtocolError(_INVALID_PARAMS, "arguments must be an object")
        for name in tool.required:
            if not isinstance(arguments.get(name), str) or not arguments[name]:
                return _said(f"the argument {name!r} is required", is_error=True)
        for name, choices in (tool.choices or {}).items():
            if arguments[name] not in choices:
                return _said(f"{name} must be one of {', '.join(choices)}", is_error=True)
        values = {to: [str(arguments[name])] for name, to in tool.renamed.items() if arguments.get(name)}
        exchange = Exchange(self._path.exchange_parts, request, Parameters(values, tenant))
        try:
            work = tool.work(TempoExchange(self._path, exchange, str(arguments.get(tool.subject, ""))))
            deadline = exchange.deadline()
            found = await exchange.work(deadline, lambda: work(exchange.budget(deadline)))
        except Exception as error:
            text, _ = refusal_of(error, self._endpoint)
            return _said(text, is_error=True)
        return _said(found["text"] if tool.work is _guide_work else orjson.dumps(found).decode())


def _query_in(message: Any) -> str:
    """What is recorded of a call."""
    parameters = message.get("params") if isinstance(message, dict) else None
    arguments = parameters.get("arguments") if isinstance(parameters, dict) else None
    return str(arguments.get("query", "")) if isinstance(arguments, dict) else ""


def _said(text: str, *, is_error: bool = False) -> dict[str, Any]:
    return {"content": [{"type": "text", "text": text}], "isError": is_error}


def _error(message_id: Any, code: int, text: str) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": message_id, "error": {"code": code, "message": text}}
