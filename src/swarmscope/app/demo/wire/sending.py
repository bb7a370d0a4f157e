"""Sending OTLP/HTTP requests in order, each again when the receiver is busy or away."""

from __future__ import annotations

import gzip
import http.client
import threading
from typing import Protocol
from urllib.parse import urlsplit

_TIMEOUT_S = 20.0
_TRIES = 4
_FIRST_PAUSE_S = 0.5
_BUSY = (408, 429, 500, 502, 503, 504)


class Request(Protocol):
    """A protobuf message."""

    def SerializeToString(self) -> bytes:  # noqa: N802 - protobuf's name
        """Its bytes."""
        ...


class Sender:
    """One connection to an OTLP/HTTP endpoint (`http://127.0.0.1:4318`). Not thread-safe."""

    def __init__(self, endpoint: str, token: str | None, stopping: threading.Event) -> None:
        """Raises ValueError when the endpoint is no HTTP address."""
        parts = urlsplit(endpoint if "://" in endpoint else f"http://{endpoint}")
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError(f"{endpoint!r} is no address such as http://127.0.0.1:4318")
        make = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        self._connection = make(parts.hostname, parts.port, timeout=_TIMEOUT_S)
        self._path = parts.path.rstrip("/")
        self._headers = {"content-type": "application/x-protobuf", "content-encoding": "gzip"}
        if token:
            self._headers["authorization"] = f"Bearer {token}"
        self._stopping = stopping
        self.n_sent = 0
        self.n_dropped = 0
        self.last_failure = ""

    def send(self, signal: str, request: Request | None) -> bool:
        """Send a request of one signal (`metrics`, `logs`, `traces`); whether it was taken. None: nothing to send."""
        if request is None:
            return True
        body = gzip.compress(request.SerializeToString(), 1)
        pause_s = _FIRST_PAUSE_S
        for attempt in range(_TRIES):
            status = self._post(f"{self._path}/v1/{signal}", body)
            if 200 <= status < 300:
                self.n_sent += 1
                return True
            if status not in (0, *_BUSY) or attempt == _TRIES - 1 or self._stopping.wait(pause_s):
                break
            pause_s *= 2
        self.n_dropped += 1
        return False

    def _post(self, path: str, body: bytes) -> int:
        """The status of the answer, 0 when there was none."""
        try:
            self._connection.request("POST", path, body, self._headers)
            response = self._connection.getresponse()
            answer = response.read()
        except (OSError, http.client.HTTPException) as error:
            self._connection.close()
            self.last_failure = f"no answer: {error}"
            return 0
        if response.status >= 300:
            self.last_failure = f"{response.status} {answer[:200].decode(errors='replace')}"
        return response.status

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()
