"""When a group is told of again: the table of Alertmanager's documentation, by hand."""

from __future__ import annotations

import pytest

from swarmscope.alerting.delivery.notification_log import LogEntry, reason_to_tell
from swarmscope.model.alerts import NotificationReason as Reason

S = 1_000_000_000
NOW = 1_000_000 * S
HOUR_MS = 3_600_000


def entry(firing: str, resolved: str = "", age_s: int = 60) -> LogEntry:
    return LogEntry(frozenset(firing), frozenset(resolved), NOW - age_s * S)


@pytest.mark.parametrize(
    ("last", "firing", "resolved", "sends_resolved", "reason"),
    [
        (None, "a", "", True, Reason.FIRST),
        # What was over before anybody heard of it.
        (None, "", "a", True, None),
        (entry("a"), "a", "", True, None),
        (entry("ab"), "a", "", True, None),
        (entry("a"), "ab", "", True, Reason.NEW_ALERTS),
        (entry("a"), "", "a", True, Reason.RESOLVED),
        (entry("a"), "", "a", False, Reason.RESOLVED),
        (entry("", "a"), "", "a", True, None),
        (entry("ab"), "a", "b", True, Reason.RESOLVED),
        (entry("ab"), "a", "b", False, None),
        (entry("ab", "b"), "a", "b", True, None),
        (entry("a", age_s=3600), "a", "", True, None),
        (entry("a", age_s=3601), "a", "", True, Reason.REPEAT),
        # One that failed at first was never told.
        (LogEntry(frozenset(), frozenset(), 0, unsure="x"), "a", "", True, Reason.FIRST),
    ],
)  # fmt: skip
def test_reasons(last: LogEntry | None, firing: str, resolved: str, sends_resolved: bool, reason: Reason | None):
    assert reason_to_tell(last, frozenset(firing), frozenset(resolved), NOW, HOUR_MS, sends_resolved) == reason
