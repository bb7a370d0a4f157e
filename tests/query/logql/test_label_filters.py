"""Conditions on labels: who passes, who gets an error, who goes."""

from __future__ import annotations

import pytest

from swarmscope.lang.logql.nodes import (
    BothFilters,
    BytesFilter,
    Comparison,
    DurationFilter,
    EitherFilter,
    IpFilter,
    LabelFilter,
    NumberFilter,
    StringFilter,
)
from swarmscope.model.matchers import Matcher, MatchOperator
from swarmscope.query.logql.label_filters import passing
from tests.query.logql.lines import block_of, texts

_ROWS = [
    {"status": "200", "took": "250ms", "size": "5KB", "addr": "10.0.0.1", "app": "shop"},
    {"status": "500", "took": "2s", "size": "3 MiB", "addr": "11.0.0.1", "app": "bank"},
    {"status": "abc", "took": "soon", "size": "big", "addr": "home", "app": "shop-2"},
    {},
]


def _string(name: str, operator: MatchOperator, value: str) -> StringFilter:
    return StringFilter(Matcher(name, operator, value))


@pytest.mark.parametrize(
    ("condition", "expected", "errors"),
    [
        (_string("app", MatchOperator.EQUAL, "shop"), [True, False, False, False], 0),
        (_string("app", MatchOperator.NOT_EQUAL, "shop"), [False, True, True, True], 0),
        (_string("app", MatchOperator.REGEX, "shop.*"), [True, False, True, False], 0),
        (_string("app", MatchOperator.REGEX, "hop"), [False] * 4, 0),
        (_string("app", MatchOperator.NOT_REGEX, "shop|bank"), [False, False, True, True], 0),
        (_string("app", MatchOperator.EQUAL, ""), [False, False, False, True], 0),
        (NumberFilter("status", Comparison.GREATER_EQUAL, 500), [False, True, True, False], 1),
        (NumberFilter("status", Comparison.NOT_EQUAL, 200), [False, True, True, False], 1),
        (DurationFilter("took", Comparison.LESS, 1_000_000_000), [True, False, True, False], 1),
        (BytesFilter("size", Comparison.GREATER, 5000), [False, True, True, False], 1),
        (IpFilter("addr", MatchOperator.EQUAL, "10.0.0.0/8"), [True, False, True, False], 1),
        (IpFilter("addr", MatchOperator.NOT_EQUAL, "10.0.0.0/8"), [False, True, True, False], 1),
    ],
)
def test_one_condition(condition: LabelFilter, expected: list[bool], errors: int) -> None:
    block = block_of(_ROWS)
    assert passing(condition, block).tolist() == expected
    assert [error for error in texts(block.label("__error__")) if error] == ["LabelFilterErr"] * errors


def test_both_and_either() -> None:
    left = NumberFilter("status", Comparison.GREATER, 100)
    right = _string("app", MatchOperator.EQUAL, "bank")
    assert passing(BothFilters(left, right), block_of(_ROWS[:2])).tolist() == [False, True]
    either = EitherFilter(NumberFilter("status", Comparison.EQUAL, 200), right)
    assert passing(either, block_of(_ROWS[:2])).tolist() == [True, True]


def test_a_line_with_an_error_passes_numbers_but_not_texts() -> None:
    block = block_of(_ROWS[:3])
    passing(NumberFilter("status", Comparison.GREATER, 0), block)
    assert passing(DurationFilter("took", Comparison.GREATER, 10**12), block).tolist() == [False, False, True]
    no_error = _string("__error__", MatchOperator.EQUAL, "")
    assert passing(no_error, block).tolist() == [True, True, False]
