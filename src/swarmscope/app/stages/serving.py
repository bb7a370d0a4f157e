"""HTTP servers on sockets that are already bound."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Iterator

import uvicorn
from starlette.types import ASGIApp

from swarmscope.app.connections import BoundedProtocol

# Requests under way get this long to end; a commit takes a fraction of a second, and queries are told to stop.
_DRAIN_S = 3
_KEEP_ALIVE_S = 75
# Clients of websockets ask in the address; what they send besides means nothing.
_MAX_MESSAGE_BYTES = 1 << 16


class _Server(uvicorn.Server):
    """uvicorn without its signal handlers: signals belong to the program as a whole."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave the handlers as they are."""
        yield


@contextlib.asynccontextmanager
async def serving(app: ASGIApp, listener: socket.socket) -> AsyncIterator[None]:
    """Serve `app` on `listener` while the context lives; on leaving, let requests under way end."""
    config = uvicorn.Config(
        app,
        loop="none",
        http=BoundedProtocol,
        ws="websockets-sansio",
        ws_max_size=_MAX_MESSAGE_BYTES,
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_keep_alive=_KEEP_ALIVE_S,
        timeout_graceful_shutdown=_DRAIN_S,
    )
    server = _Server(config)
    task = asyncio.create_task(server.serve([listener]))
    try:
        while not server.started and not task.done():
            await asyncio.sleep(0.005)
        if task.done():
            task.result()
        yield
    finally:
        server.should_exit = True
        await task
