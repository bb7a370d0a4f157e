import numpy as np

from swarmscope.store.catalogue.keys import WireKeys

SALT = np.uint64(0x1234)
ALIVE = np.ones(400_000, np.uint8)


def keys(*numbers: int) -> np.ndarray:
    return np.array(numbers, np.uint64)


def test_finds_what_was_put_and_keeps_the_first():
    wire = WireKeys()
    wire.put(keys(5, 0, 0x1234), SALT, np.array([7, 8, 9]), ALIVE, 3)  # 0 and the salt itself are keys like others
    assert wire.find(keys(5, 0, 0x1234, 6), SALT).tolist() == [7, 8, 9, -1]
    wire.put(keys(5), SALT, np.array([11]), ALIVE, 3)
    assert wire.find(keys(5), SALT).tolist() == [7]
    assert len(wire) == 3


def test_salt_separates_tenants():
    wire = WireKeys()
    wire.put(keys(5), SALT, np.array([7]), ALIVE, 1)
    assert wire.find(keys(5), np.uint64(99)).tolist() == [-1]


def test_growth_keeps_everything():
    wire, numbers = WireKeys(), np.arange(300_000)
    for begin in range(0, 300_000, 50_000):
        part = numbers[begin : begin + 50_000]
        wire.put(part.astype(np.uint64), SALT, part, ALIVE, begin + 50_000)
    assert np.array_equal(wire.find(numbers.astype(np.uint64), SALT), numbers)
    assert wire.find(numbers.astype(np.uint64) + np.uint64(300_000), SALT).max() == -1


def test_keys_of_dropped_series_go():
    wire, state = WireKeys(), np.array([1, 0, 1], np.uint8)
    wire.put(keys(1, 2, 3), SALT, np.array([0, 1, 2]), ALIVE, 3)
    wire.drop_dead(state, 1)
    assert wire.find(keys(1, 2, 3), SALT).tolist() == [0, -1, 2]
    assert len(wire) == 2


def test_bounded_when_a_sender_changes_its_keys_all_the_time():
    wire, steady = WireKeys(), np.arange(1000, dtype=np.uint64)
    refs = np.arange(1000)
    wire.put(steady, SALT, refs, ALIVE, 1000)
    for turn in range(1, 300):
        fresh = steady + np.uint64(1000 * turn)
        wire.put(fresh, SALT, refs, ALIVE, 1000)
        wire.find(steady, SALT)
        assert len(wire) <= (1 << 16) + 1000
    assert wire.memory_bytes <= 4 << 20
    fresh_known = int((wire.find(fresh, SALT) >= 0).sum())
    assert fresh_known == 1000
