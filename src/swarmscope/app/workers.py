"""Bounded pools of threads: event loops hand blocking work to them and wait for the result."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from swarmscope.model.errors import LimitExceededError

T = TypeVar("T")
# Requests that wait hold their bodies in memory, so the queue is short: some tens per thread.
_WAITING_PER_THREAD = 32
_RETRY_AFTER_S = 1.0


class WorkerPool:
    """At most `threads` pieces of work run at once, and a bounded number waits. Use `run` from one event loop."""

    def __init__(self, name: str, threads: int) -> None:
        self.executor = ThreadPoolExecutor(threads, thread_name_prefix=name)
        self._name = name
        self._room = threads * (1 + _WAITING_PER_THREAD)

    async def run(self, work: Callable[..., T], *arguments: object) -> T:
        """`work(*arguments)` in a thread; its result or its exception.

        Raises LimitExceededError with a retry hint when too much work waits already.
        """
        if self._room <= 0:
            raise LimitExceededError(
                f"all threads of the pool {self._name!r} are busy, and its queue is full",
                limit="api.worker_threads",
                retry_after_s=_RETRY_AFTER_S,
            )
        self._room -= 1
        future = asyncio.get_running_loop().run_in_executor(self.executor, work, *arguments)
        # Freed when the work has ended, not when somebody stops waiting for it: a thread cannot be interrupted.
        future.add_done_callback(self._free)
        return await asyncio.shield(future)

    def _free(self, future: asyncio.Future[T]) -> None:
        self._room += 1
        if not future.cancelled():
            # Nobody may be left to take the exception; asking for it keeps asyncio from reporting it as lost.
            future.exception()

    def close(self) -> None:
        """Take no more work, drop what has not begun, wait for what runs."""
        self.executor.shutdown(wait=True, cancel_futures=True)
