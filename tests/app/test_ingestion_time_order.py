import json

import numpy as np
import pytest

from swarmscope.app.ingestion.time_order import NO_TIME, TimeOrder

NOW = 5_000_000_000_000
SECOND = 1_000_000_000


def _fill(order: TimeOrder, *times: int, now: int = NOW) -> list[int]:
    array = np.array(times, np.int64)
    order.fill(array, now)
    return array.tolist()


def test_lines_without_a_time_follow_the_one_before_and_equal_times_are_told_apart():
    assert _fill(TimeOrder(), NO_TIME, 100, NO_TIME, 100, 200, NO_TIME) == [NOW, 100, 101, 102, 200, 201]


def test_equal_times_go_on_in_the_next_block():
    order = TimeOrder()
    assert _fill(order, 100, 100) == [100, 101]
    assert _fill(order, 100, NO_TIME) == [102, 103]


def test_times_that_take_turns_are_told_apart():
    assert _fill(TimeOrder(), 100, 200, 100, 200, 100) == [100, 200, 101, 201, 102]


def test_a_time_that_was_given_to_another_line_is_not_given_again():
    assert _fill(TimeOrder(), 100, 100, 101) == [100, 101, 102]


def test_lines_that_never_say_have_the_time_at_which_they_came():
    order = TimeOrder()
    assert _fill(order, NO_TIME, NO_TIME) == [NOW, NOW + 1]
    assert _fill(order, NO_TIME, now=NOW + SECOND) == [NOW + SECOND]


def test_a_line_without_a_time_long_after_its_predecessor_has_its_own():
    order = TimeOrder()
    assert _fill(order, 100) == [100]
    assert _fill(order, NO_TIME, now=NOW + 60 * SECOND) == [NOW + 60 * SECOND]


def test_no_time_lies_before_1970():
    assert _fill(TimeOrder(), -5, -9) == [0, 1]


@pytest.mark.parametrize("cut", range(7))
def test_a_state_goes_on_where_the_other_was(cut):
    times = [100, 200, 100, NO_TIME, 300, 300, 200]
    whole = _fill(TimeOrder(), *times)
    first = TimeOrder()
    begun = _fill(first, *times[:cut])
    held = json.loads(json.dumps(first.state))
    assert begun + _fill(TimeOrder(held, NOW), *times[cut:]) == whole


@pytest.mark.parametrize("state", [[], [1, 2], [0] * 33 + [99, 0], [0] * 32 + [99, 0, 0]])
def test_a_damaged_state_begins_anew(state):
    assert _fill(TimeOrder(state, NOW), 100, 100) == [100, 101]
