"""The machinery alone, with generations that are names."""

import time

import pytest

from swarmscope.store.embedded import flusher as flusher_module
from swarmscope.store.embedded.flusher import Flusher
from swarmscope.store.embedded.generations import Generations


class Segment:
    def __init__(self, number):
        self.number = number
        self.is_closed = self.is_removed = False

    def close(self):
        self.is_closed = True

    def remove(self):
        self.is_removed = True


class Named:
    is_empty = False
    started_s = 0.0

    def __init__(self, number):
        self.segment = Segment(number)


class Parts:
    """Implements `Writer`: what was written, and whether it was tried before."""

    def __init__(self, failures=()):
        self.failures = list(failures)
        self.written = []

    def __call__(self, generation, *, is_retry):
        if self.failures:
            raise self.failures.pop()
        self.written.append((generation.segment.number, is_retry))
        return 7


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    monkeypatch.setattr(flusher_module, "_RETRY_FIRST_S", 0.01)


def test_generations_are_flushed_in_order_and_their_segments_go():
    parts, told = Parts(), []
    flusher = Flusher(parts, "names")
    flusher.listeners.append(lambda flushed: told.append(flushed.rows))
    generations = [Named(number) for number in range(3)]
    for generation in generations:
        flusher.submit(generation)
    assert flusher.wait_idle(5)
    assert parts.written == [(0, False), (1, False), (2, False)]
    assert all(generation.segment.is_closed and generation.segment.is_removed for generation in generations)
    assert told == [7, 7, 7]
    flusher.close(1)


def test_a_failure_is_tried_again_and_said_to_be():
    parts = Parts([RuntimeError("no"), RuntimeError("no")])
    flusher = Flusher(parts, "names")
    flusher.submit(Named(1))
    assert flusher.wait_idle(5)
    assert parts.written == [(1, True)]
    flusher.close(1)


def test_what_cannot_be_flushed_stays_in_the_journal():
    parts = Parts([RuntimeError("no")] * 10_000)
    flusher = Flusher(parts, "names")
    generations = [Named(1), Named(2)]
    for generation in generations:
        flusher.submit(generation)
    assert not flusher.wait_idle(0.05)
    flusher.close(0.05)
    assert [(each.segment.is_closed, each.segment.is_removed) for each in generations] == [(True, False)] * 2
    assert parts.written == []


def test_a_sealed_generation_waits_for_as_long_as_it_shall():
    parts = Parts()
    flusher = Flusher(parts, "names", patience_s=lambda: 0.5)
    begun_s = time.monotonic()
    flusher.submit(Named(1))
    while not parts.written and time.monotonic() < begun_s + 5:
        time.sleep(0.01)
    assert 0.5 <= time.monotonic() - begun_s < 5
    flusher.close(1)


def test_patience_ends_when_it_is_not_afforded_any_more():
    parts, patience_s = Parts(), [3600.0]
    flusher = Flusher(parts, "names", patience_s=lambda: patience_s[0])
    flusher.submit(Named(1))
    time.sleep(0.4)
    assert parts.written == []
    patience_s[0] = 0.0
    begun_s = time.monotonic()
    while not parts.written and time.monotonic() < begun_s + 5:
        time.sleep(0.01)
    assert parts.written == [(1, False)]
    flusher.close(1)


def test_who_waits_for_all_of_it_does_not_wait_out_the_patience():
    parts = Parts()
    flusher = Flusher(parts, "names", patience_s=lambda: 3600.0)
    flusher.submit(Named(1))
    flusher.submit(Named(2))
    assert flusher.wait_idle(5)
    # What comes afterwards waits again, and nobody waits for it.
    flusher.submit(Named(3))
    time.sleep(0.3)
    assert parts.written == [(1, False), (2, False)]
    flusher.close(5)
    assert parts.written == [(1, False), (2, False), (3, False)]


def test_generations_change_as_a_whole():
    numbers = iter(range(5, 9))
    generations = Generations(lambda: Named(next(numbers)))
    before = generations.snapshot()
    sealed = generations.seal()
    assert sealed.segment.number == 5
    assert generations.active.segment.number == 6
    assert [each.segment.number for each in generations.snapshot().generations] == [5, 6]
    assert generations.snapshot().first_segment == 5
    generations.flushed(sealed)
    assert generations.snapshot().first_segment == 6
    assert [each.segment.number for each in before.generations] == [5]


def test_a_generation_that_cannot_be_made_leaves_the_active_one():
    made = [Named(1)]
    generations = Generations(lambda: made.pop())
    with pytest.raises(IndexError):
        generations.seal()
    assert generations.active.segment.number == 1
