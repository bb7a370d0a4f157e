"""Date functions of Unix times, UTC. Proleptic Gregorian, valid for all int64 seconds.

The day-to-date conversion is Howard Hinnant's `civil_from_days`: https://howardhinnant.github.io/date_algorithms.html
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

_Ints = NDArray[np.int64]
_DAY_S = 86_400


def _civil(days: _Ints) -> tuple[_Ints, _Ints, _Ints]:
    """(year, month, day) of days since 1970-01-01."""
    shifted = days + 719_468
    era = shifted // 146_097
    of_era = shifted - era * 146_097
    year_of_era = (of_era - of_era // 1460 + of_era // 36_524 - of_era // 146_096) // 365
    day_of_year = of_era - (365 * year_of_era + year_of_era // 4 - year_of_era // 100)
    month_from_march = (5 * day_of_year + 2) // 153
    day = day_of_year - (153 * month_from_march + 2) // 5 + 1
    month = np.where(month_from_march < 10, month_from_march + 3, month_from_march - 9)
    year = year_of_era + era * 400 + (month <= 2)
    return year, month, day


def _days_before_year(year: _Ints) -> _Ints:
    """Days from 1970-01-01 to January 1st of a year."""
    before = year - 1
    return np.asarray(before * 365 + before // 4 - before // 100 + before // 400 - 719_162, np.int64)


def _days_in_month(seconds: _Ints) -> _Ints:
    year, month, _ = _civil(seconds // _DAY_S)
    leap = (year % 4 == 0) & ((year % 100 != 0) | (year % 400 == 0))
    lengths = np.array([31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31], np.int64)
    return np.asarray(lengths[month - 1] + ((month == 2) & leap), np.int64)


def _day_of_year(seconds: _Ints) -> _Ints:
    days = seconds // _DAY_S
    return np.asarray(days - _days_before_year(_civil(days)[0]) + 1, np.int64)


CALENDAR: dict[str, Callable[[_Ints], _Ints]] = {
    "day_of_month": lambda seconds: _civil(seconds // _DAY_S)[2],
    "day_of_week": lambda seconds: (seconds // _DAY_S + 4) % 7,
    "day_of_year": _day_of_year,
    "days_in_month": _days_in_month,
    "hour": lambda seconds: seconds % _DAY_S // 3600,
    "minute": lambda seconds: seconds % 3600 // 60,
    "month": lambda seconds: _civil(seconds // _DAY_S)[1],
    "year": lambda seconds: _civil(seconds // _DAY_S)[0],
}


def calendar_values(name: str, times_s: NDArray[np.float64]) -> NDArray[np.float64]:
    """A date function of Unix times in seconds, any shape.

    What no int64 holds (NaN, infinities) is 292277026596-12-04 15:30 UTC: Go turns it into the smallest int64,
    whose date wraps around to the second after the greatest.
    """
    with np.errstate(invalid="ignore"):
        held = np.abs(times_s) < 9.2e18
        seconds = np.where(held, times_s, 0.0).astype(np.int64)
    seconds = np.where(held, seconds, np.iinfo(np.int64).max)
    return CALENDAR[name](seconds).astype(np.float64)
