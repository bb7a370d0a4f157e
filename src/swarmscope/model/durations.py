"""Durations as Prometheus' configuration files write them: `1h30m`.

Source: https://prometheus.io/docs/prometheus/latest/configuration/configuration/
"""

from __future__ import annotations

import re

_DURATION = re.compile(r"(?:(\d+)y)?(?:(\d+)w)?(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?(?:(\d+)ms)?", re.ASCII)
_UNIT_MS = (365 * 86_400_000, 7 * 86_400_000, 86_400_000, 3_600_000, 60_000, 1_000, 1)
_MAX_DURATION_MS = (2**63 - 1) // 1_000_000


def parse_duration_ms(text: str) -> int:
    """Milliseconds of a Prometheus duration ("1h30m"); raises ValueError saying what is allowed."""
    if text == "0":
        return 0
    match = _DURATION.fullmatch(text)
    if not text or match is None:
        raise ValueError("is not a duration; allowed: numbers with y, w, d, h, m, s, ms in this order, as in 1m30s")
    total = sum(int(count) * unit for count, unit in zip(match.groups(), _UNIT_MS, strict=True) if count)
    if total > _MAX_DURATION_MS:
        raise ValueError("is a duration out of range; allowed: at most 292 years")
    return total


def format_duration_ms(duration_ms: int) -> str:
    """Prometheus' spelling of a duration: the largest units first ("1m30s")."""
    if duration_ms == 0:
        return "0s"
    parts: list[str] = []
    rest = duration_ms
    for name, unit in zip(("y", "w", "d", "h", "m", "s", "ms"), _UNIT_MS, strict=True):
        # Years, weeks and days are used only where nothing is left over, as in Prometheus.
        if name in ("y", "w", "d") and rest % unit:
            continue
        count, rest = divmod(rest, unit)
        if count:
            parts.append(f"{count}{name}")
    return "".join(parts)
