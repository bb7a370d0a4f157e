"""Durations and points in time as people write them, in Prometheus' syntax. No dependency: the CLI imports it too."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime

_UNIT_MS = {"y": 31_536_000_000, "w": 604_800_000, "d": 86_400_000, "h": 3_600_000, "m": 60_000, "s": 1_000, "ms": 1}
# Units in falling order, each at most once: https://prometheus.io/docs/prometheus/latest/querying/basics/#durations
_DURATION = re.compile("".join(rf"(?:(\d+){unit})?" for unit in _UNIT_MS))
_RELATIVE = re.compile(r"(?:now)?(?:([+-])(.+))?")
DURATION_FORMS = "a duration such as 500ms, 30s, 5m, 1h30m, 90d"


@dataclass(frozen=True, order=True, slots=True)
class Duration:
    """A length of time. Printing gives the shortest Prometheus spelling, and parsing that gives the same value."""

    ms: int

    @property
    def seconds(self) -> float:
        """The length in seconds."""
        return self.ms / 1000

    def __str__(self) -> str:
        rest, parts = self.ms, []
        # Weeks are left out: 90d reads better than 12w6d.
        for unit in ("d", "h", "m", "s", "ms"):
            count, rest = divmod(rest, _UNIT_MS[unit])
            if count:
                parts.append(f"{count}{unit}")
        return "".join(parts) or "0s"


def parse_duration(text: str) -> Duration:
    """Read `1h30m`, `500ms` or `0`. Raises ValueError that says what is allowed."""
    text = text.strip()
    if text == "0":
        return Duration(0)
    match = _DURATION.fullmatch(text)
    if not text or match is None:
        raise ValueError(f"{text!r} is not {DURATION_FORMS}")
    pairs = zip(match.groups(), _UNIT_MS.values(), strict=True)
    return Duration(sum(int(count) * unit_ms for count, unit_ms in pairs if count))


def parse_time_ms(text: str, now_ms: int) -> int:
    """Read a point in time: `now`, `-1h`, `now-5m`, `now+1h`, Unix seconds, or RFC 3339. Unix milliseconds.

    A time stamp without an offset is taken as UTC. Raises ValueError that says what is allowed.
    """
    text = text.strip()
    relative = _RELATIVE.fullmatch(text)
    if text and relative is not None:
        sign, length = relative.groups()
        if length is None:
            return now_ms
        if not length.replace(".", "").isdigit():
            offset_ms = parse_duration(length).ms
            return now_ms + offset_ms if sign == "+" else now_ms - offset_ms
    try:
        return round(float(text) * 1000)
    except (ValueError, OverflowError):
        pass
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(
            f"{text!r} is not a time: write now, -1h, now-5m, Unix seconds, or 2026-01-31T12:00:00Z"
        ) from None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return round(moment.timestamp() * 1000)
