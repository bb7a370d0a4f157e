"""The machinery alone, with a signal whose batches are numbers."""

import threading
import time
from dataclasses import dataclass, field

import pytest

from swarmscope.model.errors import UnavailableError
from swarmscope.store.embedded.group_commit import GroupCommit

POISON, STALE = 666, 404


@dataclass
class Numbers:
    """A generation, and a prepared batch of one row."""

    n: int = 0
    n_rows: int = 1
    rows: list[int] = field(default_factory=list)
    started_s: float = field(default_factory=time.monotonic)
    segment: None = None

    @property
    def is_empty(self):
        return not self.rows


class Signal:
    """Implements `Committer`; `frames` are what was written together."""

    def __init__(self, max_rows=1000, frame_rows=1000):
        self.max_rows, self.frame_rows = max_rows, frame_rows
        self.active, self.sealed, self.frames = Numbers(), [], []
        self.failures = []  # what the next calls of `write_down` and `seal` raise
        self.seal_failures = []

    @property
    def is_full(self):
        return len(self.active.rows) >= self.max_rows

    def refusal(self, batch):
        return "it went away" if batch.n == STALE else None

    def fitting(self, batches):
        return min(len(batches), self.frame_rows)

    def write_down(self, batches):
        if self.failures:
            raise self.failures.pop()
        if any(batch.n == POISON for batch in batches):
            raise OverflowError("too much")
        if self.active.is_empty:
            self.active.started_s = time.monotonic()
        self.active.rows += [batch.n for batch in batches]
        self.frames.append([batch.n for batch in batches])

    def seal(self):
        if self.seal_failures:
            raise self.seal_failures.pop()
        self.sealed.append(self.active)
        self.active = Numbers()


def commit_together(commits, numbers):
    """Commit from as many threads, in one group; their errors by position."""
    errors = [None] * len(numbers)

    def commit(position):
        try:
            commits.commit(Numbers(numbers[position]))
        except UnavailableError as error:
            errors[position] = str(error)

    threads = [threading.Thread(target=commit, args=(position,)) for position in range(len(numbers))]
    with commits.lock:
        # The first one is taken and waits for the lock; the others meet in the group after it.
        for thread in threads:
            thread.start()
            time.sleep(0.02)
    for thread in threads:
        thread.join(10)
    return errors


@pytest.fixture
def start():
    """Begin a group commit; it is closed at the end."""
    begun = []

    def start(signal, max_age_s=60.0):
        begun.append(GroupCommit(signal, "numbers", max_age_s=max_age_s))
        return begun[-1]

    yield start
    for commits in begun:
        commits.close()


def test_batches_that_meet_are_one_frame(start):
    signal = Signal()
    assert commit_together(start(signal), [1, 2, 3, 4]) == [None] * 4
    assert signal.frames == [[1], [2, 3, 4]]


def test_a_frame_has_no_more_than_fits(start):
    signal = Signal(frame_rows=2)
    assert commit_together(start(signal), [1, 2, 3, 4]) == [None] * 4
    assert signal.frames == [[1], [2, 3], [4]]


def test_a_full_generation_is_sealed_within_a_group(start):
    signal = Signal(max_rows=2, frame_rows=1)
    commits = start(signal)
    assert commit_together(commits, [1, 2, 3, 4, 5]) == [None] * 5
    commits.close()
    assert [generation.rows for generation in signal.sealed] == [[1, 2], [3, 4], [5]]


def test_one_bad_batch_fails_alone(start):
    signal = Signal()
    assert commit_together(start(signal), [1, 2, POISON, 4]) == [None, None, "the commit failed: too much", None]
    assert signal.active.rows == [1, 2, 4]


def test_a_full_disk_fails_the_whole_group_at_once(start):
    signal = Signal()
    commits = start(signal)
    signal.failures = [OSError(28, "No space left on device")]
    with pytest.raises(UnavailableError, match="the journal cannot be written: No space left") as refusal:
        commits.commit(Numbers(1))
    assert refusal.value.retry_after_s == 5.0
    commits.commit(Numbers(2))
    assert signal.active.rows == [2]


def test_what_went_away_meanwhile_is_to_be_sent_again(start):
    signal = Signal()
    assert commit_together(start(signal), [1, 2, STALE, 4]) == [None, None, "it went away", None]
    assert signal.frames == [[1], [2, 4]]


def test_an_old_generation_is_sealed_and_an_empty_one_never(start):
    signal = Signal()
    commits = start(signal, max_age_s=0.1)
    time.sleep(0.3)
    assert signal.sealed == []
    commits.commit(Numbers(1))
    deadline_s = time.monotonic() + 5
    while not signal.sealed and time.monotonic() < deadline_s:
        time.sleep(0.01)
    assert [generation.rows for generation in signal.sealed] == [[1]]


def test_sealing_is_tried_again_and_writing_goes_on(start):
    signal = Signal()
    commits = start(signal)
    commits.commit(Numbers(1))
    signal.seal_failures = [OSError(28, "No space left on device")]
    assert not commits.seal_now(0.2)
    commits.commit(Numbers(2))
    assert commits.seal_now(5.0)
    assert [generation.rows for generation in signal.sealed] == [[1, 2]]


def test_after_the_end_nothing_is_taken():
    signal = Signal()
    commits = GroupCommit(signal, "numbers", max_age_s=60.0)
    commits.commit(Numbers(1))
    commits.close()
    assert [generation.rows for generation in signal.sealed] == [[1]]
    assert not commits.seal_now(0.1)
    with pytest.raises(UnavailableError, match="stopping"):
        commits.commit(Numbers(2))


def test_a_listener_that_fails_stops_nothing(start):
    signal = Signal()
    commits = start(signal)
    told = []
    commits.listeners.append(lambda rows, seconds: told.append(rows) or 1 / 0)
    commits.commit(Numbers(1))
    commits.commit(Numbers(2))
    assert signal.active.rows == [1, 2]
    deadline_s = time.monotonic() + 5
    while told != [1, 1] and time.monotonic() < deadline_s:
        time.sleep(0.01)
    assert told == [1, 1]
