"""The room for decoding: who gets in, who waits, and what four hostile bodies take together."""

import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

from swarmscope.model.errors import LimitExceededError
from swarmscope.receivers.wire.decode_room import DecodeRoom
from tests.portion import portion

MIB = 1 << 20


def test_what_does_not_fit_is_refused_by_name():
    room = DecodeRoom(100, max_wait_s=0.01)
    with room.taken(60), pytest.raises(LimitExceededError) as caught, room.taken(41):
        pass
    assert caught.value.limit == "limits.max_decode_memory"
    assert caught.value.retry_after_s == 1.0
    assert room.held_bytes == 0


def test_what_never_fits_is_let_in_alone():
    room = DecodeRoom(100, max_wait_s=0.01)
    with room.taken(500):
        assert room.held_bytes == 500
        with pytest.raises(LimitExceededError), room.taken(1):
            pass
    with room.taken(100):
        pass


def test_a_refused_resize_keeps_what_was_held():
    room = DecodeRoom(100, max_wait_s=0.01)
    with room.taken(50), room.taken(50) as share:
        with pytest.raises(LimitExceededError):
            share.resize(51)
        assert room.held_bytes == 100
    assert room.held_bytes == 0


def test_room_given_back_wakes_who_waits():
    room = DecodeRoom(100, max_wait_s=30)
    inside = threading.Event()

    def wait_for_it():
        with room.taken(80):
            inside.set()

    with room.taken(90) as share:
        thread = threading.Thread(target=wait_for_it)
        thread.start()
        assert not inside.wait(0.1)
        share.resize(20)
        assert inside.wait(20)
    thread.join()
    assert room.held_bytes == 0


@pytest.mark.parametrize("protocol", ["remote_write", "otlp"][: portion(2, 1)])
def test_peak_of_four_hostile_bodies(protocol):
    """8 MiB of the smallest messages, four at once, against a room that holds one of them and no more."""
    script = Path(__file__).with_name("hostile_bodies.py")
    done = subprocess.run([sys.executable, script, protocol], capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    bounded, unbounded = (int(word) for word in done.stdout.split())
    assert bounded < 600 * MIB
    # Three times as much where the four are decoded at once, which a busy machine does not promise.
    assert unbounded > bounded, "the bodies are not hostile, so the test proves nothing"


def test_a_batch_is_weighed_whole():
    from swarmscope.model.metrics import MetricBatch, empty_label_sets
    from swarmscope.receivers.wire.decode_room import batch_bytes

    whole = np.zeros(1000, np.int64)
    batch = MetricBatch(
        np.zeros(1, np.uint64), np.zeros(1, np.int64), empty_label_sets(), whole[:3], whole[3:6], np.zeros(3)
    )
    # 8000 once, though two columns show it; 8 + 8 of the series, 24 of the values, and a few empty offsets.
    assert 8040 <= batch_bytes(batch) < 8200
