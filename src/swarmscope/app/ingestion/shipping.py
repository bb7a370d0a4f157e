"""Requests on their way to the server: a few at once, tried again while the server is busy or away."""

from __future__ import annotations

import contextlib
import re
import threading
import time
from collections import Counter, deque
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from queue import SimpleQueue
from types import TracebackType
from typing import Protocol

import httpx

_IN_FLIGHT = 4
_TIMEOUT_S = 120.0
_FIRST_PAUSE_S, _LAST_PAUSE_S = 0.25, 15.0
_LONGEST_RETRY_S = 60.0
PATIENCE_S = 600.0
# Time that an interrupted command gives to answers that are on their way.
_GRACE_S = 1.0
_BUSY = frozenset({429, 500, 502, 503, 504})
_OK = range(200, 300)
_REFUSED = frozenset({400, 413, 422})
# As Swarmscope puts it; others count differently, or not at all.
_COUNTED = re.compile(r"([^\n]+?) \((\d+) lines?\)")
_PARTICULARS = re.compile(r"\{[^}]*\}|'[^']*'|\S*\d\S*")


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


class Parcel(Protocol):
    """Lines that go out in one request, or in several where that is too large."""

    def __len__(self) -> int:
        """How many lines."""

    def body(self, first: int, end: int) -> bytes:
        """The request that carries some of them."""


class Refusals:
    """Lines that the server does not want, by reason. Thread-safe."""

    def __init__(self, note: Callable[[str], None]) -> None:
        """`note` is told each reason once, in the server's words."""
        self._note = note
        self._counts: Counter[str] = Counter()
        self._lock = threading.Lock()

    def add(self, words: str, lines: int) -> None:
        """What the server answered to a request of `lines` lines."""
        found = [(reason, int(count)) for reason, count in _COUNTED.findall(words)] or [(words, lines)]
        for reason, count in found:
            # Times, streams and sizes differ from one to the next; the kind of reason does not.
            kind = _PARTICULARS.sub("…", reason.strip())
            with self._lock:
                is_new = kind not in self._counts
                self._counts[kind] += count
            if is_new:
                self._note(f"refused: {reason.strip()}")

    @property
    def total(self) -> int:
        """Lines."""
        return sum(self._counts.values())

    def reasons(self) -> list[tuple[str, int]]:
        """The most frequent first."""
        return self._counts.most_common()


class Shipper:
    """Sends parcels; what is to be done after each one is done in the order in which they were handed in."""

    def __init__(self, target: Target, note: Callable[[str], None], patience_s: float = PATIENCE_S) -> None:
        """`note` is told of refusals and pauses; `patience_s`: how long a server that is busy or away is waited for."""
        self._target = target
        self._note = note
        self._patience_s = patience_s
        self._client = httpx.Client(timeout=_TIMEOUT_S, headers=target.headers)
        self._waiting: deque[tuple[Future[None], Callable[[], None]]] = deque()
        self._tasks: SimpleQueue[tuple[Future[None], Parcel] | None] = SimpleQueue()
        self._stopping = threading.Event()
        self._is_told = False
        self.refusals = Refusals(note)
        for number in range(_IN_FLIGHT):
            # An answer that never comes must not keep the command from ending.
            threading.Thread(target=self._work, name=f"send-{number}", daemon=True).start()

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
            self._settle_for(_GRACE_S)
            for _ in range(_IN_FLIGHT):
                self._tasks.put(None)
            self._client.close()

    def send(self, parcel: Parcel, on_durable: Callable[[], None]) -> None:
        """Hand in lines; waits while enough are under way. Raises IngestProblem of an earlier one."""
        while len(self._waiting) > _IN_FLIGHT:
            self._settle()
        future: Future[None] = Future()
        self._waiting.append((future, on_durable))
        self._tasks.put((future, parcel))
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

    def _settle_for(self, limit_s: float) -> None:
        """What is answered soon is noted; the first that is not ends it."""
        ends_s = time.monotonic() + limit_s
        with contextlib.suppress(IngestProblem, TimeoutError):
            while self._waiting:
                self._waiting[0][0].result(max(ends_s - time.monotonic(), 0))
                self._settle()

    def _work(self) -> None:
        while (task := self._tasks.get()) is not None:
            future, parcel = task
            try:
                self._send(parcel, 0, len(parcel))
            except BaseException as error:  # it is raised where the result is asked for
                future.set_exception(error)
            else:
                future.set_result(None)

    def _send(self, parcel: Parcel, first: int, end: int) -> None:
        if self._stopping.is_set():
            raise IngestProblem("interrupted")
        body = parcel.body(first, end)
        response = self._answer(body)
        if response.status_code == httpx.codes.REQUEST_ENTITY_TOO_LARGE and end - first > 1:
            middle = (first + end) // 2
            self._send(parcel, first, middle)
            self._send(parcel, middle, end)
        elif response.status_code not in _OK:
            # The server has kept the other lines of the body, and would refuse these again.
            self.refusals.add(self._words(response), end - first)

    def _answer(self, body: bytes) -> httpx.Response:
        """The final answer to a request. Raises IngestProblem."""
        pause_s, began_s = _FIRST_PAUSE_S, time.monotonic()
        while True:
            retry_s = 0.0
            try:
                response = self._client.post(self._target.push_url, content=body)
            except (httpx.InvalidURL, httpx.UnsupportedProtocol) as error:
                raise IngestProblem(f"{self._target.url!r} is not a URL: {error}") from None
            except (httpx.HTTPError, RuntimeError) as error:  # RuntimeError: the client is closed, the command ends
                words = f"{self._target.url} cannot be reached: {error}"
            else:
                if response.status_code in _OK or response.status_code in _REFUSED:
                    self._is_told = False
                    return response
                words = self._words(response)
                if response.status_code not in _BUSY:
                    raise IngestProblem(words)
                retry = response.headers.get("retry-after", "")
                retry_s = float(retry) if retry.isdecimal() else 0.0
            if time.monotonic() - began_s > self._patience_s or self._stopping.is_set():
                raise IngestProblem(words)
            if not self._is_told:
                self._is_told = True
                self._note(f"{words}; trying again")
            self._stopping.wait(max(pause_s, min(retry_s, _LONGEST_RETRY_S)))
            pause_s = min(2 * pause_s, _LAST_PAUSE_S)

    def _words(self, response: httpx.Response) -> str:
        if response.status_code == httpx.codes.UNAUTHORIZED:
            return f"{self._target.url} wants a token: give --token or set SWARMSCOPE_TOKEN"
        if response.status_code == httpx.codes.NOT_FOUND:
            return f"{self._target.url} takes no logs at /loki/api/v1/push"
        return response.text.strip()[:2000] or f"{self._target.url} answered {response.status_code}"
