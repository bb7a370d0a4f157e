"""/labels, /label, /label/<name>/values, /series, /detected_labels: what the catalogue of streams knows."""

from __future__ import annotations

from collections.abc import Sequence

import orjson
from starlette.responses import Response
from starlette.routing import BaseRoute

from swarmscope.api.answers import envelope
from swarmscope.api.json_series import label_sets_json
from swarmscope.api.loki.endpoint import LokiExchange, LokiPath
from swarmscope.api.loki.parameters import ordered_range_of, range_of
from swarmscope.query.deadlines import Deadline


def catalogue_routes(path: LokiPath) -> list[BaseRoute]:
    """The endpoints that list streams and their labels."""
    return [
        path.route("/api/v1/labels", _labels),
        path.route("/api/v1/label", _labels),
        path.route("/api/v1/label/{name:path}/values", _label_values),
        path.route("/api/v1/series", _series),
        path.route("/api/v1/detected_labels", _detected_labels),
    ]


async def _labels(exchange: LokiExchange) -> Response:
    span, selectors = range_of(exchange.parameters, exchange.now_ns), exchange.selectors()
    reader, tenant = exchange.path.parts.reader, exchange.parameters.tenant

    def make(deadline: Deadline) -> Sequence[bytes]:
        return envelope([orjson.dumps(reader.label_names(tenant, selectors, *span))])

    return await exchange.chunks(make)


async def _label_values(exchange: LokiExchange) -> Response:
    span, selectors = range_of(exchange.parameters, exchange.now_ns), exchange.selectors()
    reader, tenant = exchange.path.parts.reader, exchange.parameters.tenant
    name = exchange.request.path_params["name"]

    def make(deadline: Deadline) -> Sequence[bytes]:
        return envelope([orjson.dumps(reader.label_values(tenant, name, selectors, *span))])

    return await exchange.chunks(make)


async def _series(exchange: LokiExchange) -> Response:
    span, selectors = ordered_range_of(exchange.parameters, exchange.now_ns), exchange.selectors()
    path, tenant = exchange.path, exchange.parameters.tenant
    reader = path.parts.reader

    def make(deadline: Deadline) -> Sequence[bytes]:
        found: set[bytes] = set()
        for matchers in selectors or [()]:
            deadline.check()
            selection = reader.select_streams(tenant, matchers, *span)
            found.update(label_sets_json(path.label_texts.render(selection.labels, reader.symbols)))
        return envelope([b"[" + b",".join(sorted(found)) + b"]"])

    return await exchange.chunks(make)


async def _detected_labels(exchange: LokiExchange) -> Response:
    span, selectors = range_of(exchange.parameters, exchange.now_ns), exchange.selectors()
    engine, tenant = exchange.path.parts.engine, exchange.parameters.tenant
    matchers = selectors[0] if selectors else ()

    def make(deadline: Deadline) -> Sequence[bytes]:
        found = engine.detected_labels(matchers, span, tenant)
        labels = [{"label": label.name, "cardinality": label.cardinality} for label in found]
        return [orjson.dumps({"detectedLabels": labels})]

    return await exchange.chunks(make)
