"""A query that is cancelled in the middle of its work does next to no more of it."""

import math

import numpy as np
import pytest

from swarmscope.model.errors import QueryCancelledError
from swarmscope.query.promql import PromqlEngine, QueryRequest, range_calls
from swarmscope.query.promql.memory_reader import MemoryReader
from swarmscope.query.promql.threads import WAVE_CELLS

NOW_MS = 1_700_000_000_000
HOUR_S = 3600


class _CancelledAt:
    """Ends the query at its n-th question; counts the questions."""

    remaining_s = math.inf

    def __init__(self, last):
        self.last, self.asked = last, 0

    def check(self):
        self.asked += 1
        if self.asked > self.last:
            raise QueryCancelledError("query was canceled in expression evaluation")


@pytest.fixture
def reader():
    made = MemoryReader()
    times_ms = range(NOW_MS - 3 * HOUR_S * 1000, NOW_MS + 1, 15_000)
    for number in range(2):
        made.add({"__name__": "x", "n": str(number)}, [(ts_ms, 0.1 * k) for k, ts_ms in enumerate(times_ms)])
    return made


@pytest.fixture
def kernel_calls(monkeypatch):
    """How many steps each call of the kernel over windows was given, times its windows' samples."""
    calls = []
    kernel = range_calls.reduce_windows

    def counted(op, windows, out, first, past):
        before = np.searchsorted(windows.ts, windows.ends - windows.range_ms, "right")
        inside = np.searchsorted(windows.ts, windows.ends, "right") - before
        calls.append(int(inside.clip(0).sum()))
        kernel(op, windows, out, first, past)

    monkeypatch.setattr(range_calls, "reduce_windows", counted)
    return calls


QUERIES = [
    "quantile_over_time(0.5, x[1h:1s])[1h:1s]",
    "avg_over_time(avg_over_time(x[1h:1s])[1h:1s])",
    "stddev_over_time(stddev_over_time(x[1h:1s])[1h:1s])",
]


@pytest.mark.parametrize("query", QUERIES)
def test_a_cancelled_query_stops_between_two_slices(reader, kernel_calls, query):
    ask = QueryRequest(query, NOW_MS, NOW_MS, cancellation=_CancelledAt(12))
    with pytest.raises(QueryCancelledError):
        PromqlEngine(reader).query_instant(ask)
    assert ask.cancellation.asked == 13  # nothing goes on after the refusal
    # The whole of it is some 3600 steps of 3600 samples for two series. Sorting makes slices smaller, never larger.
    assert 0 < sum(kernel_calls) < 13e6
    assert max(kernel_calls) <= 2 * WAVE_CELLS
