"""Work off the event loop: a bounded number of queries at once, each ended when its client goes away."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import Protocol, TypeVar

from starlette.requests import Request

from swarmscope.model.errors import QueryTimeoutError
from swarmscope.query.deadlines import Deadline

T = TypeVar("T")


class Runner(Protocol):
    """Runs a blocking function in the bounded pool of threads that `app` owns."""

    def __call__(self, work: Callable[[], T], /) -> Awaitable[T]:
        """The function's result, or its exception."""
        ...


class QueryQueue:
    """At most `max_concurrent` queries work at once; the others wait, and their time limit runs meanwhile."""

    def __init__(self, run: Runner, max_concurrent: int) -> None:
        self._run = run
        self._slots = asyncio.Semaphore(max_concurrent)

    async def run(self, request: Request, deadline: Deadline, work: Callable[[], T]) -> T:
        """Do `work` in a worker thread. `deadline` is cancelled when the client closes the connection."""
        watch = asyncio.create_task(_cancel_when_gone(request, deadline))
        try:
            await self._take_slot(deadline)
            try:
                return await self._run(lambda: _checked(deadline, work))
            finally:
                self._slots.release()
        except asyncio.CancelledError:
            deadline.cancel()
            raise
        finally:
            watch.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await watch

    async def _take_slot(self, deadline: Deadline) -> None:
        if not self._slots.locked():
            await self._slots.acquire()
            return
        try:
            await asyncio.wait_for(self._slots.acquire(), deadline.remaining_s)
        except TimeoutError:
            raise QueryTimeoutError("query timed out in query queue") from None


def _checked(deadline: Deadline, work: Callable[[], T]) -> T:
    deadline.check()
    return work()


async def _cancel_when_gone(request: Request, deadline: Deadline) -> None:
    """Wait for the disconnect message; the body has been read before, so no other message of use can come."""
    while True:
        message = await request.receive()
        if message["type"] == "http.disconnect":
            deadline.cancel()
            return
