"""Which span answered: the last so many responses, whatever their hashes."""

from __future__ import annotations

import numpy as np

from swarmscope.intelligence.response_ids import ResponseIds
from swarmscope.model.evaluations import Responses


def told(*pairs: tuple[int, int]) -> Responses:
    return Responses(*(np.array(column, np.uint64) for column in zip(*pairs, strict=True)))


def test_spans_are_found_by_their_response() -> None:
    ids = ResponseIds(8)
    assert ids.spans_of([5]) == [0]
    ids.put(told((5, 50), (2**64 - 1, 70)))
    assert ids.spans_of([2**64 - 1, 4, 5, 6, 0]) == [70, 0, 50, 0, 0]
    assert ids.spans_of([]) == []


def test_the_oldest_are_forgotten() -> None:
    ids = ResponseIds(4)
    ids.put(told((1, 10), (2, 20), (3, 30)))
    ids.put(told((4, 40), (5, 50)))
    assert ids.spans_of([1, 2, 3, 4, 5]) == [0, 20, 30, 40, 50]
    ids.put(told(*((number, number * 10) for number in range(10, 20))))  # more than there is room for
    assert [key for key in ids.spans_of(range(10, 20)) if key] == [160, 170, 180, 190]


def test_of_spans_that_tell_the_same_id_the_last_stands() -> None:
    ids = ResponseIds(8)
    ids.put(told((7, 1)))
    ids.put(told((7, 2)))
    assert ids.spans_of([7]) == [2]
