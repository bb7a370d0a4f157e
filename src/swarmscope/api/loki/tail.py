"""/tail: lines over a websocket as they come in.

A message is `{"streams":[{"stream":{…},"values":[["ns","line"]]}]}`, and where lines had to be left out,
`"dropped_entries":[{"labels":{…},"timestamp":"ns","count":n}]` stands beside.
Manual: https://grafana.com/docs/loki/latest/reference/loki-http-api/#stream-logs
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple
from urllib.parse import parse_qs

import numpy as np
import orjson
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketState

from swarmscope.api.exchanges import refusal_of
from swarmscope.api.loki.endpoint import LokiExchange, LokiPath, refuse
from swarmscope.api.loki.log_json import streams_json
from swarmscope.api.loki.parameters import DEFAULT_SINCE_NS, limit_of
from swarmscope.api.loki.queries import CATEGORIZE_LABELS, ENCODING_FLAGS, taken
from swarmscope.api.parameters import Parameters
from swarmscope.api.parts import RequestRecord
from swarmscope.api.request_times import NS_PER_S, time_of
from swarmscope.lang.logql import parse_log_query
from swarmscope.model.labels import DEFAULT_TENANT
from swarmscope.model.matchers import MatchOperator
from swarmscope.query.deadlines import Deadline
from swarmscope.query.logql.log_answers import LogsRequest, LogsResult
from swarmscope.query.logql.tail import Tail

_MAX_DELAY_S = 5
_NORMAL, _GOING_AWAY, _FAILED = 1000, 1001, 1011
_HISTORY_TIMEOUT_S = 60.0
# Of messages whose delay runs; above it nothing more is taken, and lines are dropped.
_MAX_HELD_CHARACTERS = 64 << 20


class TailQuestion(NamedTuple):
    """What a client wants to follow."""

    query: str
    tenant: str
    start_ns: int
    limit: int
    delay_s: int
    categorised: bool
    labels: Mapping[str, str]  # those that the selector names, told with lines that were dropped


class Tails:
    """All clients that follow; use from one event loop."""

    def __init__(self, path: LokiPath) -> None:
        self._path = path
        self._open = 0

    def routes(self) -> list[BaseRoute]:
        """The websocket, and an answer to those who come without one."""
        prefix = self._path.settings.prefix
        return [
            WebSocketRoute(f"{prefix}/api/v1/tail", self._accept),
            self._path.route("/api/v1/tail", _without_websocket, ("GET",)),
        ]

    async def _accept(self, socket: WebSocket) -> None:
        began_s = time.perf_counter()
        endpoint = f"{self._path.settings.prefix}/api/v1/tail"
        status, query = 101, ""
        try:
            question = self._question(socket)
            query = question.query
            if self._open >= self._path.settings.max_tails:
                raise refuse(f"max concurrent tail requests limit exceeded, count > limit ({self._open + 1})", 429)
            # From here on all lines come; what is older is read when the client is there.
            tail = self._path.parts.engine.tail(question.query, question.tenant)
        except Exception as error:
            text, status = refusal_of(error, endpoint)
            await socket.send_denial_response(PlainTextResponse(f"{text}\n", status))
        else:
            self._open += 1
            try:
                await socket.accept()
                await _Client(self._path, socket, question, tail).serve()
            finally:
                self._open -= 1
                tail.close()
        took_s = time.perf_counter() - began_s
        self._path.parts.on_request(RequestRecord(endpoint, "GET", status, took_s, "", query))

    def _question(self, socket: WebSocket) -> TailQuestion:
        values = parse_qs(socket.url.query, keep_blank_values=True, max_num_fields=100)
        parameters = Parameters(values, socket.headers.get("x-scope-orgid", "") or DEFAULT_TENANT)
        tree = parse_log_query(parameters.text("query"))
        delay = parameters.text("delay_for", "0") or "0"
        if not delay.isdecimal():
            raise refuse(f"could not parse 'delay_for' parameter: {delay!r} is not a whole number of seconds")
        if int(delay) > _MAX_DELAY_S:
            raise refuse(f"delay_for can't be greater than {_MAX_DELAY_S}")
        now_ns = self._path.parts.clock.now_ns()
        limit = min(limit_of(parameters), self._path.parts.engine.settings.max_entries)
        equal = {each.name: each.value for each in tree.matchers if each.operator is MatchOperator.EQUAL}
        start_ns = time_of(parameters, "start", now_ns - DEFAULT_SINCE_NS)
        categorised = CATEGORIZE_LABELS in socket.headers.get(ENCODING_FLAGS, "")
        return TailQuestion(str(tree), parameters.tenant, start_ns, limit, int(delay), categorised, equal)


async def _without_websocket(exchange: LokiExchange) -> Response:
    raise refuse("Bad Request: websocket: the client is not using the websocket protocol")


class _Client:
    """One client: older lines first, then what comes in, until it leaves or its time is up."""

    def __init__(self, path: LokiPath, socket: WebSocket, question: TailQuestion, tail: Tail) -> None:
        self._path = path
        self._socket = socket
        self._question = question
        self._tail = tail
        self._seen: set[tuple[int, bytes]] = set()  # older lines that may be told again

    async def serve(self) -> None:
        """Send until the client leaves; its messages mean nothing."""
        sending = asyncio.create_task(self._send())
        leaving = asyncio.create_task(self._until_gone())
        done, others = await asyncio.wait({sending, leaving}, return_when=asyncio.FIRST_COMPLETED)
        for task in others:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError, Exception):
                await task
        if sending in done and self._socket.client_state is WebSocketState.CONNECTED:
            error = sending.exception()
            code, reason = _NORMAL, "reached tail max duration limit"
            if isinstance(error, Exception):
                reason, _ = refusal_of(error, "/tail")
                code = _FAILED
            with contextlib.suppress(RuntimeError, WebSocketDisconnect):
                await self._socket.close(code, reason[:120])

    async def _until_gone(self) -> None:
        with contextlib.suppress(WebSocketDisconnect, RuntimeError):
            while (await self._socket.receive())["type"] != "websocket.disconnect":
                pass

    async def _send(self) -> None:
        run, settings = self._path.parts.run, self._path.settings
        ends_s = time.monotonic() + settings.tail_ends_s
        older = await run(self._older)
        if older:
            await self._socket.send_text(older)
        waiting: list[tuple[float, str]] = []
        while time.monotonic() < ends_s:
            if sum(len(message) for _, message in waiting) < _MAX_HELD_CHARACTERS:
                due_s = time.monotonic() + self._question.delay_s
                waiting.extend((due_s, message) for message in await run(self._newer))
            while waiting and waiting[0][0] <= time.monotonic():
                # A slow client is waited for here; lines that come in meanwhile are dropped by number.
                await self._socket.send_text(waiting.pop(0)[1])
            await asyncio.sleep(settings.tail_pause_s)

    def _older(self) -> str:
        """The newest lines from `start` until now, oldest first; "" for none."""
        ask = self._question
        now_ns = self._path.parts.clock.now_ns()
        if ask.start_ns >= now_ns:
            return ""
        request = LogsRequest(
            ask.query, ask.start_ns, now_ns + NS_PER_S, ask.limit, True, ask.tenant, Deadline(_HISTORY_TIMEOUT_S)
        )
        result = self._path.parts.engine.query_logs(request)
        self._seen = set(_identities(result))
        forward = taken(result, np.arange(len(result))[::-1].copy())
        return self._message([forward], 0) if len(result) else ""

    def _newer(self) -> Sequence[str]:
        batch = self._tail.next(0)
        results = [each for each in map(self._unseen, batch.results) if len(each)]
        if not results and not batch.dropped:
            return ()
        return [self._message(results, batch.dropped)]

    def _unseen(self, result: LogsResult) -> LogsResult:
        """Without lines that were told as older ones; those are the first that come."""
        if not self._seen:
            return result
        fresh = [row for row, each in enumerate(_identities(result)) if each not in self._seen]
        if len(fresh) == len(result):
            self._seen = set()
        return taken(result, np.array(fresh, np.int64))

    def _message(self, results: Sequence[LogsResult], dropped: int) -> str:
        texts = [streams_json(each, categorised=self._question.categorised)[1:-1] for each in results]
        message = b'{"streams":[' + b",".join(texts) + b"]"
        if dropped:
            stamp = str(self._path.parts.clock.now_ns())
            entry = {"labels": self._question.labels, "timestamp": stamp, "count": dropped}
            message += b',"dropped_entries":' + orjson.dumps([entry])
        return (message + b"}").decode()


def _identities(result: LogsResult) -> Iterator[tuple[int, bytes]]:
    """Time and text of every line. # Slow path: a few thousand lines when a tail begins"""
    line = result.line
    for ts_ns, start, length in zip(result.ts_ns.tolist(), line.start.tolist(), line.length.tolist(), strict=True):
        yield ts_ns, line.buffer[start : start + length].tobytes()
