"""Times as Alertmanager's API reads and writes them: RFC 3339, to the millisecond on the way out."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

_TIME = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)[Tt ](\d\d):(\d\d)(?::(\d\d)(?:\.(\d{1,9})\d*)?)?(?:([Zz])|([+-])(\d\d):?(\d\d))?", re.ASCII
)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NS_PER_S = 1_000_000_000
# Go's zero time means that there is none.
_ZERO_NS = -62_135_596_800 * _NS_PER_S
MAX_NS = (1 << 63) - 1  # in the year 2262; what lies behind it is as good as never


def parse_moment(text: str) -> int | None:
    """Unix nanoseconds; None where there is none: an empty text, or Go's zero time. Raises ValueError."""
    if not text:
        return None
    found = _TIME.fullmatch(text)
    if found is None:
        raise ValueError(f'parsing time "{text}": it is not RFC 3339')
    year, month, day, hour, minute, second = (int(part or 0) for part in found.groups()[:6])
    try:
        # The year is moved into what Python can represent in any zone, by full 400-year cycles.
        moment = datetime(year or 400, month, day, hour, minute, second, tzinfo=UTC)
    except ValueError as error:
        raise ValueError(f'parsing time "{text}": {error}') from None
    offset_s = 0
    if found[9]:
        offset_s = (int(found[10]) * 3600 + int(found[11]) * 60) * (1 if found[9] == "+" else -1)
    whole = moment - _EPOCH
    seconds = whole.days * 86_400 + whole.seconds - offset_s - (0 if year else 146_097 * 86_400)
    time_ns = seconds * _NS_PER_S + int((found[7] or "").ljust(9, "0"))
    if time_ns == _ZERO_NS:
        return None
    return min(max(time_ns, -MAX_NS), MAX_NS)


def spell_moment(time_ns: int) -> str:
    """Such as `2026-11-23T06:04:25.807Z`."""
    moment = _EPOCH + timedelta(microseconds=time_ns // 1000)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03d}Z"
