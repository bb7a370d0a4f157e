"""Queries that would exhaust the stack of the library end as refusals, not with the process."""

import pytest

from swarmscope.lang.promql import parse
from swarmscope.lang.promql.parse import parse_promql
from swarmscope.lang.promql.size_limits import MAX_HEIGHT, MAX_NESTING
from swarmscope.model.errors import QuerySyntaxError


def _staircase(levels: int, operators: int) -> str:
    text = "1"
    for _ in range(levels):
        text = f"({text}{'+1' * operators})"
    return text


@pytest.mark.parametrize(
    "text",
    [
        "1" + "+1" * 100_000,
        "a" + " or a" * 50_000,
        "- " * 50_000 + "1",
        "+-" * 50_000 + "1",
        "(" * 50_000 + "1" + ")" * 50_000,
        'x{a="' + ")" * 5_000 + '"} + ' + "(" * 5_000 + "1" + ")" * 5_000,
        "abs(" * 5_000 + "x" + ")" * 5_000,
        _staircase(MAX_NESTING - 1, 100),
    ],
    ids=["plus", "or", "spaced signs", "signs", "brackets", "brackets in a string", "calls", "staircase"],
)
def test_a_tree_that_is_too_high_is_refused(text):
    with pytest.raises(QuerySyntaxError, match=r"nested deeper|inside one another"):
        parse_promql(text)


@pytest.mark.parametrize(
    "text",
    [
        "1" + "+1" * (MAX_HEIGHT - 1),
        "(" * MAX_NESTING + "1" + ")" * MAX_NESTING,
        "{" + ",".join(f'a="{n}"' for n in range(2_000)) + "}",
        "label_join(x, 'a', 'b'" + ", 'c'" * 2_000 + ")",
        " + ".join(f"sum({'a + ' * 100}b)" for _ in range(100)),
        "x # " + "(" * 1_000,
    ],
    ids=["operators", "brackets", "matchers", "arguments", "side by side", "comment"],
)
def test_wide_trees_are_read(text):
    parse_promql(text)


def test_long_queries_are_not_remembered():
    parse._parse_remembered.cache_clear()
    parse_promql("{" + ",".join(f'a="{n}"' for n in range(2_000)) + "}")
    assert parse._parse_remembered.cache_info().currsize == 0
    parse_promql("up")
    assert parse._parse_remembered.cache_info().currsize == 1
