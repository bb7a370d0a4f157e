import threading
import time

import pytest

from swarmscope.sdk.delivery.batches import BatchQueue, QueueLimits
from swarmscope.sdk.delivery.counters import DeliveryCounters, DropReason, Signal
from swarmscope.sdk.delivery.sender import Delivery
from tests.sdk.otlp_receiver import wait_until


class _Gate:
    """Takes batches; holds them while it is shut."""

    def __init__(self):
        self.batches = []
        self.open = threading.Event()
        self.open.set()

    def deliver(self, batch):
        self.batches.append(batch)
        self.open.wait(5)
        return Delivery(len(batch), 0)


@pytest.fixture
def make_queue():
    queues = []

    def make(deliver, *limits):
        counters = DeliveryCounters()
        queues.append(BatchQueue(Signal.TRACES, deliver, QueueLimits(*limits), counters))
        return queues[-1], counters

    yield make
    for queue in queues:
        queue.close(0.1)


def test_batch_leaves_when_it_is_full_or_old(make_queue):
    gate = _Gate()
    queue, _ = make_queue(gate.deliver, 100, 3, 0.3)
    began_s = time.monotonic()
    for i in range(4):
        queue.put(i)
    wait_until(lambda: gate.batches == [[0, 1, 2]], 0.25)
    wait_until(lambda: gate.batches == [[0, 1, 2], [3]])
    assert time.monotonic() - began_s >= 0.29


def test_full_queue_drops_what_comes(make_queue):
    gate = _Gate()
    gate.open.clear()
    queue, counters = make_queue(gate.deliver, 5, 5, 0)
    queue.put("held")
    wait_until(lambda: gate.batches)
    for i in range(8):
        queue.put(i)
    assert len(queue) == 5
    assert counters.dropped() == {(Signal.TRACES, DropReason.QUEUE_FULL): 3}
    gate.open.set()
    assert queue.flush(1)
    assert gate.batches == [["held"], [0, 1, 2, 3, 4]]
    assert counters.delivered() == {Signal.TRACES: 6}


def test_flush_waits_for_what_was_put_before_and_no_longer(make_queue):
    gate = _Gate()
    queue, _ = make_queue(gate.deliver, 100, 10, 60)
    assert queue.flush(0)
    queue.put(1)
    assert queue.flush(1)
    gate.open.clear()
    queue.put(2)
    assert not queue.flush(0.05)
    gate.open.set()
    assert queue.flush(1)
    queue.put(3)
    time.sleep(0.05)
    assert gate.batches == [[1], [2]], "a flush does not hurry what comes later"


def test_close_gives_up_in_time_and_counts_once(make_queue):
    gate = _Gate()
    gate.open.clear()
    queue, counters = make_queue(gate.deliver, 100, 2, 0)
    for i in range(5):
        queue.put(i)
    wait_until(lambda: gate.batches)
    began_s = time.monotonic()
    assert not queue.close(0.05)
    assert time.monotonic() - began_s < 0.3
    gate.open.set()
    queue._thread.join(1)
    queue.close(0.05)
    assert counters.dropped() == {(Signal.TRACES, DropReason.SHUTDOWN): 5}
    assert counters.delivered() == {}


def test_delivery_that_raises_is_counted_and_the_next_goes_on(make_queue, caplog):
    taken = []

    def deliver(batch):
        if batch == ["bad"]:
            raise ValueError("cannot be encoded")
        taken.append(batch)
        return Delivery(len(batch), 0)

    queue, counters = make_queue(deliver, 10, 1, 0)
    queue.put("bad")
    queue.put("good")
    assert queue.flush(1)
    assert taken == [["good"]]
    assert counters.dropped() == {(Signal.TRACES, DropReason.FAILED): 1}
