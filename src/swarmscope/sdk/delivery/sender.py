"""Retrying: exponential backoff with jitter, a few times and no more."""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from opentelemetry.context import _SUPPRESS_INSTRUMENTATION_KEY, attach, detach, set_value

from swarmscope.sdk.delivery.counters import DeliveryCounters, DropReason, Signal
from swarmscope.sdk.delivery.transport import Answer, Reply, Transport

_logger = logging.getLogger("swarmscope.sdk")
_JITTER = 0.2  # so that a fleet whose endpoint comes back does not ask in step
_FACTOR = 2.0
# An attempt gets at least that long, however little of the shutdown's time is left.
_SHORTEST_TIMEOUT_S = 0.05


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How often and how patiently an endpoint is asked."""

    max_retries: int = 3
    backoff_s: float = 1.0  # before the first retry; twice as long before each further one
    max_backoff_s: float = 30.0  # also of what `Retry-After` may ask for
    request_timeout_s: float = 10.0

    def wait_s(self, n_retries: int, asked_for_s: float | None) -> float:
        """Seconds before retry number `n_retries` (0 is the first)."""
        if asked_for_s is not None:
            return min(asked_for_s, self.max_backoff_s)
        return min(self.backoff_s * _FACTOR**n_retries, self.max_backoff_s) * random.uniform(1 - _JITTER, 1 + _JITTER)


@dataclass(frozen=True, slots=True)
class Delivery:
    """What became of one batch: `n_lost` of its items will not arrive, for `reason`."""

    n_delivered: int
    n_lost: int
    reason: DropReason = DropReason.REJECTED


class RetryingSender:
    """Sends encoded batches of one signal, one at a time, and counts nothing but retries.

    The log is told when the endpoint goes away and when it is back, not of every batch.
    """

    def __init__(
        self,
        signal: Signal,
        transport: Transport,
        policy: RetryPolicy,
        counters: DeliveryCounters,
        rejected_of: Callable[[bytes], int],
    ) -> None:
        self._signal, self._transport, self._policy, self._counters = signal, transport, policy, counters
        self._rejected_of = rejected_of
        self._closing = threading.Event()
        self._deadline_s = float("inf")
        self._is_away = False

    def send(self, payload: bytes, n_items: int) -> Delivery:
        """Deliver or give up; takes at most all attempts' timeouts and the waits between them. Never raises."""
        token = attach(set_value(_SUPPRESS_INSTRUMENTATION_KEY, True))
        try:
            reply = self._attempts(payload)
        finally:
            detach(token)
        self._tell(reply)
        if reply.answer is Answer.ACCEPTED:
            n_rejected = min(self._rejected_of(reply.body), n_items)
            return Delivery(n_items - n_rejected, n_rejected)
        if reply.answer is Answer.REFUSED:
            return Delivery(0, n_items, DropReason.REFUSED)
        closing = self._closing.is_set()
        return Delivery(0, n_items, DropReason.SHUTDOWN if closing else DropReason.RETRIES_EXHAUSTED)

    def _attempts(self, payload: bytes) -> Reply:
        n_retries = 0
        while True:
            was_closing = self._closing.is_set()
            reply = self._transport.send(payload, self._timeout_s())
            if reply.answer is not Answer.AGAIN or was_closing or n_retries == self._policy.max_retries:
                return reply
            # Closing ends the wait: then there is one last attempt.
            self._closing.wait(self._policy.wait_s(n_retries, reply.retry_after_s))
            n_retries += 1
            self._counters.add_retry(self._signal)

    def _timeout_s(self) -> float:
        left_s = self._deadline_s - time.monotonic()
        return max(min(self._policy.request_timeout_s, left_s), _SHORTEST_TIMEOUT_S)

    def _tell(self, reply: Reply) -> None:
        if reply.answer is Answer.ACCEPTED:
            if self._is_away:
                _logger.info("%s are delivered again", self._signal)
        elif not self._is_away:
            _logger.warning(
                "%s cannot be delivered (%s); what is dropped is counted in swarmscope.sdk.dropped",
                self._signal, reply.detail,
            )  # fmt: skip
        self._is_away = reply.answer is not Answer.ACCEPTED

    def begin_closing(self, deadline_s: float) -> None:
        """From now on there is one attempt each, and none lasts beyond `deadline_s` (of `time.monotonic`)."""
        self._deadline_s = deadline_s
        self._closing.set()

    def start_over(self) -> None:
        """After a fork, in the child."""
        if not self._closing.is_set():
            self._closing = threading.Event()
        self._transport.start_over()

    def close(self) -> None:
        """Release the transport."""
        self._transport.close()
