"""/delete: requests to delete lines, only where the operator enabled the admin endpoints.

A request is executed at once, one after the other; requests are remembered while the program runs.
Manual: https://grafana.com/docs/loki/latest/reference/loki-http-api/#request-log-deletion
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from starlette.responses import Response
from starlette.routing import BaseRoute

from swarmscope.api.loki.endpoint import LokiExchange, LokiPath, refuse
from swarmscope.api.loki.parts import LogAdmin
from swarmscope.api.loki.status import json_answer
from swarmscope.api.request_times import NS_PER_S, time_of
from swarmscope.lang.logql import LogPipeline, parse_log_query
from swarmscope.model.contracts import ReadBudget
from swarmscope.model.errors import QueryCancelledError
from swarmscope.model.logs import LogRows
from swarmscope.query.deadlines import Deadline
from swarmscope.query.logql.blocks import LineBlock, Shapes, Streams
from swarmscope.query.logql.pipeline import Pipeline
from swarmscope.query.logql.row_taking import taken_rows

_log = logging.getLogger(__name__)
_MAX_REMEMBERED = 1000
_TIMEOUT_S = 3600.0


@dataclass(slots=True)
class DeleteRequest:
    """One request and what became of it. `is_cancelled` requests are forgotten before anything was deleted."""

    request_id: str
    tenant: str
    query: str
    start_ns: int
    end_ns: int
    created_ns: int
    deadline: Deadline
    status: str = "received"

    def to_json(self) -> dict[str, Any]:
        """As Loki lists it: times in seconds."""
        return {
            "request_id": self.request_id,
            "start_time": self.start_ns // NS_PER_S,
            "end_time": self.end_ns // NS_PER_S,
            "query": self.query,
            "status": self.status,
            "created_at": self.created_ns // NS_PER_S,
        }


class Deletions:
    """Requests in the order they came; use from one event loop."""

    def __init__(self, path: LokiPath) -> None:
        self._path = path
        self._requests: dict[str, DeleteRequest] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def routes(self) -> list[BaseRoute]:
        """The endpoint; while it is disabled it says so."""
        return [self._path.route("/api/v1/delete", self._answer, ("GET", "POST", "PUT", "DELETE"))]

    async def _answer(self, exchange: LokiExchange) -> Response:
        if self._path.parts.admin is None:
            raise refuse("deletion is not available: start with --enable-admin-api", 403)
        if exchange.request.method == "GET":
            tenant = exchange.parameters.tenant
            return json_answer([each.to_json() for each in self._requests.values() if each.tenant == tenant])
        if exchange.request.method == "DELETE":
            return self._cancel(exchange)
        return self._add(exchange, self._path.parts.admin)

    def _add(self, exchange: LokiExchange, admin: LogAdmin) -> Response:
        parameters, now_ns = exchange.parameters, exchange.now_ns
        if not parameters.text("query"):
            raise refuse("query not set")
        if not parameters.text("start"):
            raise refuse("start time not set")
        tree = parse_log_query(parameters.text("query"))
        start_ns, end_ns = time_of(parameters, "start", 0), time_of(parameters, "end", now_ns)
        if end_ns > now_ns:
            raise refuse("deletes in the future are not allowed")
        if start_ns > end_ns:
            raise refuse("start time can't be greater than end time")
        request = DeleteRequest(
            secrets.token_hex(4), parameters.tenant, str(tree), start_ns, end_ns, now_ns, Deadline(_TIMEOUT_S)
        )
        while len(self._requests) >= _MAX_REMEMBERED:
            del self._requests[next(iter(self._requests))]
        self._requests[request.request_id] = request
        task = asyncio.create_task(self._execute(request, tree, admin))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return Response(status_code=204)

    def _cancel(self, exchange: LokiExchange) -> Response:
        request = self._requests.get(exchange.parameters.text("request_id"))
        if request is None or request.tenant != exchange.parameters.tenant:
            raise refuse("could not find delete request with given id", 404)
        if request.status == "processed":
            raise refuse("deletion of request which is in process or already processed is not allowed")
        request.deadline.cancel()
        del self._requests[request.request_id]
        return Response(status_code=204)

    async def _execute(self, request: DeleteRequest, tree: LogPipeline, admin: LogAdmin) -> None:
        parts = self._path.parts
        try:
            await (parts.run_admin or parts.run)(lambda: self._delete(request, tree, admin))
            request.status = "processed"
        except QueryCancelledError:
            _log.info("delete request %s was cancelled", request.request_id)
        except Exception:
            _log.exception("delete request %s failed", request.request_id)
            request.status = "failed"

    def _delete(self, request: DeleteRequest, tree: LogPipeline, admin: LogAdmin) -> None:
        request.deadline.check()
        # Loki's end is part of the range.
        end_ns = request.end_ns + 1
        if not tree.stages:
            admin.delete_lines(request.tenant, tree.matchers, request.start_ns, end_ns)
            return
        selection = self._path.parts.reader.select_streams(request.tenant, tree.matchers, request.start_ns, end_ns)
        # All is found before anything goes: a scan must not see its own deletions.
        admin.delete_rows(selection, list(self._chosen(request, tree)))

    def _chosen(self, request: DeleteRequest, tree: LogPipeline) -> Iterator[LogRows]:
        """The lines that pass the query's pipeline."""
        reader, settings = self._path.parts.reader, self._path.parts.engine.settings
        pipeline = Pipeline.compile(tree)
        wanted = pipeline.request(request.start_ns, request.end_ns + 1)
        selection = reader.select_streams(request.tenant, tree.matchers, wanted.start_ns, wanted.end_ns)
        streams, shapes = Streams(selection.labels, reader.symbols.text), Shapes(reader.shape_names)
        budget = ReadBudget(request.deadline, settings.max_samples, max_bytes=settings.max_bytes)
        for rows in reader.scan_lines(selection, wanted, budget):
            request.deadline.check()
            block = LineBlock.from_rows(rows, streams, shapes)
            pipeline.run(block)
            if len(block):
                yield taken_rows(rows, np.sort(block.rows))
