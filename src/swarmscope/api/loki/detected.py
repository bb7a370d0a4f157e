"""/detected_fields and /detected_field/<n>/values: what Logs Drilldown shows of the newest lines."""

from __future__ import annotations

from collections.abc import Sequence

import orjson
from starlette.responses import Response
from starlette.routing import BaseRoute

from swarmscope.api.loki.endpoint import LokiExchange, LokiPath, refuse
from swarmscope.api.loki.parameters import limit_of, ordered_range_of
from swarmscope.query.deadlines import Deadline
from swarmscope.query.logql.log_answers import LogsRequest

_DEFAULT_LINES = 100  # how many lines are looked at
_DEFAULT_FIELDS = 1000


def detected_routes(path: LokiPath) -> list[BaseRoute]:
    """The endpoints that look into lines."""
    return [
        path.route("/api/v1/detected_fields", _fields),
        path.route("/api/v1/detected_field/{name:path}/values", _values),
    ]


def _request(exchange: LokiExchange, deadline: Deadline) -> LogsRequest:
    parameters = exchange.parameters
    span = ordered_range_of(parameters, exchange.now_ns)
    text = parameters.text("line_limit")
    if text and not text.isdecimal():
        raise refuse(f"could not parse 'line_limit' parameter: {text!r} is not a whole number")
    lines = int(text) if text else _DEFAULT_LINES
    return LogsRequest(parameters.text("query"), *span, lines, True, parameters.tenant, deadline)


def _field_limit(exchange: LokiExchange) -> int:
    """`limit`, or `field_limit` as older clients call it."""
    older = exchange.parameters.text("field_limit")
    return limit_of(exchange.parameters, int(older) if older.isdecimal() and int(older) else _DEFAULT_FIELDS)


async def _fields(exchange: LokiExchange) -> Response:
    limit = _field_limit(exchange)

    def make(deadline: Deadline) -> Sequence[bytes]:
        found = exchange.path.parts.engine.detected_fields(_request(exchange, deadline), limit)
        fields = [
            {
                "label": field.name,
                "type": field.type,
                "cardinality": field.cardinality,
                "parsers": list(field.parsers) or None,
                **({"jsonPath": list(field.json_path)} if field.json_path else {}),
            }
            for field in found
        ]
        return [orjson.dumps({"fields": fields, "limit": limit})]

    return await exchange.chunks(make)


async def _values(exchange: LokiExchange) -> Response:
    limit = _field_limit(exchange)
    name = exchange.request.path_params["name"]

    def make(deadline: Deadline) -> Sequence[bytes]:
        values = exchange.path.parts.engine.detected_field_values(_request(exchange, deadline), name, limit)
        return [orjson.dumps({"values": values, "limit": limit})]

    return await exchange.chunks(make)
