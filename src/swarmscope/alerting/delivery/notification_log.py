"""What was told to whom, so that nothing is told twice: neither by time, nor after a restart."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import orjson

from swarmscope.model.alerts import NotificationReason
from swarmscope.model.contracts import StateStore

KIND = "notification"
_KEPT_NS = 120 * 3600 * 1_000_000_000
_NS_PER_MS = 1_000_000


@dataclass(frozen=True, slots=True)
class LogEntry:
    """The last notification of one group to one integration."""

    firing: frozenset[str]
    resolved: frozenset[str]
    at_ns: int
    note: Mapping[str, str] = field(default_factory=dict)  # what the integration wants to know next time
    unsure: str = ""  # the id of a notification that was begun, and may have arrived or not


class NotificationLog:
    """Entries by group and integration. The caller holds a lock."""

    def __init__(self, state: StateStore) -> None:
        """Takes up what was kept. Raises UnavailableError."""
        self._state = state
        self._entries = {key: _from_record(record) for key, record in state.load(KIND).items()}

    def get(self, key: str) -> LogEntry | None:
        """The last one."""
        return self._entries.get(key)

    def put(self, key: str, entry: LogEntry) -> None:
        """Keep the last one; it is on disk on return. Raises UnavailableError."""
        self._state.write(KIND, {key: _to_record(entry)})
        self._entries[key] = entry

    def forget_old(self, now_ns: int) -> None:
        """Drop what is older than any repetition."""
        gone = [key for key, entry in self._entries.items() if entry.at_ns + _KEPT_NS < now_ns]
        for key in gone:
            del self._entries[key]
        if gone:
            self._state.write(KIND, dict.fromkeys(gone))


def reason_to_tell(
    entry: LogEntry | None, firing: frozenset[str], resolved: frozenset[str], now_ns: int, repeat_ms: int,
    sends_resolved: bool,
) -> NotificationReason | None:  # fmt: skip
    """Why a group is to be told of now, or None. Fingerprints of its alerts; as Alertmanager decides it."""
    if entry is None or not entry.at_ns:
        return NotificationReason.FIRST if firing else None
    if not firing <= entry.firing:
        return NotificationReason.NEW_ALERTS
    if not firing:
        return NotificationReason.RESOLVED if entry.firing else None
    if sends_resolved and not resolved <= entry.resolved:
        return NotificationReason.RESOLVED
    return NotificationReason.REPEAT if entry.at_ns < now_ns - repeat_ms * _NS_PER_MS else None


def _to_record(entry: LogEntry) -> bytes:
    return orjson.dumps(
        {
            "firing": sorted(entry.firing), "resolved": sorted(entry.resolved), "at_ns": entry.at_ns,
            "note": dict(entry.note), "unsure": entry.unsure,
        }
    )  # fmt: skip


def _from_record(record: bytes) -> LogEntry:
    told = orjson.loads(record)
    return LogEntry(frozenset(told["firing"]), frozenset(told["resolved"]), told["at_ns"], told["note"], told["unsure"])
