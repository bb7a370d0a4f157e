"""Requests on their way to the server: a few at once, tried again while the server is busy or away."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from types import TracebackType

import httpx

_IN_FLIGHT = 4
_TIMEOUT_S = 120.0
_FIRST_PAUSE_S, _LAST_PAUSE_S = 0.25, 15.0
_PATIENCE_S = 600.0
_BUSY = frozenset({429, 500, 502, 503, 504})
_OK = range(200, 300)
_REFUSED = 400


class IngestProblem(Exception):  # noqa: N818 - an outcome to be shown
    """Why nothing more can be sent, in words."""


@dataclass(frozen=True, slots=True)
class Target:
    """Where lines go."""

    url: str
    token: str | None = None
    tenant: str | None = None

    @property
    def push_url(self) -> str:
        """Loki's push endpoint."""
        return f"{self.url.rstrip('/').removesuffix('/loki')}/loki/api/v1/push"

    @property
    def headers(self) -> dict[str, str]:
        """What every request carries."""
        headers = {"content-type": "application/x-protobuf"}
        if self.token:
            headers["authorization"] = f"Bearer {self.token}"
        if self.tenant:
            headers["x-scope-orgid"] = self.tenant
        return headers


class Shipper:
    """Sends bodies; what is to be done after each one is done in the order in which they were handed in."""

    def __init__(self, target: Target, note: Callable[[str], None]) -> None:
        """`note` is told of refusals and pauses."""
        self._target = target
        self._note = note
        self._client = httpx.Client(timeout=_TIMEOUT_S, headers=target.headers)
        self._pool = ThreadPoolExecutor(_IN_FLIGHT, thread_name_prefix="send")
        self._waiting: deque[tuple[Future[None], Callable[[], None]]] = deque()
        self._stopping = threading.Event()

    def __enter__(self) -> Shipper:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if error is None:
                self.finish()
        finally:
            self._stopping.set()
            self._pool.shutdown(wait=True, cancel_futures=True)
            self._client.close()

    def send(self, make_body: Callable[[], bytes], on_durable: Callable[[], None]) -> None:
        """Hand in a body; waits while enough are under way. Raises IngestProblem of an earlier one."""
        while len(self._waiting) > _IN_FLIGHT:
            self._settle()
        self._waiting.append((self._pool.submit(self._send, make_body), on_durable))
        while self._waiting and self._waiting[0][0].done():
            self._settle()

    def finish(self) -> None:
        """Wait for all. Raises IngestProblem."""
        while self._waiting:
            self._settle()

    def _settle(self) -> None:
        future, on_durable = self._waiting[0]
        future.result()
        self._waiting.popleft()
        on_durable()

    def _send(self, make_body: Callable[[], bytes]) -> None:
        body = make_body()
        pause_s, began_s, is_told = _FIRST_PAUSE_S, time.monotonic(), False
        while True:
            retry_s = 0.0
            try:
                response = self._client.post(self._target.push_url, content=body)
            except (httpx.InvalidURL, httpx.UnsupportedProtocol) as error:
                raise IngestProblem(f"{self._target.url!r} is not a URL: {error}") from None
            except httpx.HTTPError as error:
                words = f"{self._target.url} cannot be reached: {error}"
            else:
                if response.status_code in _OK:
                    return
                words = self._words(response)
                if response.status_code not in _BUSY:
                    if response.status_code != _REFUSED:
                        raise IngestProblem(words)
                    # The server has kept the other lines of the body, and would refuse these again.
                    self._note(f"refused: {words}")
                    return
                retry = response.headers.get("retry-after", "")
                retry_s = float(retry) if retry.isdecimal() else 0.0
            if time.monotonic() - began_s > _PATIENCE_S or self._stopping.is_set():
                raise IngestProblem(words)
            if not is_told:
                self._note(f"{words}; trying again")
                is_told = True
            self._stopping.wait(max(pause_s, retry_s))
            pause_s = min(2 * pause_s, _LAST_PAUSE_S)

    def _words(self, response: httpx.Response) -> str:
        if response.status_code == httpx.codes.UNAUTHORIZED:
            return f"{self._target.url} wants a token: give --token or set SWARMSCOPE_TOKEN"
        if response.status_code == httpx.codes.NOT_FOUND:
            return f"{self._target.url} takes no logs at /loki/api/v1/push"
        return response.text.strip()[:500] or f"{self._target.url} answered {response.status_code}"
