"""HTTP connections that send no request: bounded in number, in time and in the size of a request's head.

The server library bounds none of the three, and they cost memory and descriptors before any token is looked at.
"""

from __future__ import annotations

import asyncio
import resource
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

MAX_HEAD_BYTES = 1 << 16
MAX_HEAD_S = 30.0
_REFUSAL = b"HTTP/1.1 431 Request Header Fields Too Large\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"


def max_connections() -> int:
    """Half of the descriptors that this process may have; the store needs the others."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return 1 << 16 if soft == resource.RLIM_INFINITY else max(64, min(soft // 2, 1 << 16))


class BoundedProtocol(HttpToolsProtocol):
    """uvicorn's protocol with the bounds above."""

    _head_bytes = 0
    _in_head = True
    _patience: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        """Take the connection, or close it where there are too many."""
        super().connection_made(transport)
        if len(self.connections) > max_connections():
            transport.close()
            return
        self._patience = self.loop.call_later(MAX_HEAD_S, transport.close)

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection."""
        self._end_patience()
        super().connection_lost(exc)

    def _end_patience(self) -> None:
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None

    def data_received(self, data: bytes) -> None:
        """Bytes of the head are counted, the body's are the application's business."""
        if self._in_head:
            self._head_bytes += len(data)
        super().data_received(data)
        if self._in_head and self._head_bytes > MAX_HEAD_BYTES and not self.transport.is_closing():
            self.transport.write(_REFUSAL)
            self.transport.close()

    def on_message_begin(self) -> None:
        """A request's first byte: from here on its head has to come in time."""
        self._in_head, self._head_bytes = True, 0
        if self._patience is None:
            self._patience = self.loop.call_later(MAX_HEAD_S, self.transport.close)
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """The head is whole."""
        self._in_head = False
        self._end_patience()
        super().on_headers_complete()
