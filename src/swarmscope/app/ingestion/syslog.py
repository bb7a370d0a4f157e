"""Severity and facility of syslog lines. Sources: https://www.rfc-editor.org/rfc/rfc5424 (6.2.1) and RFC 3164."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from swarmscope.model.labels import Utf8Column

SEVERITIES = ("emerg", "alert", "crit", "err", "warning", "notice", "info", "debug")
FACILITIES = (
    "kern", "user", "mail", "daemon", "auth", "syslog", "lpr", "news", "uucp", "cron", "authpriv", "ftp", "ntp",
    "audit", "alert", "clock", *(f"local{number}" for number in range(8)),
)  # fmt: skip
PRIORITIES = len(SEVERITIES) * len(FACILITIES)
NO_PRIORITY = -1
_LESS, _GREATER = 60, 62


def metadata_of(priority: int) -> dict[str, str]:
    """What `<34>` says."""
    return {"severity": SEVERITIES[priority % 8], "facility": FACILITIES[priority // 8]}


def priorities_of(line: Utf8Column) -> NDArray[np.int64]:
    """The number in front of each line [n], NO_PRIORITY where there is none."""
    return _read_priorities(line.buffer, line.start, line.length)


@njit(nogil=True, cache=True)
def _digit(buffer: NDArray[np.uint8], at: int) -> Any:
    return np.int64(buffer[at]) - 48


@njit(nogil=True, cache=True)
def _read_priorities(
    buffer: NDArray[np.uint8], start: NDArray[np.int64], length: NDArray[np.int64]
) -> NDArray[np.int64]:
    found = np.full(len(start), NO_PRIORITY)
    for row in range(len(start)):
        at, end = start[row], start[row] + length[row]
        if at >= end or buffer[at] != _LESS:
            continue
        number, at = 0, at + 1
        first = at
        while at < end and at - first < 3 and 48 <= buffer[at] <= 57:
            number = 10 * number + _digit(buffer, at)
            at += 1
        if at > first and at < end and buffer[at] == _GREATER and number < PRIORITIES:
            found[row] = number
    return found
