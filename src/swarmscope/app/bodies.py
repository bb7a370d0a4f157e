"""Bounds on what senders make us hold before anything can be refused for its content: bytes and time of bodies."""

from __future__ import annotations

import asyncio
import time

from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

# Bodies of all requests under way together; several times what the busiest senders have in flight.
MAX_HELD_BYTES = 1 << 29
# A body of the greatest size takes this long at 0.5 MiB/s; who needs longer holds memory and a connection for nothing.
MAX_BODY_S = 60.0
_RETRY_AFTER_S = "1"


class BodyRoom:
    """Bytes of bodies that requests of all ports hold; use from one event loop."""

    def __init__(self, max_bytes: int = MAX_HELD_BYTES, max_body_s: float = MAX_BODY_S) -> None:
        self.max_bytes = max_bytes
        self.max_body_s = max_body_s
        self.held_bytes = 0


class BoundedBodies:
    """ASGI middleware: 429 where bodies under way take too much memory, 408 where one takes too long to arrive."""

    def __init__(self, app: ASGIApp, room: BodyRoom) -> None:
        self._app = app
        self._room = room

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let the request through with its body counted until it is answered."""
        if scope["type"] != "http" or scope["method"] in ("GET", "HEAD", "OPTIONS"):
            await self._app(scope, receive, send)
            return
        body = _Body(self._room, receive, send)
        try:
            await self._app(scope, body.receive, body.send)
        finally:
            self._room.held_bytes -= body.held_bytes
        if body.refusal is not None:
            await body.refusal(scope, receive, send)


class _Body:
    """One request's body. Once refused, the application is told that the sender is gone and its answer is dropped."""

    def __init__(self, room: BodyRoom, receive: Receive, send: Send) -> None:
        self._room = room
        self._receive = receive
        self._send = send
        self._deadline_s = time.monotonic() + room.max_body_s
        self._is_whole = False
        self.held_bytes = 0
        self.refusal: PlainTextResponse | None = None

    async def receive(self) -> Message:
        if self.refusal is not None:
            return {"type": "http.disconnect"}
        if self._is_whole:
            return await self._receive()
        try:
            async with asyncio.timeout(self._deadline_s - time.monotonic()):
                message = await self._receive()
        except TimeoutError:
            return self._refuse(408, "the body took too long to arrive", {"Connection": "close"})
        size = len(message.get("body", b""))
        self._is_whole = not message.get("more_body", False)
        if self._room.held_bytes + size > self._room.max_bytes and self._room.held_bytes > self.held_bytes:
            headers = {"Connection": "close", "Retry-After": _RETRY_AFTER_S}
            return self._refuse(429, "too many bodies are on their way", headers)
        self._room.held_bytes += size
        self.held_bytes += size
        return message

    def _refuse(self, status: int, reason: str, headers: dict[str, str]) -> Message:
        self.refusal = PlainTextResponse(f"{reason}\n", status, headers)
        return {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        if self.refusal is None:
            await self._send(message)
