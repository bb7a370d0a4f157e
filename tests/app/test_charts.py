"""Charts ask for what was compared."""

from __future__ import annotations

import pytest

from swarmscope.app.stages.charts import chart_values, shown_expression
from swarmscope.integrations.slack.query_chart import ChartRequest, draw_chart
from swarmscope.model.errors import QuerySyntaxError
from swarmscope.query.promql.engine import PromqlEngine
from swarmscope.query.promql.memory_reader import MemoryReader


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


def test_values_are_those_of_the_store() -> None:
    reader = MemoryReader()
    minute_ms = 60_000
    end_ms = 1_790_000_040_000
    times = list(range(end_ms - 60 * minute_ms, end_ms + 1, minute_ms))
    reader.add({"__name__": "load", "agent": "a"}, [(time_ms, float(at % 7)) for at, time_ms in enumerate(times)])
    ask = chart_values(PromqlEngine(reader))
    lines = ask(ChartRequest("", "load > 3", times[0] * 1_000_000, end_ms * 1_000_000))
    (line,) = lines
    assert line.name == '{__name__="load", agent="a"}'
    assert line.times_ns.size == 241
    # Every minute is four points long, and all are there although most are not above 3.
    assert line.values[::4].tolist() == [float(at % 7) for at in range(61)]
    assert draw_chart(ChartRequest("", "", times[0] * 1_000_000, end_ms * 1_000_000), lines, "Load") is not None
