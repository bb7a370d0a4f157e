"""Date functions against Python's calendar, and where Python's ends."""

from __future__ import annotations

import calendar
import math
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from swarmscope.query.promql.calendar import calendar_values


@given(st.integers(-62_000_000_000, 250_000_000_000))
def test_against_python(seconds: int) -> None:
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)
    expected = {
        "year": moment.year,
        "month": moment.month,
        "day_of_month": moment.day,
        "day_of_week": (moment.weekday() + 1) % 7,
        "day_of_year": moment.timetuple().tm_yday,
        "days_in_month": calendar.monthrange(moment.year, moment.month)[1],
        "hour": moment.hour,
        "minute": moment.minute,
    }
    asked = {name: calendar_values(name, np.array([float(seconds)]))[0] for name in expected}
    assert asked == expected


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, 1e300])
def test_what_no_integer_holds_is_the_date_that_go_gives_it(value: float) -> None:
    # time.Unix(math.MinInt64, 0).UTC() prints 292277026596-12-04 15:30:08, a Sunday.
    expected = {"year": 292277026596, "month": 12, "day_of_month": 4, "day_of_week": 0, "day_of_year": 339,
                "days_in_month": 31, "hour": 15, "minute": 30}  # fmt: skip
    assert {name: calendar_values(name, np.array([value]))[0] for name in expected} == expected
