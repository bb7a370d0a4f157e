"""A bounded queue, and the one thread that empties it in batches."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from swarmscope.sdk.delivery.counters import DeliveryCounters, DropReason, Signal
from swarmscope.sdk.delivery.sender import Delivery

_logger = logging.getLogger("swarmscope.sdk")
Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class QueueLimits:
    """How much waits, and how long."""

    max_items: int = 4096
    max_batch: int = 512
    delay_s: float = 1.0  # an item waits at most that long for company


class BatchQueue(Generic[Item]):
    """Takes items without ever blocking: what finds no room is dropped and counted.

    `deliver` is called by the queue's thread alone, a batch at a time. After a fork the child starts with an empty
    queue and a thread of its own: what was queued is the parent's to deliver.
    """

    def __init__(
        self,
        signal: Signal,
        deliver: Callable[[list[Item]], Delivery],
        limits: QueueLimits,
        counters: DeliveryCounters,
    ) -> None:
        self._signal, self._deliver, self._limits, self._counters = signal, deliver, limits, counters
        self._closed = False
        self._start()

    def _start(self) -> None:
        self._queue: deque[Item] = deque()
        self._condition = threading.Condition()  # re-entrant: an item may be put by a finaliser
        self._n_put = self._n_done = self._n_in_hand = 0
        self._urgent = self._abandoned = False
        self._thread = threading.Thread(target=self._run, name=f"swarmscope-sdk-{self._signal}", daemon=True)
        self._thread.start()

    def put(self, item: Item) -> None:
        """Queue one item."""
        with self._condition:
            n = len(self._queue)
            if self._closed or n >= self._limits.max_items:
                reason = DropReason.SHUTDOWN if self._closed else DropReason.QUEUE_FULL
                self._counters.add_dropped(self._signal, reason, 1)
                return
            self._queue.append(item)
            self._n_put += 1
            if n == 0 or n + 1 == self._limits.max_batch:
                self._condition.notify_all()

    def __len__(self) -> int:
        return len(self._queue)

    def flush(self, timeout_s: float) -> bool:
        """Deliver what is queued now; whether that (success or not) came to an end in time."""
        deadline_s = time.monotonic() + timeout_s
        with self._condition:
            target = self._n_put
            while self._n_done < target:
                self._urgent = True
                self._condition.notify_all()
                left_s = deadline_s - time.monotonic()
                if left_s <= 0 or not self._thread.is_alive():
                    return False
                self._condition.wait(left_s)
            return True

    def begin_closing(self) -> None:
        """Take nothing more; the thread delivers the rest meanwhile."""
        with self._condition:
            self._closed = True
            self._condition.notify_all()

    def close(self, timeout_s: float) -> bool:
        """Deliver the rest, for at most `timeout_s`; then what is left is dropped and counted. Idempotent."""
        self.begin_closing()
        self._thread.join(timeout_s)
        with self._condition:
            n_left = len(self._queue) + self._n_in_hand
            self._abandoned = True
            self._queue.clear()
            self._n_in_hand = 0
        self._counters.add_dropped(self._signal, DropReason.SHUTDOWN, n_left)
        return n_left == 0

    def _run(self) -> None:
        while batch := self._next_batch():
            try:
                delivery = self._deliver(batch)
            except Exception:
                _logger.exception("a batch of %s could not be sent", self._signal)
                delivery = Delivery(0, len(batch), DropReason.FAILED)
            with self._condition:
                if self._abandoned:  # counted as lost already
                    return
                self._n_in_hand = 0
                self._n_done += len(batch)
                self._counters.add_dropped(self._signal, delivery.reason, delivery.n_lost)
                self._counters.add_delivered(self._signal, delivery.n_delivered)
                self._condition.notify_all()

    def _next_batch(self) -> list[Item]:
        """Wait for a batch; an empty one says that there will be no more."""
        due_s = None
        with self._condition:
            while True:
                n = len(self._queue)
                if n == 0:
                    if self._closed:
                        return []
                    self._urgent, due_s = False, None
                    self._condition.wait()
                    continue
                due_s = due_s or time.monotonic() + self._limits.delay_s
                left_s = due_s - time.monotonic()
                if self._closed or self._urgent or n >= self._limits.max_batch or left_s <= 0:
                    break
                self._condition.wait(left_s)
            batch = [self._queue.popleft() for _ in range(min(n, self._limits.max_batch))]
            self._n_in_hand = len(batch)
            return batch

    def start_over(self) -> None:
        """After a fork, in the child."""
        if not self._closed:
            self._start()
