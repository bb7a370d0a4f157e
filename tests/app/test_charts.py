"""Charts ask for what was compared."""

from __future__ import annotations

import pytest

from swarmscope.app.stages.charts import shown_expression
from swarmscope.model.errors import QuerySyntaxError


@pytest.mark.parametrize(
    ("expression", "shown"),
    [
        ("x > 5", "x"),
        ("(rate(x[1m]) >= 0.1)", "rate(x[1m])"),
        ("5 < x", "x"),
        ("x > bool 5", "x > bool 5"),
        ("x > y", "x > y"),
        ("x / 2", "x / 2"),
    ],
)
def test_comparisons_with_numbers_are_left_out(expression: str, shown: str) -> None:
    assert shown_expression(expression) == shown


def test_other_languages() -> None:
    with pytest.raises(QuerySyntaxError):
        shown_expression('count_over_time({a="b"} |= "x" [1m])')
