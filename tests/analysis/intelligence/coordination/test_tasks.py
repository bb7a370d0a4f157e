"""Hand-offs that worked, and tasks done twice."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from tests.analysis.intelligence.coordination.made_fleets import SECOND_NS, make_fleet

from swarmscope.analysis.intelligence.coordination.tasks import duplicates, hand_offs

A, B, C = 0, 1, 2
MINUTE_NS = 60 * SECOND_NS


def _handed(rows: list, links: list = ()) -> dict[int, bool]:
    found = hand_offs(make_fleet(rows, links), MINUTE_NS)
    return dict(zip(found.row.tolist(), found.is_success.tolist(), strict=True))


def test_only_spans_below_another_agent() -> None:
    rows = [(-1, A, 0, 9), (0, A, 1, 2), (0, B, 2, 3), (2, B, 2, 3), (2, C, 2, 3, {"is_ok": False}), (0, -1, 4, 5)]
    assert _handed(rows) == {2: True, 4: False}


def test_links_count_and_open_spans_do_not() -> None:
    rows = [(-1, A, 0, 9), (-1, B, 9, 12), (0, B, 3, 9, {"is_ended": False, "is_ok": False})]
    assert _handed(rows, [(1, 0), (1, 0)]) == {1: True}


def test_a_result_that_is_asked_for_again_was_not_used() -> None:
    def rows(next_start: float, task: int, caller: int = A) -> list:
        return [
            (-1, A, 0, 999), (0, B, 1, 5, {"task": 7}), (-1, caller, 0, 999),
            (2, C, next_start, next_start + 1, {"task": task}),
        ]  # fmt: skip

    assert _handed(rows(6, 7)) == {1: False, 3: True}
    assert _handed(rows(65, 7)) == {1: False, 3: True}
    assert _handed(rows(66, 7)) == {1: True, 3: True}
    assert _handed(rows(6, 8)) == {1: True, 3: True}
    assert _handed(rows(6, 7, caller=C + 1)) == {1: True, 3: True}
    # Handed out to both before either had an answer: that is no retry.
    assert _handed(rows(2, 7)) == {1: True, 3: True}


def test_a_third_try_follows_a_parallel_one() -> None:
    rows = [(-1, A, 0, 99), (0, B, 1, 5, {"task": 7}), (0, C, 2, 4, {"task": 7}), (0, B, 20, 21, {"task": 7})]
    assert _handed(rows) == {1: False, 2: False, 3: True}


def _twice(rows: list, window_ns: int = MINUTE_NS) -> dict[int, bool]:
    found, is_duplicate = duplicates(make_fleet(rows), window_ns)
    return dict(zip(found.tolist(), is_duplicate.tolist(), strict=True))


def test_tasks_done_twice() -> None:
    one = {"task": 5}
    assert _twice([(-1, A, 0, 4, one), (-1, B, 10, 12, one)]) == {0: False, 1: True}
    assert _twice([(-1, A, 0, 4, one), (-1, B, 64, 65, one)]) == {0: False, 1: True}
    assert _twice([(-1, A, 0, 4, one), (-1, B, 65, 66, one)]) == {0: False, 1: False}
    assert _twice([(-1, A, 0, 4, one), (-1, B, 3, 6, one)]) == {0: False, 1: True}
    assert _twice([(-1, A, 0, 4, one), (-1, B, 3, 6, {"task": 6}), (-1, B, 3, 6)]) == {0: False, 1: False}


def test_a_failed_try_may_be_repeated_but_not_meanwhile() -> None:
    failed = {"task": 5, "is_ok": False}
    assert _twice([(-1, A, 0, 4, failed), (-1, B, 5, 6, {"task": 5})]) == {0: False, 1: False}
    assert _twice([(-1, A, 0, 4, failed), (-1, B, 3, 6, {"task": 5})]) == {0: False, 1: True}


def test_caller_and_callee_tell_of_one_task() -> None:
    one = {"task": 5}
    assert _twice([(-1, A, 0, 4, one), (0, B, 1, 3, one), (-1, A, 5, 6)]) == {0: False}


@st.composite
def _tasks(draw: st.DrawFn) -> list:
    rows = []
    for _ in range(draw(st.integers(0, 12))):
        start = draw(st.integers(0, 30))
        more = {"task": draw(st.integers(0, 3)), "is_ok": draw(st.booleans()), "trace": draw(st.integers(0, 1))}
        rows.append((-1, draw(st.integers(0, 2)), start + len(rows) / 100, start + draw(st.integers(1, 9)), more))
    return rows


@given(_tasks(), st.integers(0, 12))
def test_equal_to_a_look_at_all_pairs(rows: list, window: int) -> None:
    expected = {}
    for at, (_, _, start, _, more) in enumerate(rows):
        if more["task"]:
            expected[at] = any(
                other[4]["task"] == more["task"] and other[2] < start
                and (other[3] > start or (other[4]["is_ok"] and other[3] >= start - window))
                for other in rows
            )  # fmt: skip
    assert _twice(rows, window * SECOND_NS) == expected


@given(_tasks(), st.integers(0, 12))
def test_retries_are_those_of_all_pairs(rows: list, window: int) -> None:
    spans = make_fleet(rows)
    n = len(rows)
    # Each row hangs from a root of agent 9 in its own trace.
    roots = make_fleet([(-1, 9, 0, 99, {"trace": trace}) for trace in range(2)])
    joined = type(spans)(*(np.concatenate([a, b]) for a, b in zip(spans, roots, strict=True)))
    joined = joined._replace(parent=np.concatenate([n + spans.trace, [-1, -1]]))
    found = hand_offs(joined, window * SECOND_NS)
    expected = [
        more["is_ok"]
        and not any(
            other[4]["task"] == more["task"] != 0 and other[4]["trace"] == more["trace"]
            and end <= other[2] <= end + window
            for other in rows
        )
        for _, _, _, end, more in rows
    ]  # fmt: skip
    assert found.row.tolist() == list(range(n))
    assert found.is_success.tolist() == expected
