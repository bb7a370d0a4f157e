import threading
import time

import pytest

from swarmscope.sdk.delivery.counters import DeliveryCounters, DropReason, Signal
from swarmscope.sdk.delivery.sender import Delivery, RetryingSender, RetryPolicy
from swarmscope.sdk.delivery.transport import Answer, Reply


class _Scripted:
    """A transport that answers from a list, the last answer for ever."""

    def __init__(self, *replies):
        self.replies = list(replies)
        self.timeouts_s = []

    def send(self, payload, timeout_s):
        self.timeouts_s.append(timeout_s)
        return self.replies.pop(0) if len(self.replies) > 1 else self.replies[0]

    def start_over(self): ...

    def close(self): ...


OK, AGAIN = Reply(Answer.ACCEPTED), Reply(Answer.AGAIN, detail="busy")


def _sender(transport, counters=None, **policy):
    policy = RetryPolicy(**{"backoff_s": 0.001, **policy})
    return RetryingSender(Signal.LOGS, transport, policy, counters or DeliveryCounters(), len)


@pytest.mark.parametrize(
    ("replies", "delivery", "n_attempts"),
    [
        ([OK], Delivery(5, 0), 1),
        ([AGAIN, AGAIN, AGAIN, OK], Delivery(5, 0), 4),
        ([AGAIN], Delivery(0, 5, DropReason.RETRIES_EXHAUSTED), 4),
        ([AGAIN, Reply(Answer.REFUSED)], Delivery(0, 5, DropReason.REFUSED), 2),
        ([Reply(Answer.ACCEPTED, body=b"xx")], Delivery(3, 2, DropReason.REJECTED), 1),
        ([Reply(Answer.ACCEPTED, body=b"x" * 9)], Delivery(0, 5, DropReason.REJECTED), 1),
    ],
)
def test_delivery(replies, delivery, n_attempts):
    transport, counters = _Scripted(*replies), DeliveryCounters()
    assert _sender(transport, counters).send(b"", 5) == delivery
    assert len(transport.timeouts_s) == n_attempts
    assert counters.retries().get(Signal.LOGS, 0) == n_attempts - 1


@pytest.mark.parametrize("n_retries", range(6))
def test_waits_double_up_to_a_limit(n_retries):
    waits = [RetryPolicy(backoff_s=1, max_backoff_s=10).wait_s(n_retries, None) for _ in range(200)]
    middle = [1, 2, 4, 8, 10, 10][n_retries]
    assert 0.8 * middle <= min(waits) < 0.9 * middle
    assert 1.1 * middle < max(waits) <= 1.2 * middle


def test_endpoint_says_when_but_not_without_limit():
    policy = RetryPolicy(max_backoff_s=10)
    assert policy.wait_s(0, 3) == 3
    assert policy.wait_s(0, 3600) == 10


def test_closing_ends_the_wait_and_leaves_one_attempt():
    transport = _Scripted(AGAIN)
    sender = _sender(transport, backoff_s=60, max_backoff_s=60)
    results = []
    thread = threading.Thread(target=lambda: results.append(sender.send(b"", 5)))
    began_s = time.monotonic()
    thread.start()
    while not transport.timeouts_s:
        time.sleep(0.001)
    sender.begin_closing(time.monotonic() + 0.3)
    thread.join(2)
    assert time.monotonic() - began_s < 1
    assert results == [Delivery(0, 5, DropReason.SHUTDOWN)]
    assert len(transport.timeouts_s) == 2
    assert transport.timeouts_s[0] == 10
    assert transport.timeouts_s[1] <= 0.3
    sender.send(b"", 5)
    assert len(transport.timeouts_s) == 3


def test_log_tells_of_changes_and_not_of_batches(caplog):
    caplog.set_level("INFO")
    sender = _sender(_Scripted(AGAIN, AGAIN, AGAIN, OK, OK, AGAIN), max_retries=0)
    for _ in range(7):
        sender.send(b"", 1)
    assert [record.message.split(" (")[0] for record in caplog.records] == [
        "logs cannot be delivered", "logs are delivered again", "logs cannot be delivered",
    ]  # fmt: skip
