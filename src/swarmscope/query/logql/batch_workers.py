"""Batches of lines worked off on all cores while the next ones are read. Kernels release the GIL, so threads do."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from functools import lru_cache

from swarmscope.model.logs import LogRows

# Below this many lines a hand-over to another thread costs more than it saves.
_FEW_LINES = 4_000


@lru_cache(maxsize=1)
def _pool() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(max_workers=os.cpu_count() or 1, thread_name_prefix="logql-scan")


def run_batches(batches: Iterator[LogRows], work: Callable[[LogRows], None], check: Callable[[], None]) -> None:
    """Call `work` for every batch, on several threads at once; raises what it raises, and what `check` raises.

    At most one batch more than there are cores waits or is worked on. When this returns or raises, no work is going on.
    """
    most = (os.cpu_count() or 1) + 1
    waiting: deque[Future[None]] = deque()
    try:
        for batch in batches:
            check()
            if len(batch) < _FEW_LINES:
                if len(batch):
                    work(batch)
                continue
            waiting.append(_pool().submit(work, batch))
            if len(waiting) >= most:
                waiting.popleft().result()
        while waiting:
            waiting.popleft().result()
    finally:
        for future in waiting:
            future.cancel()
        for future in waiting:
            if not future.cancelled():
                future.exception()
